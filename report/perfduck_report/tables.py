"""Rows as a table, in any of the formats. Each function returns a string.

To add a format, write a function and put it into FORMATS.
"""

import csv as csv_file
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from perfduck_report import names
from perfduck_report.numbers import cell, many
from perfduck_report.screen import PIPE, Screen

_GAP = 2  # between two columns
_LONGEST = 80  # of a name in a pipe that all rows are aligned to
_LEAST = 12  # of a name: less says nothing


class Answer(Protocol):
    """Rows with named columns: a polars frame, or the store's plain rows."""

    @property
    def columns(self) -> Sequence[str]:
        """Their names."""

    def rows(self) -> list[tuple[Any, ...]]:
        """A tuple each."""


@dataclass(frozen=True, slots=True)
class PlainRows:
    """Rows that a report makes."""

    columns: Sequence[str]
    values: list[tuple[Any, ...]]

    def rows(self) -> list[tuple[Any, ...]]:
        """A tuple each."""
        return self.values


def text(answer: Answer, screen: Screen = PIPE) -> str:
    """Aligned columns. On a terminal the widest columns of text give way: paths lose their middle,
    other names go on in the next line. Numbers are never broken."""
    rows = [[names.visible(cell(value)) for value in row] for row in answer.rows()]
    return aligned(answer.columns, rows, numeric_columns(answer), screen)


def aligned(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    are_numbers: Sequence[bool],
    screen: Screen = PIPE,
) -> str:
    """The same of cells that are text already, and visible. Numbers are right-aligned."""
    heads = [names.visible(head) for head in heads]
    full_widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    widths = _widths(heads, full_widths, are_numbers, screen.width)
    if screen.width is None:
        return _piped(heads, rows, list(zip(widths, are_numbers, strict=True)))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    shape = list(zip(widths, are_numbers, strict=True))
    for width, head in zip(widths, _placed(heads, shape), strict=True):
        table.add_column(head, width=width, overflow="fold")
    for row in rows:
        table.add_row(*_placed(row, shape))
    return rendered(table, sum(widths) + _GAP * len(widths))


def _piped(
    heads: Sequence[str], rows: Sequence[Sequence[str]], shape: list[tuple[int, bool]]
) -> str:
    """Lines where nothing is cut. A name of more than _LONGEST moves the rest of its own line, not
    that of all others."""
    rule = "─" * (sum(width for width, _ in shape) + _GAP * (len(shape) - 1))
    lines = [_line(heads, shape), rule, *(_line(row, shape) for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def _line(row: Sequence[str], shape: list[tuple[int, bool]]) -> str:
    cells = []
    for text, (width, is_number) in zip(row, shape, strict=True):
        blanks = " " * (width - cell_len(text))
        cells.append(f"{blanks}{text}" if is_number else f"{text}{blanks}")
    return (" " * _GAP).join(cells).rstrip()


def _placed(row: Sequence[str], shape: list[tuple[int, bool]]) -> list[Text]:
    """Text, not strings: rich would look for its own markup and for emoji in these."""
    return [
        Text(cell.rjust(width) if is_number else _shortened(cell, width))
        for cell, (width, is_number) in zip(row, shape, strict=True)
    ]


def _widths(
    heads: Sequence[str], wanted: list[int], are_numbers: Sequence[bool], room: int | None
) -> list[int]:
    """What each column gets: on a terminal the widest names give way until all fits."""
    least = [size if number else min(size, max(cell_len(head), _LEAST))
             for size, number, head in zip(wanted, are_numbers, heads, strict=True)]  # fmt: skip
    if room is None:
        return [size if number else min(size, _LONGEST)
                for size, number in zip(wanted, are_numbers, strict=True)]  # fmt: skip
    widths = list(wanted)
    others = range(1, len(widths))
    for columns in (others, range(len(widths))):  # the first, which says what a row is, at last
        while sum(widths) + _GAP * (len(widths) - 1) > room:
            spare = [column for column in columns if widths[column] > least[column]]
            if not spare:
                break
            widths[max(spare, key=lambda column: widths[column])] -= 1
    return widths


def _shortened(text: str, width: int) -> str:
    """A path of files without its middle where it does not fit: /usr/…/libc.so.6."""
    if cell_len(text) <= width or not text.startswith("/"):
        return text
    head, _, last = text.rpartition("/")
    beginning = head[: max(0, width - len(last) - 2)]
    return f"{beginning}…/{last}"


def rendered(table: Table, width: int) -> str:
    """What rich makes of a table, without colour and trailing blanks."""
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False, emoji=False)
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def left_out(shown: int, there_are: int, how: str) -> str:
    """A line below a table that has not all rows, with how to see them; '' below one that has."""
    return "" if shown >= there_are else f"{shown:,} of {many(there_are, 'row')}: {how}\n"


def markdown(answer: Answer, _: Screen = PIPE) -> str:
    """A table of GitHub's markdown."""
    rule = ["---:" if is_number else "---" for is_number in numeric_columns(answer)]
    rows = [[_markdown_cell(value) for value in row] for row in answer.rows()]
    heads = [names.markdown_text(head) for head in answer.columns]
    return markdown_rows([heads, rule, *rows])


def markdown_rows(rows: Sequence[Sequence[str]]) -> str:
    """Lines of a table; the second is the rule below the heading."""
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def csv(answer: Answer, _: Screen = PIPE) -> str:
    """Comma-separated values with a heading; lists and maps as JSON."""
    out = io.StringIO()
    writer = csv_file.writer(out, lineterminator="\n")
    writer.writerow([names.csv(head) for head in answer.columns])
    writer.writerows([_csv_cell(value) for value in row] for row in answer.rows())
    return out.getvalue()


def dicts(answer: Answer) -> list[dict[str, Any]]:
    """The rows by the names of their columns."""
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows()]


def as_json(answer: Answer, _: Screen = PIPE) -> str:
    """A list of objects."""
    return names.as_json(dicts(answer))


def numeric_columns(answer: Answer) -> list[bool]:
    """Whether a column holds numbers and nothing else."""
    columns = zip(*answer.rows(), strict=True) if answer.rows() else ((),) * len(answer.columns)
    kinds = [{type(value) for value in column} - {type(None)} for column in columns]
    return [bool(kind) and kind <= {int, float, Decimal} for kind in kinds]


def _csv_cell(value: object) -> object:
    if isinstance(value, bool | list | dict):
        return names.as_json(value, indent=None).rstrip("\n")
    if isinstance(value, datetime):
        return value.isoformat()
    return (
        value
        if value is None or isinstance(value, int | float | Decimal)
        else names.csv(str(value))
    )


def _markdown_cell(value: object) -> str:
    shown = cell(value)
    return names.markdown(shown) if isinstance(value, str | dict | list | bytes) else shown


FORMATS: dict[str, Callable[[Answer, Screen], str]] = {
    "text": text,
    "table": text,
    "markdown": markdown,
    "csv": csv,
    "json": as_json,
}
