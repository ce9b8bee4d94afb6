"""What is hot: `top` and `calls`, and their answers."""

from dataclasses import dataclass
from typing import Generic, TypeVar

import polars as pl

from perfduck.opening import StorePlace
from perfduck.tables import TableAnswer, screen_of
from perfduck_diff import calls as call_ranking
from perfduck_diff import top as rankings
from perfduck_diff.calls import Calls
from perfduck_diff.filters import Filters
from perfduck_diff.keys import By, Side
from perfduck_diff.selection import Note
from perfduck_diff.top import RankedRows, Top
from perfduck_report import html_table
from perfduck_report import top as top_report
from perfduck_report.numbers import scale
from perfduck_report.tables import left_out

Ranked = TypeVar("Ranked", Top, Calls)


@dataclass(frozen=True, slots=True, repr=False)
class Ranking(TableAnswer, Generic[Ranked]):
    """Rows of samples, the heaviest first."""

    data: Ranked

    @property
    def frame(self) -> pl.DataFrame:
        """The rows."""
        return self.data.rows

    @property
    def unit(self) -> str:
        """Of the amounts: ns/packet, or the event's own where the work is not known."""
        return self.data.unit

    @property
    def row_count(self) -> int:
        """How many rows there are without the limit."""
        return self.data.row_count

    @property
    def left_out(self) -> str:
        """How many rows the limit left out, in words; '' where none."""
        return left_out(len(self.data.rows), self.data.row_count, top_report.LIMIT).rstrip()


@dataclass(frozen=True, slots=True, repr=False)
class TopResult(Ranking[Top]):
    """A ranking: the key's columns, then self, total and blamed in `unit`, and their share in %.
    Of a hybrid CPU every core PMU has its rows, with the column `event`, in its own unit.
    `data`: event, unit, profiles, total, idle, and what the runs are."""

    @property
    def frame(self) -> pl.DataFrame:
        """The rows."""
        return self.data.all_rows

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is merged, left out or narrowed, and what the recordings lack."""
        return (*self.data.notes, *self.data.lacking)

    def render(self, format: str, *, width: int | None = None, color: bool = False) -> str:
        """The ranking as text, markdown, csv or json."""
        return top_report.report(self.data, format, screen_of(width, color=color))

    def __repr__(self) -> str:
        return f"TopResult({len(self.data.rows)} rows, {self.data.event}, {self.data.unit})"

    def _repr_html_(self) -> str:
        return "".join(map(_html, (self.data, *self.data.other_pmus)))


def _html(top: Top) -> str:
    by = scale(top.unit, top.total)
    rows = html_table.table(top_report.titled(top_report.in_unit(top.rows, by)))
    more = left_out(len(top.rows), top.row_count, top_report.LIMIT).rstrip()
    return html_table.paragraphs(top_report.heading(top, by)) + rows + html_table.note(more)


@dataclass(frozen=True, slots=True, repr=False)
class CallsResult(Ranking[Calls]):
    """Who calls a function, or what it calls: function, dso, subsystem, total in `unit`, and its
    share of all calls in %. `data`: function, event, unit and profiles."""

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is merged, left out or narrowed, and what the recordings lack."""
        return self.data.notes

    def render(self, format: str, *, width: int | None = None, color: bool = False) -> str:
        """The calls as text, markdown, csv or json."""
        return top_report.calls_report(self.data, format, screen_of(width, color=color))

    def __repr__(self) -> str:
        return f"CallsResult({self.data.side} of {self.data.function}: {len(self.data.rows)} rows)"


def top(file: StorePlace, selector: str, by: By, limit: int, filters: Filters) -> TopResult:
    """The heaviest rows of the selected profiles, taken together."""
    with file.read() as store:
        return TopResult(rankings.top(store, selector, by, filters=filters, limit=limit))


def ranking(file: StorePlace, selector: str, by: By, limit: int, filters: Filters) -> RankedRows:
    """The same rows, without what is said beside them."""
    with file.read() as store:
        return rankings.ranked(store, selector, by, filters, limit)


def calls(
    file: StorePlace, selector: str, function: str, side: Side, limit: int, filters: Filters
) -> CallsResult:
    """The heaviest callers or callees of a function."""
    with file.read() as store:
        return CallsResult(
            call_ranking.calls(store, selector, function, side, filters=filters, limit=limit)
        )
