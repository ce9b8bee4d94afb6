"""perfduck serve: the store as a service."""

from pathlib import Path
from typing import Annotated

import typer

from perfduck import PerfduckError
from perfduck_cli.options import DEFAULT_STORE, StorePath


def serve(
    store: StorePath = DEFAULT_STORE,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Address to listen on.")
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
    host, _, port = listen.rpartition(":")
    settings = Settings(store=Path(store), host=host, port=int(port))
    typer.echo(f"serving {store} on http://{listen}")
    run(settings)
