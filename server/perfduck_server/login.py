"""The way in for browsers: a form that takes a token and sets a cookie that no script can read."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from perfduck_server.access import COOKIE, AccessRefused, missing_scope, principal_of
from perfduck_server.pages import rendered
from perfduck_server.service import ServiceOf

_YEAR_S = 365 * 86_400
_UNKNOWN = "This token is not known, was revoked, or has expired."

router = APIRouter(include_in_schema=False)


@router.get("/login")
def form(request: Request, service: ServiceOf, next: str = "/") -> Response:
    """The form. `next`: where it leads. It says so to a browser whose token has ended."""
    secret = request.cookies.get(COOKIE)
    has_ended = secret is not None and service.tokens.of(secret) is None
    return _page(local(next), _UNKNOWN if has_ended else "", 200)


@router.post("/login")
def login(
    request: Request,
    service: ServiceOf,
    token: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form(max_length=4000)] = "/",
) -> Response:
    """Set the cookie where the token is known and may read: every page needs that."""
    _of_own_site(request)
    token_row = service.tokens.of(token.strip())
    if token_row is None:
        return _page(local(next), _UNKNOWN, 401)
    if "read" not in token_row.scopes:
        return _page(local(next), missing_scope(token_row.name, "read", token_row.scopes), 403)
    answer = RedirectResponse(local(next), 303)
    answer.set_cookie(
        COOKIE,
        token.strip(),
        max_age=_YEAR_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
def logout(request: Request) -> Response:
    """Forget the token."""
    _of_own_site(request)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def local(path: str) -> str:
    """A path of this server: what leads to another site is the first page."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_local and path.isprintable() else "/"


def _of_own_site(request: Request) -> None:
    """AccessRefused for a form of another site. A cookie that is not valid may stay."""
    try:
        principal_of(request)
    except AccessRefused as error:
        if error.status != 401:
            raise


def _page(next: str, error: str, status: int) -> Response:
    return HTMLResponse(rendered("login.html", {"next": next, "error": error}), status)
