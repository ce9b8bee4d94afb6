"""Costs over commits, time or a label: `trend`, and its answer."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from perfduck.git_history import commit_places
from perfduck.opening import StorePlace
from perfduck.tables import PrintedAnswer, screen_of
from perfduck_diff.filters import Filters
from perfduck_diff.keys import SeriesKey
from perfduck_diff.trend import trend as ask
from perfduck_diff.trend_points import COMMIT
from perfduck_diff.trend_result import Trend
from perfduck_model.errors import PerfduckError
from perfduck_report import html_table, trend_words
from perfduck_report import trend as report
from perfduck_report.formats import TrendFormat

_STEP = ("series", "base", "new", "delta", "low", "high", "p", "q", "points", "state", "until")


@dataclass(frozen=True, slots=True, repr=False)
class TrendResult(PrintedAnswer):
    """Series of costs, and where their level changed; `data` is the whole answer, typed."""

    data: Trend

    @property
    def points(self) -> pl.DataFrame:
        """A row for each point of each series: group, point, at, runs, series, cost, spread, unit;
        `spread` is the standard deviation between the runs of a point."""
        rows = [
            (_title(group.labels), point.value, point.at, len(point.runs), series.name,
             series.costs[place], series.spreads[place], group.unit)
            for group in self.data.groups
            for series in group.series
            for place, point in enumerate(group.points)
        ]  # fmt: skip
        schema = {"group": pl.String, "point": pl.String, "at": pl.String, "runs": pl.Int64,
                  "series": pl.String, "cost": pl.Float64, "spread": pl.Float64,
                  "unit": pl.String}  # fmt: skip
        return pl.DataFrame(rows, schema=schema, orient="row")

    @property
    def changes(self) -> pl.DataFrame:
        """A row for each step: group, before, at (points), series, base, new, delta, low, high
        (95 %, in `unit`), p, q, points, state, until, unit. Cost that shifted is among them."""
        rows = [
            (_title(group.labels), change.before, change.at,
             *(getattr(step, name) for name in _STEP), group.unit)
            for group in self.data.groups
            for change in group.changes
            for step in trend_words.all_steps(change)
        ]  # fmt: skip
        numbers = dict.fromkeys(("base", "new", "delta", "low", "high", "p", "q"), pl.Float64)
        kinds = numbers | {"points": pl.Int64}
        names = ("group", "before", "at", *_STEP, "unit")
        schema = {name: kinds.get(name, pl.String) for name in names}
        return pl.DataFrame(rows, schema=schema, orient="row")

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out, and why the answer may be worth less."""
        reasons = [each.text for group in self.data.groups for each in group.reasons]
        return (*self.data.notes, *dict.fromkeys(reasons))

    def render(self, format: TrendFormat, *, width: int | None = None, color: bool = False) -> str:
        """The trend as text, markdown, csv, json or html."""
        return report.FORMATS[format](self.data, screen_of(width, color=color))

    def to_html(self) -> str:
        """A page with a chart of each series: one file that asks no network for anything."""
        return self.render("html")

    def __repr__(self) -> str:
        return f"TrendResult({trend_words.verdict(self.data)})"

    def _repr_html_(self) -> str:
        lines = [trend_words.verdict(self.data), *self.notes]
        return html_table.paragraphs(lines) + html_table.table(self.changes)


def _title(labels: dict[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in labels.items())


def trend(
    file: StorePlace,
    selector: str,
    over: str,
    by: SeriesKey,
    repo: Path | None,
    filters: Filters,
) -> TrendResult:
    """The trend of the selected profiles."""
    if repo is not None and over != COMMIT:
        raise PerfduckError.at(where=f"--repo {repo}", expected="--over commit", got=over)
    commits = None if repo is None else partial(commit_places, repo)
    with file.read() as store:
        return TrendResult(ask(store, selector, over, by=by, filters=filters, commits=commits))
