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
_GAP = 3  # between two columns
_LEAST = 12  # of a name: less says nothing


class Answer(Protocol):
    """Rows with named columns: a polars frame, or the store's plain rows."""

    @property
    def columns(self) -> Sequence[str]:
        """Their names."""

    def rows(self) -> list[tuple[Any, ...]]:
        """A tuple each."""


def text(answer: Answer, *, width: int = WIDTH) -> str:
    """Aligned columns. Numbers are whole; names that are too long for the rest are cut, paths in
    front."""
    cells = [[cell(value) for value in row] for row in answer.rows()]
    are_numbers = _are_numbers(answer)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    widths = _widths(answer.columns, cells, are_numbers, width)
    for name, is_number in zip(answer.columns, are_numbers, strict=True):
        table.add_column(_cut(name, len(name)), justify="right" if is_number else "left")
    for row in cells:
        table.add_row(*(_escaped(_cut(*pair)) for pair in zip(row, widths, strict=True)))
    return rendered(table, width=max(width, sum(widths) + _GAP * len(widths)))


def _widths(
    names: Sequence[str], cells: list[list[str]], are_numbers: Sequence[bool], width: int
) -> list[int]:
    """What each column gets: the widest names give way until all fits."""
    widths = [max(len(text) for text in column) for column in zip(names, *cells, strict=True)]
    least = [size if number else min(size, max(len(name), _LEAST))
             for size, number, name in zip(widths, are_numbers, names, strict=True)]  # fmt: skip
    room = width - _GAP * (len(widths) - 1)
    while sum(widths) > room and widths != least:
        spare = [size - low for size, low in zip(widths, least, strict=True)]
        widest = max(range(len(widths)), key=lambda i: (spare[i] > 0, widths[i]))
        widths[widest] -= 1
    return widths


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    return f"…{text[len(text) - width + 1 :]}" if text[0] == "/" else f"{text[: width - 1]}…"


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
