"""Commands that ask the store."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from perfduck_cli.filter_options import filtered
from perfduck_cli.numbers import LONGEST_S, number, whole
from perfduck_cli.options import DEFAULT_STORE, Format, Selector, StorePath
from perfduck_cli.screen import screen
from perfduck_diff.filters import Filters
from perfduck_diff.keys import Key

if TYPE_CHECKING:
    from perfduck_diff.selection import Note
    from perfduck_store.store import Store

_MOST_ROWS = 1_000_000_000  # a store has fewer; DuckDB's limits have 62 bits
WITH_NOTES = ("text", "markdown")  # formats with a heading that says what is left out


def profiles(
    selector: Selector = "*",
    format: Format = "text",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """List the profiles in the store."""
    from perfduck_report.profiles import report
    from perfduck_store.selector import select
    from perfduck_store.store import Store

    with Store(store) as opened:
        rows = opened.profiles.listing(select(opened, selector))
    sys.stdout.write(report(rows, format, screen()))


@filtered
def top(
    selector: Selector,
    filters: Filters,
    function: Annotated[
        str | None, typer.Argument(help="For --by callers and callees: whose.")
    ] = None,
    by: Annotated[Key, typer.Option(help="What to rank.")] = "function",
    limit: Annotated[int, typer.Option(parser=whole(1, _MOST_ROWS), help="Rows.")] = 30,
    format: Format = "text",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Rank what is hot: self, total and blamed, per unit of work where the work is known.

    `top SELECTOR FUNCTION --by callers` ranks who called a function, `--by callees` what it called.
    """
    from perfduck_diff import calls, top
    from perfduck_report import calls as calls_report
    from perfduck_report import top as top_report
    from perfduck_store.store import Store

    with Store(store) as opened:
        if by == "callers" or by == "callees":
            found = calls.calls(opened, selector, function, by, filters=filters, limit=limit)
            text, notes = calls_report.report(found, format, screen()), found.notes
        else:
            _no_function(function, by)
            ranked = top.top(opened, selector, by, filters=filters, limit=limit)
            text, notes = top_report.report(ranked, format, screen()), ranked.notes
    _say(() if format in WITH_NOTES else notes)
    sys.stdout.write(text)


def _no_function(function: str | None, by: str) -> None:
    from perfduck_model.errors import PerfduckError

    if function is not None:
        message = f"{function} --by {by}: expected --by callers or --by callees of a function"
        raise PerfduckError(message)


def _say(notes: Iterable["Note"]) -> None:
    """What the answer merges or leaves out, besides what was typed, where its format has no place
    for that."""
    for note in notes:
        if note.code != "filter":
            sys.stderr.write(f"perfduck: {note.text}\n")


def sql(
    query: Annotated[str | None, typer.Argument(help="SQL; table `hit` has it all.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the SQL from it.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="name=value for $name in the query.")
    ] = None,
    format: Annotated[
        Literal["table", "csv", "json", "markdown", "parquet"],
        typer.Option(help="How to print; parquet goes to a pipe or a file."),
    ] = "table",
    timeout: Annotated[
        float,
        typer.Option(
            parser=number(0.001, LONGEST_S), help="Seconds after which the query is stopped."
        ),
    ] = 20.0,
    max_rows: Annotated[
        int, typer.Option(parser=whole(1, _MOST_ROWS), help="More rows are an error.")
    ] = 1_000_000,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Run read-only SQL over the store: one statement, within limits of time, rows and memory."""
    from perfduck_cli.sql import parameters, text_of
    from perfduck_report import tables
    from perfduck_store.store import Store
    from perfduck_store.user_sql import SqlLimits

    limits = SqlLimits(seconds=timeout, rows=max_rows)
    with Store(store) as opened:
        frame = opened.user_sql(text_of(query, file), parameters(param or []), limits)
    if format == "parquet":
        frame.write_parquet(sys.stdout.buffer)
    else:
        sys.stdout.write(tables.FORMATS[format](frame, screen()))


@filtered
def export(
    selector: Selector,
    filters: Filters,
    format: Annotated[
        Literal["folded", "html"],
        typer.Option(help="folded: for flame graph tools; html: a page with a flame graph."),
    ] = "folded",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write the stacks for other tools (comm;root;...;leaf weight), or as a page to look at."""
    from perfduck_store.store import Store

    with Store(store) as opened:
        text, notes = EXPORTS[format](opened, selector, filters)
    _say(notes)
    sys.stdout.write(text)


def _folded(store: "Store", selector: str, filters: Filters) -> tuple[str, tuple["Note", ...]]:
    from perfduck_diff.selection import select_samples
    from perfduck_report.names import folded
    from perfduck_store.selector import select

    groups = {"": select(store, selector, filters.where)}
    selection = select_samples(store, groups, filters, "comm")
    stacks = selection.samples.folded()
    text = "".join(f"{';'.join(map(folded, each.path))} {each.weight}\n" for each in stacks)
    return text, selection.notes


def _html(store: "Store", selector: str, filters: Filters) -> tuple[str, tuple["Note", ...]]:
    from perfduck_diff.flame_input import alone
    from perfduck_report.html import render_side

    drawing = alone(store, selector, filters)
    notes = [note.text for note in drawing.notes]
    return render_side(selector, drawing.profiles, drawing.flame, drawing.heat, notes), ()


EXPORTS = {"folded": _folded, "html": _html}
COMMANDS = (profiles, top, sql, export)
