"""perfduck push: what `ingest --spool` has kept."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import perfduck
from perfduck_cli.ingest_commands import NOT_SENT
from perfduck_cli.options import DEFAULT_STORE, StorePath
from perfduck_cli.waiting import say


def push(
    folder: Annotated[Path, typer.Argument(help="The directory of `ingest --spool`.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Send recordings that could not be sent when they were ingested, and remove what is sent.

    Several may run at once: each recording is sent by one. Exits with 75 where the server is not
    there, 2 where it refuses a recording, which is kept.
    """
    sent = Sent()
    with perfduck.open(store) as opened:
        try:
            refused = opened.push(folder, on_stored=sent.say)
        except perfduck.NotSent as error:
            say(str(error))
            raise typer.Exit(NOT_SENT) from error
    for line in refused:
        say(perfduck.visible(line))
    if refused:
        raise typer.Exit(2)
    if not sent.count:
        sys.stdout.write(f"nothing to send in {perfduck.visible(str(folder))}\n")


class Sent:
    """Says what a server has stored."""

    def __init__(self) -> None:
        self.count = 0

    def say(self, result: "perfduck.IngestResult") -> None:
        """One more is stored."""
        self.count += 1
        for note in result.notes:
            say(note)
        sys.stdout.write(result.to_text())
        sys.stdout.flush()
