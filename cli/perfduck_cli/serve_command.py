"""perfduck serve: the store as a service."""

import re
from pathlib import Path
from typing import Annotated

import typer

from perfduck import PerfduckError, visible
from perfduck_cli import process
from perfduck_cli.options import DEFAULT_STORE, StorePath

_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})")
_LAST_PORT = 65_535


def serve(
    store: StorePath = DEFAULT_STORE,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT", help="Address to listen on; port 0: one that is free; [::1]:8480."
        ),
    ] = "127.0.0.1:8480",
) -> None:
    """Serve the store: hosts push recordings, a team looks at pages, and the command line asks it.

    One process owns the store for as long as it runs.
    """
    try:
        from perfduck_server.serving import serve as run
        from perfduck_server.settings import Settings
    except ModuleNotFoundError as error:
        expected = "the packages of the server (pip install 'perfduck[server]')"
        raise PerfduckError.at(where="serve", expected=expected, got=f"no {error.name}") from error
    host, port = _address(listen)
    process.leave_interrupts_to_command()
    run(Settings(store=Path(store), host=host, port=port), lambda line: typer.echo(visible(line)))


def _address(text: str) -> tuple[str, int]:
    """Host and port. PerfduckError where it is no address."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > _LAST_PORT:
        raise PerfduckError.at(
            where="--listen", expected="HOST:PORT, as in 127.0.0.1:8480", got=text or "nothing"
        )
    return found["ipv6"] or found["host"], int(found["port"])
