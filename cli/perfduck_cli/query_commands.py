"""Commands that ask the store."""

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

import perfduck
from perfduck import ExportFormat, FilterOptions, PerfduckError
from perfduck_cli.options import (
    DEFAULT_STORE,
    LONGEST_S,
    Engine,
    Format,
    Selector,
    StorePath,
    filtered,
    number,
    whole,
)
from perfduck_cli.sql import parameters, text_of
from perfduck_cli.standard_streams import write
from perfduck_cli.waiting import say

_MOST_ROWS = 1_000_000_000  # a store has fewer; DuckDB's limits have 62 bits
_ROWS = 30  # of a ranking, unless --limit says
WITH_NOTES = ("text", "markdown")  # formats with a heading that says what is left out


def profiles(
    selector: Selector = "*",
    format: Format = "text",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """List the profiles in the store."""
    with perfduck.open(store) as opened:
        write(opened.profiles(selector), format)


@filtered
def top(
    selector: Selector,
    filters: FilterOptions,
    function: Annotated[
        str | None, typer.Argument(help="The function whose callers or callees are ranked.")
    ] = None,
    by: Annotated[
        perfduck.Key,
        typer.Option(metavar="KEY", help=f"What to rank: {', '.join(get_args(perfduck.Key))}."),
    ] = "function",
    limit: Annotated[
        int | None, typer.Option(parser=whole(1, _MOST_ROWS), help="Rows; default: 30.")
    ] = None,
    format: Format = "text",
    store: StorePath = DEFAULT_STORE,
    engine: Engine = None,
) -> None:
    """Rank what is hot: self, total and blamed, per unit of work where the work is known.

    `top SELECTOR FUNCTION --by callers` ranks who called a function, `--by callees` what it called.
    """
    most = _ROWS if limit is None else limit
    with perfduck.open(store, engine=engine) as opened:
        ranking: perfduck.CallsResult | perfduck.TopResult
        if by == "callers" or by == "callees":
            whose = _function(function, by)
            ranking = opened.calls(selector, whose, side=by, limit=most, **filters)
        else:
            _no_function(function)
            ranking = opened.top(selector, by=by, limit=most, **filters)
    if format not in WITH_NOTES:
        _say(ranking.notes)
        if limit is None and ranking.left_out:
            say(ranking.left_out)
    write(ranking, format)


def _function(function: str | None, by: str) -> str:
    if function is None:
        message = f"--by {by}: expected a function: perfduck top SELECTOR FUNCTION --by {by}"
        raise PerfduckError(message)
    return function


def _no_function(function: str | None) -> None:
    if function is not None:
        expected = "--by callers or --by callees with a function"
        raise PerfduckError.at(where=function or "function", expected=expected, got="neither")


def _say(notes: "Iterable[perfduck.Note]") -> None:
    """What the answer merges, leaves out or lacks, where its format has no place for that: besides
    what was typed, and missing names, which its rows show."""
    for note in notes:
        if note.code not in ("filter", "unnamed"):
            say(note.text)


def sql(
    query: Annotated[
        str | None, typer.Argument(help="SQL; the view `hit` has a row per sample.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the SQL from a file.")
    ] = None,
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
    engine: Engine = None,
) -> None:
    """Run read-only SQL over the store: one statement, within limits of time, rows and memory."""
    with perfduck.open(store, engine=engine) as opened:
        answer = opened.sql(
            text_of(query, file), parameters(param or []), timeout_s=timeout, max_rows=max_rows
        )
    if format == "parquet":
        parquet = io.BytesIO()  # polars would turn a full disk into an error of its own
        answer.frame.write_parquet(parquet)
        sys.stdout.buffer.write(parquet.getbuffer())
    else:
        write(answer, "text" if format == "table" else format)


@filtered
def export(
    selector: Selector,
    filters: FilterOptions,
    format: Annotated[
        ExportFormat,
        typer.Option(
            help="folded: for flame graph tools; pprof, speedscope, firefox: their files; html: a"
            " page with a flame graph."
        ),
    ] = "folded",
    base: Annotated[
        str | None,
        typer.Option(
            metavar="SELECTOR",
            help="Export these profiles beside it, for a difference: two columns of folded stacks,"
            " a difference of pprof, two profiles of speedscope.",
        ),
    ] = None,
    per_work: Annotated[
        bool, typer.Option("--per-work", help="Weights per unit of work, which must be known.")
    ] = False,
    store: StorePath = DEFAULT_STORE,
    engine: Engine = None,
) -> None:
    """Export the stacks for other tools: folded, pprof, firefox, ..., or a page.

    With --base, weights are per unit of work where that is known.
    """
    with perfduck.open(store, engine=engine) as opened:
        stacks = opened.export(selector, format, base=base, per_work=per_work, **filters)
    if not stacks.is_text and sys.stdout.isatty():
        where = f"--format {format}"
        raise PerfduckError.at(where, expected="a file or a pipe (> FILE)", got="a terminal")
    _say(stacks.notes)
    sys.stdout.flush()
    stacks.write_to(sys.stdout.buffer)
