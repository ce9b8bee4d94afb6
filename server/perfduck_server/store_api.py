"""The store itself over HTTP, for the command line and the library: see perfduck_store.remote.

What goes over the wire changes with perfduck: scripts ask /api/v1/top and its neighbours instead.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse

from perfduck_server.access import Principal, Reader, principal_of, require
from perfduck_server.service import Service, ServiceOf
from perfduck_server.store_sessions import MOST_OF_ONE, TooManySessions
from perfduck_store.remote.server_session import SessionEnded, StoreIsBusy
from perfduck_store.remote.services import (
    BUSY,
    GONE,
    MEDIA_TYPE,
    SESSIONS,
    StoreMethod,
    all_methods,
)
from perfduck_store.remote.wire import MOST_BYTES, MOST_BYTES_OF_CHANGES

_TOO_LARGE = 413
SessionKey = Annotated[str, Header(alias="Perfduck-Session", max_length=64)]
Client = Annotated[Principal, Depends(principal_of)]  # whose session it is
Writer = Annotated[Principal, Depends(require("admin"))]

router = APIRouter(include_in_schema=False)


@router.post(f"{SESSIONS}/read")
def begin_to_read(service: ServiceOf, principal: Reader) -> Response:
    """Begin a session that sees the store as it is now."""
    return _begun(service, principal, write=False)


@router.post(f"{SESSIONS}/write")
def begin_to_write(service: ServiceOf, principal: Writer) -> Response:
    """Begin the session that writes; 503 while another one does."""
    return _begun(service, principal, write=True)


@router.put(SESSIONS)
def keep(service: ServiceOf, principal: Client, key: SessionKey) -> Response:
    """Say that the client of a session is there."""
    return _done() if service.sessions.of(key, principal.name) else _no_session()


@router.delete(SESSIONS)
def end(service: ServiceOf, principal: Client, key: SessionKey) -> Response:
    """End a session; what was not committed is undone."""
    return _done() if service.sessions.end(key, principal.name) else _no_session()


def _begin(service: Service, principal: Principal, *, write: bool) -> str:
    most = None if service.is_open() else MOST_OF_ONE
    return service.sessions.begin(principal.name, write=write, most=most)


def _begun(service: Service, principal: Principal, *, write: bool) -> Response:
    try:
        session = _begin(service, principal, write=write)
        return JSONResponse({"session": session, "idle_s": service.sessions.idle_s})
    except (StoreIsBusy, TooManySessions) as error:
        return JSONResponse({"error": str(error)}, BUSY, {"Retry-After": "0"})


def _done() -> Response:
    return Response(status_code=204)


def _no_session(reason: str = "expected a session, got one that has ended") -> Response:
    return JSONResponse({"error": reason}, GONE)


def bounded(most: int) -> Callable[[Request], Awaitable[bytes | None]]:
    """A dependency of a route: the body, None where it has more bytes."""

    async def body(request: Request) -> bytes | None:
        parts, size = [], 0
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > most:
                return None
        return b"".join(parts)

    return body


def _add(method: StoreMethod) -> None:
    """The route of a method."""
    scope = "admin" if method.changes else "read"
    most = MOST_BYTES_OF_CHANGES if method.changes else MOST_BYTES

    def answer(
        service: ServiceOf,
        principal: Annotated[Principal, Depends(require(scope))],
        key: SessionKey,
        body: Annotated[bytes | None, Depends(bounded(most))],
    ) -> Response:
        session = service.sessions.of(key, principal.name)
        if session is None:
            return _no_session()
        if body is None:
            return JSONResponse({"error": f"expected at most {most:,} bytes"}, _TOO_LARGE)
        try:
            return Response(session.answer(method, body), media_type=MEDIA_TYPE)
        except SessionEnded as error:
            return _no_session(str(error))

    router.post(method.path)(answer)


for each in all_methods():
    _add(each)
