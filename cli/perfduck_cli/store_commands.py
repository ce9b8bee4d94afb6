"""Commands that look after what is stored."""

import sys
from typing import Annotated

import typer

import perfduck
from perfduck_cli.options import DEFAULT_STORE, Selector, StorePath, number
from perfduck_cli.waiting import say

DryRun = Annotated[bool, typer.Option("--dry-run", help="List the profiles; remove nothing.")]


def edit(
    selector: Selector,
    name: Annotated[str | None, typer.Option(help="New name; of one profile.")] = None,
    work: Annotated[
        float | None, typer.Option(parser=number(), help="How much got done while recording.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="What --work counts [default: as stored].")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="key=value to add or change; may be repeated.")
    ] = None,
    unlabel: Annotated[
        list[str] | None, typer.Option(help="Key of a label to remove; may be repeated.")
    ] = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Change the name, work or labels of stored profiles."""
    with perfduck.open(store) as opened:
        done = opened.edit(
            selector, name=name, work=work, unit=unit, labels=label, unlabel=unlabel or ()
        )
    sys.stdout.write(done.to_text())


def rm(selector: Selector, dry_run: DryRun = False, store: StorePath = DEFAULT_STORE) -> None:
    """Remove profiles and shrink the store file, without asking."""
    with perfduck.open(store) as opened:
        sys.stdout.write(opened.remove(selector, dry_run=dry_run).to_text())


def prune(
    selector: Selector,
    older_than: Annotated[
        str, typer.Option(help="Age from the recording, where its time is not known from when it"
                               " was stored: 36h, 90d, 8w, 2y.")
    ],
    dry_run: DryRun = False,
    store: StorePath = DEFAULT_STORE,
) -> None:  # fmt: skip
    """Remove the profiles older than an age, without asking."""
    with perfduck.open(store) as opened:
        done = opened.prune(selector, older_than, dry_run=dry_run)
    for note in done.notes:
        say(note)
    sys.stdout.write(done.to_text())


def merge(
    stores: Annotated[
        list[str],
        typer.Argument(
            help="Stores to take recordings from: files, URLs of servers, lake:DIRECTORY, or"
            " lake:s3://BUCKET/PREFIX."
        ),
    ],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Add what other stores have and this one lacks; nothing here changes.

    The same recording is the same in all stores. One whose name another recording has here gets the
    beginning of its content's hash behind the name. Where both have a recording, labels, work and
    attachments that are missing here are added; where they differ, those here are kept, and that is
    said.
    """
    with perfduck.open(store) as opened:
        for other in stores:
            done = opened.merge(other)
            for note in done.notes:
                say(note)
            sys.stdout.write(done.to_text())


def pull(
    selector: Selector,
    lake: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="LAKE",
            help="lake:DIRECTORY or lake:s3://BUCKET/PREFIX that has them.",
        ),
    ],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Take recordings of a lake into a store, where questions are answered faster.

    As `merge`, of some recordings: nothing in the store changes.
    """
    with perfduck.open(store) as opened:
        done = opened.pull(selector, lake)
    for note in done.notes:
        say(note)
    sys.stdout.write(done.to_text())


def compact(
    keep: Annotated[
        str,
        typer.Option(
            metavar="AGE",
            help="How long a command or a writer of any machine may take; what it may need is kept:"
            " 1h, 2d (0h: nobody else uses the lake).",
        ),
    ] = "1h",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Make few large parts of the many small ones of a lake; delete what nobody needs.

    Others read and write meanwhile. Ids of stacks and functions are audited: one with two contents
    is reported.
    """
    with perfduck.open(store) as opened:
        done = opened.compact(keep)
    for note in done.notes:
        say(note)
    sys.stdout.write(done.to_text())
