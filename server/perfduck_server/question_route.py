"""Routes that work out answers: as many at a time as there are processors."""

import os
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
from fastapi import Request, Response
from fastapi.routing import APIRoute

# An answer is 0.1 to 0.3 s of Python, and threads of Python take turns every 5 ms: 40 at a time are
# no sooner done, and a request that takes 1 ms waits behind all of them.
AT_ONCE = max(2, os.cpu_count() or 2)


class QuestionRoute(APIRoute):
    """A route whose requests wait for one of the turns of `Service.answering`, without a thread."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request, in its turn."""
        answer = super().get_route_handler()

        async def in_turn(request: Request) -> Response:
            answering: anyio.Semaphore = request.app.state.service.answering
            async with answering:
                return await answer(request)

        return in_turn
