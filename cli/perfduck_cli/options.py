"""Options that several commands share, and those that are numbers: what they accept, and what they
say to anything else. Light: printing the help must not load polars.

    limit: Annotated[int, typer.Option(parser=whole(1), help="Rows.")] = 30
    perfduck: --limit: expected a whole number of 1 or more, got 0
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from perfduck import typed as typed_values

_N = TypeVar("_N", int, float)
_MOST = 10**18
LONGEST_S = 1e6  # of what waits; a thread cannot wait for 1e10


def whole(least: int, most: int = _MOST) -> Callable[[str | int], int]:
    """A parser of whole numbers from `least` to `most`."""

    def parse(typed: str | int) -> int:
        return _checked(typed, typed_values.whole_number, least, most, "whole number")

    return parse


def number(least: float = -_MOST, most: float = _MOST) -> Callable[[str | float], float]:
    """A parser of numbers from `least` to `most`."""

    def parse(typed: str | float) -> float:
        return _checked(typed, typed_values.number, least, most, "number")

    return parse


def _checked(
    typed: str | _N, read: Callable[[str], _N], least: _N, most: _N, kind: str
) -> _N:  # fmt: skip
    """The number; a default is one already. ValueError in the words of a usage error."""
    try:
        value = read(typed) if isinstance(typed, str) else typed
        if least <= value <= most:
            return value
    except ValueError:
        pass
    message = f"expected a {kind}{_within(least, most)}, got {typed or 'nothing'}"
    raise ValueError(message)


def _within(least: float, most: float) -> str:
    if most != _MOST:
        return f" from {least:,} to {most:,.0f}"
    return "" if least == -_MOST else f" of {least:,} or more"


StorePath = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="PERFDUCK_STORE",
        metavar="PATH|URL",
        help="The store: a DuckDB file, or http://HOST:PORT of a perfduck server.",
        show_default=True,
    ),
]
DEFAULT_STORE = "perfduck.duckdb"

TableFormat = Literal["text", "markdown", "csv", "json"]
Format = Annotated[TableFormat, typer.Option("--format", help="How to print.")]
Selector = Annotated[
    str,
    typer.Argument(
        help="Profiles: a name, a glob, label=value[,label=value], id:HEX, or A+B. In double quotes"
        ' + , = * ? [ are themselves: \'"c++"+"run[1]"\'.'
    ),
]
EventName = Annotated[
    str | None,
    typer.Option("--event", help="Event to look at; default: the one that most profiles have."),
]
Rules = Annotated[
    Path | None, typer.Option(help="Your own tag rules, CSV or TOML, in front of the shipped ones.")
]
Kallsyms = Annotated[
    Path | None, typer.Option(help="/proc/kallsyms of the recorded boot, or System.map.")
]
Vmlinux = Annotated[Path | None, typer.Option(help="vmlinux of the recorded kernel, with DWARF.")]
Symbols = Annotated[
    list[Path] | None,
    typer.Option(help="Directory of ELF files with symbols, or one file."),
]
