"""Who asks, and what that one may do.

    Authorization: Bearer pdk_...     command line, curl
    cookie perfduck_token             pages: set by the form at /login

Without tokens a server on a loopback address is open; then the names of other sites must not lead
to it (DNS rebinding). What a browser sends by itself (the cookie, or nothing where the server is
open) changes nothing when another site's page made it do so.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from perfduck_server.service import Service, service_of
from perfduck_server.settings import is_loopback
from perfduck_server.tokens import SCOPES, Scope

COOKIE = "perfduck_token"
ANONYMOUS = "anonymous"
_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever sent a request. `labels` are stamped on what is pushed."""

    name: str
    scopes: frozenset[Scope]
    labels: dict[str, str] = field(default_factory=dict)


class AccessRefused(Exception):
    """A request that is not answered, with its HTTP status: 401 where a token may help, 403."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


def require(scope: Scope) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency of a route: the principal, who has the scope; else AccessRefused."""

    async def principal(request: Request) -> Principal:
        sender = principal_of(request)
        if scope in sender.scopes:
            return sender
        if sender.name == ANONYMOUS:
            raise AccessRefused(401, f"expected a token with scope {scope}, got none")
        raise AccessRefused(403, missing_scope(sender.name, scope, sender.scopes))

    return principal


def missing_scope(name: str, scope: Scope, scopes: Iterable[Scope]) -> str:
    """The line for a token that has other scopes than the one that is needed."""
    return f"token {name}: expected scope {scope}, got {', '.join(sorted(scopes)) or 'none'}"


Reader = Annotated[Principal, Depends(require("read"))]


def principal_of(request: Request) -> Principal:
    """Who sent a request, and what scopes that one has; there may be none. AccessRefused for a
    token that is unknown, and for what another site's page may have sent."""
    service = service_of(request)
    secret = _bearer(request)
    if secret is None:
        _check_site(request)
        secret = request.cookies.get(COOKIE)
    request.state.principal = principal = _known(service, request, secret)
    return principal


def _known(service: Service, request: Request, secret: str | None) -> Principal:
    if service.is_open() and service.settings.is_loopback:
        _check_host(request)
        return Principal(ANONYMOUS, frozenset(SCOPES))
    if secret is not None:
        token = service.tokens.of(secret)
        if token is None:
            line = "expected a token of this server, got one that is unknown, revoked or expired"
            raise AccessRefused(401, line)
        return Principal(token.name, frozenset(token.scopes), token.labels)
    readable = service.settings.anonymous_read
    return Principal(ANONYMOUS, frozenset({"read"}) if readable else frozenset())


def _bearer(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    kind, _, secret = header.partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise AccessRefused(401, "Authorization: expected Bearer TOKEN, got something else")
    return secret.strip()


def _check_site(request: Request) -> None:
    """A change that a browser was made to send by a page of another site is refused."""
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    other = origin is not None and _host_of(origin) != request.headers.get("host")
    if site not in ("same-origin", "none") or other:
        raise AccessRefused(403, "expected a request of this server's own pages, got another's")


def _check_host(request: Request) -> None:
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if not is_loopback(host):
        line = "expected localhost as Host of a server without tokens, got another name"
        raise AccessRefused(403, line)


def _host_of(origin: str) -> str:
    """With its port; "null", which no Host header is, for an origin that has none."""
    try:
        return urlsplit(origin).netloc or "null"
    except ValueError:  # half of an IPv6 address
        return "null"
