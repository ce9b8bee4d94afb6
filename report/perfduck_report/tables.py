"""Rows as a table, in any of the formats. Each function returns a string.

To add a format, write a function and put it into FORMATS.
"""

import csv as csv_file
import io
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from rich import box
from rich.console import Console
from rich.table import Table

from perfduck_report.numbers import cell

WIDTH = 100  # of text that is not for a terminal


class Answer(Protocol):
    """Rows with named columns: a polars frame, or the store's plain rows."""

    @property
    def columns(self) -> Sequence[str]:
        """Their names."""

    def rows(self) -> list[tuple[Any, ...]]:
        """A tuple each."""


def text(answer: Answer, *, width: int = WIDTH) -> str:
    """Aligned columns; long names are cut in the middle of nothing: they end in '…'."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, is_number in zip(answer.columns, _are_numbers(answer), strict=True):
        table.add_column(
            name,
            justify="right" if is_number else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=len(name) if is_number else None,
        )
    for row in answer.rows():
        table.add_row(*(_escaped(cell(value)) for value in row))
    return rendered(table, width=width)


def rendered(table: Table, *, width: int = WIDTH) -> str:
    """What rich makes of a table, without colour and trailing blanks."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, highlight=False).print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def markdown(answer: Answer) -> str:
    """A table of GitHub's markdown."""
    rule = ["---:" if is_number else "---" for is_number in _are_numbers(answer)]
    rows = [[_escaped_markdown(cell(value)) for value in row] for row in answer.rows()]
    return "".join(f"| {' | '.join(row)} |\n" for row in [answer.columns, rule, *rows])


def csv(answer: Answer) -> str:
    """Comma-separated values with a heading; lists and maps as JSON."""
    out = io.StringIO()
    writer = csv_file.writer(out, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([_csv_cell(value) for value in row] for row in answer.rows())
    return out.getvalue()


def as_json(answer: Answer) -> str:
    """A list of objects."""
    objects = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows()]
    return json.dumps(objects, indent=1, default=_plain, ensure_ascii=False) + "\n"


def _are_numbers(answer: Answer) -> list[bool]:
    """Whether a column holds numbers and nothing else."""
    columns = zip(*answer.rows(), strict=True) if answer.rows() else ((),) * len(answer.columns)
    kinds = [{type(value) for value in column} - {type(None)} for column in columns]
    return [bool(kind) and kind <= {int, float, Decimal} for kind in kinds]


def _csv_cell(value: object) -> object:
    if isinstance(value, bool | list | dict):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return value.isoformat() if isinstance(value, datetime) else value


def _plain(value: object) -> object:
    return str(value)


def _escaped(value: str) -> str:
    return value.replace("[", r"\[")


def _escaped_markdown(value: str) -> str:
    return value.replace("|", r"\|").replace("<", "&lt;")


FORMATS: dict[str, Callable[[Answer], str]] = {
    "text": text,
    "table": text,
    "markdown": markdown,
    "csv": csv,
    "json": as_json,
}
