"""The application: its routes, and what every answer has."""

import json
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import perfduck
from perfduck_model.errors import FULL_DISK, DiskIsFull
from perfduck_report.html import injected_style_hash
from perfduck_server import (
    care_api,
    login,
    merge_api,
    metrics,
    otlp_api,
    page_compare,
    page_diff,
    page_profile,
    page_recordings,
    page_sql,
    page_trend,
    push_api,
    query_api,
    read_api,
    sql_api,
    static_files,
    store_api,
)
from perfduck_server.access import AccessRefused, principal_of
from perfduck_server.metrics import ServerMetrics
from perfduck_server.pages import page
from perfduck_server.query_options import in_url, only_declared
from perfduck_server.service import Service, service_of
from perfduck_server.spool import SpoolIsGone
from perfduck_server.uploads import drain
from perfduck_store.duckdb.shared import StoreIsInvalidated
from perfduck_store.remote.services import PROTOCOL, PROTOCOL_HEADER

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; img-src 'self' data:; "
        f"style-src 'self' {injected_style_hash()}; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # none at all: a form would be of no known origin
    PROTOCOL_HEADER: PROTOCOL,
}

# Those of the first check the parameters of a URL themselves (query_options.given).
_ROUTERS = (
    read_api, page_recordings, page_profile, page_diff, page_compare, page_trend, page_sql,
    push_api, otlp_api,
)  # fmt: skip
_ROUTERS_WITHOUT_OPTIONS = (
    query_api, static_files, store_api, sql_api, login, merge_api, care_api, metrics,
)  # fmt: skip
_PARAMETERS = read_api.PARAMETERS | set(sql_api.SqlQuery.model_fields)
_FULL = 507
_CLIENT_CLOSED_REQUEST = 499  # as in the access log of nginx


def create_app(service: Service) -> FastAPI:
    """The application of a service, which whoever made it closes when the application has ended."""

    # The pages of documentation that come with FastAPI load scripts from other hosts.
    app = FastAPI(
        title="perfduck",
        version=perfduck.__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # curl does not follow, and prints nothing
    )
    app.state.service, app.state.metrics = service, ServerMetrics(service)
    app.add_middleware(_WithHeaders)
    app.add_exception_handler(perfduck.PerfduckError, _refusal)
    app.add_exception_handler(OSError, _system_error)
    app.add_exception_handler(StoreIsInvalidated, _unavailable)
    app.add_exception_handler(SpoolIsGone, _unavailable)
    app.add_exception_handler(AccessRefused, _no_access)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(RequestValidationError, _wrong)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _bug)

    for each in _ROUTERS:
        app.include_router(each.router)
    for each in _ROUTERS_WITHOUT_OPTIONS:
        app.include_router(each.router, dependencies=[Depends(only_declared)])
    return app


class _WithHeaders:
    """An application whose answers have the headers that every answer has. A Host header that is no
    host is refused here, as every URL of the request is made of it, and so is another protocol.
    HEAD is answered as GET: uvicorn, which knows what was asked, sends the head alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope.get("method") == "HEAD":
            scope = {**scope, "method": "GET"}
        line = _wrong_header(Headers(scope=scope)) if scope["type"] == "http" else None
        if line is None:
            await self._app(scope, receive, sent)
        else:
            await drain(Request(scope, receive))
            await JSONResponse({"error": perfduck.visible(line)}, 400)(scope, receive, sent)


def _wrong_header(headers: Headers) -> str | None:
    """Why a request is not answered; None for one that is."""
    try:
        _ = urlsplit(f"//{headers.get('host', '')}").port
    except ValueError:
        return "Host: expected HOST or HOST:PORT, got another text"
    spoken = headers.get(PROTOCOL_HEADER, PROTOCOL)
    if spoken != PROTOCOL:
        return (
            f"{PROTOCOL_HEADER}: expected {PROTOCOL}, which this server speaks, got {spoken[:20]}"
        )
    return None


def _refusal(request: Request, error: Exception) -> Response:
    """What the one who asked can fix, or a full disk: the line that the command line prints."""
    status = 404 if isinstance(error, perfduck.NoProfileError) else 422
    status = _FULL if isinstance(error, DiskIsFull) else status
    line = perfduck.visible(str(error))
    if _is_question(request):
        line = in_url(line, _PARAMETERS)
    return _answer(request, status, line)


def _is_question(request: Request) -> bool:
    """Whether it was asked by parameters of a URL, not by options of the command line, which prints
    the lines of a push and of the store's routes as they are."""
    path = request.url.path
    if PROTOCOL_HEADER in request.headers:
        return False
    return path == "/api/v1/sql" or path.removeprefix("/api/v1/") in read_api.QUESTIONS


