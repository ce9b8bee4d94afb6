"""A frame as a table, in any of the formats. Each function returns a string.

To add a format, write a function and put it into FORMATS.
"""

import io
import json
from collections.abc import Callable
from typing import Any

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from perfduck_report.numbers import cell

WIDTH = 100  # of text that is not for a terminal
_NUMBERS = (pl.Int64, pl.Int32, pl.Float64, pl.Decimal)


def text(frame: pl.DataFrame, *, width: int = WIDTH) -> str:
    """Aligned columns; long names are cut in the middle of nothing: they end in '…'."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, kind in frame.schema.items():
        is_number = kind in _NUMBERS
        table.add_column(
            name,
            justify="right" if is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=len(name) if is_number else None,
        )
    for row in frame.iter_rows():
        table.add_row(*(_escaped(cell(value)) for value in row))
    return rendered(table, width=width)


def rendered(table: Table, *, width: int = WIDTH) -> str:
    """What rich makes of a table, without colour and trailing blanks."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, highlight=False).print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def markdown(frame: pl.DataFrame) -> str:
    """A table of GitHub's markdown."""
    rule = ["---:" if kind in _NUMBERS else "---" for kind in frame.dtypes]
    rows = [[_escaped_markdown(cell(value)) for value in row] for row in frame.iter_rows()]
    return "".join(f"| {' | '.join(row)} |\n" for row in [frame.columns, rule, *rows])


def csv(frame: pl.DataFrame) -> str:
    """Comma-separated values with a heading; lists and maps as JSON."""
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    flat = frame.with_columns(
        pl.Series(name, [_json_or_none(value) for value in frame[name].to_list()], pl.String)
        for name in nested
    )
    return flat.write_csv()


def as_json(frame: pl.DataFrame) -> str:
    """A list of objects."""
    return json.dumps(frame.to_dicts(), indent=1, default=_plain, ensure_ascii=False) + "\n"


def _json_or_none(value: Any) -> str | None:
    return None if value is None else json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    return str(value)


def _escaped(value: str) -> str:
    return value.replace("[", r"\[")


def _escaped_markdown(value: str) -> str:
    return value.replace("|", r"\|").replace("<", "&lt;")


FORMATS: dict[str, Callable[[pl.DataFrame], str]] = {
    "text": text,
    "table": text,
    "markdown": markdown,
    "csv": csv,
    "json": as_json,
}
