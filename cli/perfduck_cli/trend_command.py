"""`perfduck trend`."""

from pathlib import Path
from typing import Annotated

import typer

import perfduck
from perfduck import FilterOptions, SeriesKey, TrendFormat
from perfduck_cli.options import DEFAULT_STORE, Engine, Selector, StorePath, filtered
from perfduck_cli.standard_streams import write
from perfduck_cli.waiting import say

_WITHOUT_NOTES = ("csv",)  # formats that have no place for them


@filtered
def trend(
    selector: Selector,
    filters: FilterOptions,
    over: Annotated[
        str,
        typer.Option(
            metavar="commit|time|LABEL",
            help="What the points are: commits, when recordings began, or values of a label.",
        ),
    ],
    by: Annotated[SeriesKey, typer.Option(help="What each series is of.")] = "subsystem",
    repo: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="git repository whose history orders the commits; default: label commit_time.",
        ),
    ] = None,
    format: Annotated[TrendFormat, typer.Option(help="How to print.")] = "text",
    store: StorePath = DEFAULT_STORE,
    engine: Engine = None,
) -> None:
    """Show costs over commits, time or a label, and where and with what their level changed.

    Runs of one commit (labels `commit` and `commit_time`), of one session, or of one value of a
    label are one point. All changes are tested as one family: 5 % of those shown are false at most,
    on average.
    """
    with perfduck.open(store, engine=engine) as opened:
        result = opened.trend(selector, over, by=by, repo=repo, **filters)
    if format in _WITHOUT_NOTES:
        for note in result.notes:
            say(note)
    write(result, format)