def _system_error(request: Request, error: Exception) -> Response:
    """A full disk is said, and that the server's folder is gone; any other error of the system is a
    bug."""
    assert isinstance(error, OSError)
    if error.errno not in FULL_DISK:
        try:
            service_of(request).spool.check()
        except SpoolIsGone as gone:
            return _unavailable(request, gone)
        raise error
    line = "expected room on the server's disk, got a full one: ask again later"
    return _answer(request, _FULL, line)


def _unavailable(request: Request, error: Exception) -> Response:
    """Nothing but a start of the server helps."""
    return _answer(request, 503, perfduck.visible(str(error)))


def _gone(request: Request, error: Exception) -> Response:
    """The client closed the connection within its body; the status is for the access log."""
    return Response(status_code=_CLIENT_CLOSED_REQUEST)


async def _no_access(request: Request, error: Exception) -> Response:
    """People are led to the form, programs get a line."""
    assert isinstance(error, AccessRefused)
    await drain(request)  # nobody has read the body
    if error.status == 401 and _takes_page(request):
        return RedirectResponse(f"/login?next={quote(_back_to(request), safe='')}", 303)
    headers = {"WWW-Authenticate": 'Bearer realm="perfduck"'} if error.status == 401 else {}
    return _answer(request, error.status, str(error), headers)


def _back_to(request: Request) -> str:
    """Where to go after a login: what a form asked for is not asked again."""
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query if request.method == "GET" else "/"


def _wrong(request: Request, error: Exception) -> Response:
    """What does not fit the description of a route: the first of it, in a line."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "body"
    got = json.dumps(first.get("input"), default=str)
    line = f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}, got {got[:100]}"
    return _answer(request, 422, perfduck.visible(line))


def _no_route(request: Request, error: Exception) -> Response:
    """Where nothing answers, or not to this method."""
    assert isinstance(error, HTTPException)
    line = perfduck.visible(f"{request.method} {request.url.path}: {error.detail.lower()}")
    return _answer(request, error.status_code, line, error.headers)


def _answer(
    request: Request, status: int, line: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Why there is no answer: a page for people who may read one, JSON for programs."""
    if _is_of_api(request) or not (_takes_page(request) and _may_read(request)):
        return JSONResponse({"error": line}, status, headers)
    answer = page("no_answer.html", request, status=status, error=line)
    answer.headers.update(headers or {})
    return answer


def _takes_page(request: Request) -> bool:
    """Whether a browser shows the answer: of a link, or of a form."""
    is_form = request.method == "POST" and not _is_of_api(request)
    return "text/html" in request.headers.get("accept", "") and (request.method == "GET" or is_form)


def _is_of_api(request: Request) -> bool:
    return request.url.path.startswith(("/api/", otlp_api.PROFILES))


def _may_read(request: Request) -> bool:
    with suppress(AccessRefused):
        return "read" in principal_of(request).scopes
    return False


def _bug(request: Request, error: Exception) -> Response:
    """What nobody expected; the traceback is in the log."""
    return JSONResponse({"error": "this is a bug: the server's log has more"}, 500, _HEADERS)
