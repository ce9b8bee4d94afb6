"""perfduck push: what `ingest --spool` has kept."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import perfduck
from perfduck_cli.ingest_commands import NOT_SENT, say_stored
from perfduck_cli.options import DEFAULT_STORE, StorePath
from perfduck_cli.waiting import say


def push(
    folder: Annotated[Path, typer.Argument(help="The directory of `ingest --spool`.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Send recordings that could not be sent at ingest, and remove those that arrived.

    Several may run at once: each recording is sent by one.
    Exits with 75 if the server cannot be reached, with 2 if it
    refuses a recording, which is kept.
    """
    sent: list[perfduck.IngestResult] = []

    def stored(result: perfduck.IngestResult) -> None:
        sent.append(result)
        say_stored(result)

    with perfduck.open(store) as opened:
        try:
            refused = opened.push(folder, on_stored=stored)
        except perfduck.NotSent as error:
            say(str(error))
            raise typer.Exit(NOT_SENT) from error
    for line in refused:
        say(line)
    if refused:
        raise typer.Exit(2)
    if not sent:
        sys.stdout.write(f"nothing to send in {perfduck.visible(str(folder))}\n")
