"""Routes that work out answers: as many at a time as there are processors, each once."""

from collections.abc import Callable, Coroutine, Hashable, Iterator
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from perfduck import ProfileStore
from perfduck_server.access import principal_of
from perfduck_server.kept_answers import KeptAnswer
from perfduck_server.service import Service, ServiceOf, service_of

Answer = Callable[[Request], Coroutine[Any, Any, Response]]


def store_of(request: Request, service: ServiceOf) -> Iterator[ProfileStore]:
    """The store in one state, for all that a request asks of it. An answer that depends on it alone
    is kept."""
    with service.held.one_state() as place:
        request.state.store_state = place.state
        yield ProfileStore(place)


StoreOf = Annotated[ProfileStore, Depends(store_of, scope="function")]


class QuestionRoute(APIRoute):
    """A route whose requests wait for one of the turns of `Service.answering`, without a thread. An
    answer that is kept takes no turn."""

    def get_route_handler(self) -> Answer:
        """What answers a request, in its turn."""
        answer = super().get_route_handler()

        async def answered_once(request: Request) -> Response:
            service = service_of(request)
            changes = service.held.shared.changes
            key = key_of(request)
            async with service.answers.asking(key):
                # A change that is being committed was not acknowledged when the question came.
                if kept := service.answers.get(key, changes - changes % 2):
                    return kept.response()
                response = await _in_turn(service, request, answer)
                if new := kept_answer(request, response):
                    service.answers.keep(key, new)
                return response

        async def answered(request: Request) -> Response:
            if request.method == "GET":
                return await answered_once(request)
            return await _in_turn(service_of(request), request, answer)

        return answered


async def _in_turn(service: Service, request: Request, answer: Answer) -> Response:
    async with service.answering:
        return await answer(request)


def key_of(request: Request) -> Hashable:
    """All that an answer depends on but the store: what was asked, and who asked; the first page
    says how far publishing is. AccessRefused where nobody may ask as this one does."""
    principal, service = principal_of(request), service_of(request)
    has_tokens = service.tokens.is_there
    published = service.publisher and service.publisher.state.shown
    return str(request.url), principal.name, principal.scopes, has_tokens, published


def kept_answer(request: Request, response: Response) -> KeptAnswer | None:
    """What may be kept of an answer; None where it was not made of one state of the store."""
    state: int | None = getattr(request.state, "store_state", None)
    if state is None or response.status_code != 200 or isinstance(response, StreamingResponse):
        return None
    return KeptAnswer(state, bytes(response.body), tuple(response.raw_headers))
