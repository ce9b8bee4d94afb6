"""perfduck token: who may do what with a server of a store."""

import json
import sys
from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from perfduck import PerfduckError, parts, typed, visible
from perfduck_cli.options import DEFAULT_STORE, StoreFile, path_to_serve
from perfduck_cli.serve_command import server_part

Name = Annotated[str, typer.Argument(help="Of the token: ci, node7.")]


def add(
    name: Name,
    scope: Annotated[
        str, typer.Option(help="What it allows: push,read,sql,admin, or some of these.")
    ],
    label: Annotated[
        list[str] | None,
        typer.Option(help="key=value of all that is pushed with it; may be repeated."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="AGE", help="When it ends: 12h, 90d, 1y.")
    ] = None,
    store: StoreFile = DEFAULT_STORE,
) -> None:
    """Make a token for a server of the store, and print it: it is shown this once."""
    scopes = server_part("tokens").scopes_of(scope)
    age = None if expires is None else typed.age("--expires", expires)
    labels = parts.recordings.labels(label) if label else {}
    secret = _tokens(store).add(_checked(name), scopes, labels, age)
    sys.stdout.write(f"{secret}\n")


def listed(
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print.")] = "text",
    store: StoreFile = DEFAULT_STORE,
) -> None:
    """List the tokens of the store; none can be shown again."""
    tokens = _tokens(store).all()
    if format == "json":
        rows = [
            {
                "name": each.name,
                "scopes": each.scopes,
                "labels": each.labels,
                "created_at": _time(each.created_at),
                "expires_at": _time(each.expires_at),
                "expired": each.is_expired,
            }
            for each in tokens
        ]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    if not tokens:
        sys.stdout.write("no tokens\n")
    for each in tokens:
        labels = "".join(f"; label {key}={value}" for key, value in each.labels.items())
        end = _time(each.expires_at)
        expires = f"; {'expired' if each.is_expired else 'expires'} {end}" if end else ""
        sys.stdout.write(visible(f"{each.name}: {', '.join(each.scopes)}{labels}{expires}") + "\n")


def revoke(name: Name, store: StoreFile = DEFAULT_STORE) -> None:
    """Revoke a token: a server that runs refuses it from now on."""
    _tokens(store).revoke(name)
    sys.stdout.write(f"{visible(name)}: revoked\n")


def _tokens(store: str) -> Any:
    return server_part("tokens").tokens_of(path_to_serve(store))


def _checked(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise PerfduckError.at(where="NAME", expected="printable characters", got=f"{name!r}")
    return name


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.strftime("%Y-%m-%d %H:%M UTC")
