"""The application: its routes, and what every answer has."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

import perfduck
from perfduck_server import merge_api, push_api, read_api, sql_api, store_api
from perfduck_server.service import Service
from perfduck_store.remote.services import PROTOCOL, PROTOCOL_HEADER

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    PROTOCOL_HEADER: PROTOCOL,
}


def create_app(service: Service) -> FastAPI:
    """The application of a service, which whoever made it closes when the application has ended."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = service
        yield

    # The pages of documentation that come with FastAPI load scripts from elsewhere.
    app = FastAPI(
        title="perfduck",
        version=perfduck.__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.middleware("http")(_with_headers)
    app.add_exception_handler(perfduck.PerfduckError, _refusal)

    app.include_router(read_api.router)

    app.include_router(store_api.router)
    app.include_router(sql_api.router)
    app.include_router(push_api.router)
    app.include_router(merge_api.router)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}

    return app


async def _with_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _refusal(request: Request, error: Exception) -> Response:
    """What the one who asked can fix: the line that the command line prints."""
    status = 404 if isinstance(error, perfduck.NoProfileError) else 422
    return JSONResponse({"error": perfduck.visible(str(error))}, status_code=status)
