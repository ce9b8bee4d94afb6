"""What the rows of a report add up to, in opreport's words until the last moment.

column  image     app     symbol                count
0       kallsyms  iperf3  ipt_do_table             118
0       libc.so.6 iperf3  write                    210
"""

from collections.abc import Sequence

import polars as pl
from msgspec import Struct, field

from perfduck_ingest.oprofile import names
from perfduck_ingest.oprofile.events import Counter, described
from perfduck_ingest.oprofile.rows import ARC, HIT, to_batch
from perfduck_model.batch import Batch, Facts

Columns = list[tuple[Counter, int | None]]
_ROUNDING = 5e-5  # of a percentage with four digits
_COUNTED = {"column": pl.Int64, "image": pl.String, "app": pl.String, "symbol": pl.String}
_HIT = {**_COUNTED, "pid": pl.Int64, "tid": pl.Int64, "offset": pl.Int64, "count": pl.Int64}
_ARC = {**_COUNTED, "callee_image": pl.String, "callee": pl.String, "count": pl.Int64}


_Hit = tuple[int, str, str, str, int | None, int | None, int | None, int]


class ReportCounts(Struct):
    """Rows as they are read: hits, arcs, what was not understood, and the share that was listed."""

    hits: list[_Hit] = field(default_factory=list)
    arcs: list[tuple[int, str, str, str, str, str, int]] = field(default_factory=list)
    details: list[_Hit] = field(default_factory=list)  # hits again, distinguished by offset
    skipped: list[tuple[int, str, str]] = field(default_factory=list)
    shares: dict[int, float] = field(default_factory=dict)  # column -> sum of its percentages

    def hit(
        self,
        counts: Sequence[int],
        *,
        image: str,
        app: str,
        symbol: str,
    ) -> None:
        """Count a function, a number a column."""
        self.hits += _rows(counts, image, app, symbol, None)

    def detail(
        self, counts: Sequence[int], *, image: str, app: str, symbol: str, offset: int
    ) -> None:
        """Note at which offset in a function samples that are counted as hits were taken."""
        self.details += _rows(counts, image, app, symbol, offset)

    def drop_apps(self) -> None:
        """Forget the applications: their column held images."""
        self.hits = [(c, image, "", *rest) for c, image, _, *rest in self.hits]  # type: ignore[misc]

    def arc(
        self, counts: Sequence[int], *, image: str, app: str, symbol: str, to: tuple[str, str]
    ) -> None:
        """Count the calls of a function to another one, (image, symbol)."""
        for column, count in enumerate(counts):
            if count:
                self.arcs.append((column, image, app, symbol, *to, count))

    def share(self, percents: Sequence[float]) -> None:
        """Note how much of the column totals a row represents."""
        for column, percent in enumerate(percents):
            self.shares[column] = self.shares.get(column, 0.0) + percent

    def batch(self, name: str, columns: Columns, axis: str | None, facts: Facts) -> Batch:
        """Everything as one part of the profile `name`. `axis` is what the columns differ in: cpu,
        pid, tid, or None for the event."""
        hits = pl.DataFrame(self.hits, schema=_HIT, orient="row")
        arcs = pl.DataFrame(self.arcs, schema=_ARC, orient="row")
        details = pl.DataFrame(self.details, schema=_HIT, orient="row")
        return to_batch(
            name,
            _hits(hits, columns, axis),
            _arcs(arcs, columns),
            skipped=self.skipped,
            facts=facts,
            details=_hits(details, columns, axis),
        )

    def raw_samples(self) -> int | None:
        """How many samples opreport made its percentages of, if more than the rows hold."""
        listed: dict[int, list[int]] = {}
        for column, *_, count in self.hits:
            listed.setdefault(column, []).append(count)
        missing = 0
        for column, counts in listed.items():
            share = self.shares.get(column, 100.0)
            if 0 < share < 100 - _ROUNDING * (1 + len(counts)):
                missing += round(sum(counts) * 100 / share) - sum(counts)
        return sum(map(sum, listed.values())) + missing if missing else None


def _rows(
    counts: Sequence[int], image: str, app: str, symbol: str, offset: int | None
) -> list[_Hit]:
    return [
        (column, image, app, symbol, None, None, offset, count)
        for column, count in enumerate(counts)
        if count
    ]


def facts_of(columns: Columns) -> Facts:
    """The events of a report."""
    return Facts(tool="OProfile", events=described([counter for counter, _ in columns]))


def _with_columns(rows: pl.DataFrame, columns: Columns, axis: str | None) -> pl.DataFrame:
    """Put event, period and the value of the axis in the place of the column number."""
    meanings = pl.DataFrame(
        {
            "column": range(len(columns)),
            "event": [counter.event for counter, _ in columns],
            "one": [counter.period for counter, _ in columns],
            f"axis_{axis}": [value for _, value in columns],
        },
        schema_overrides={"column": pl.Int64, "one": pl.Float64},
    )
    rows = rows.join(meanings, on="column", how="left", maintain_order="left")
    return rows.with_columns(period=pl.col("one") * pl.col("count"))


def _hits(rows: pl.DataFrame, columns: Columns, axis: str | None) -> pl.DataFrame:
    rows = _named(_with_columns(rows, columns, axis), "image", "symbol", "")
    comms = {app: names.comm_of_app(app) if app else None for app in rows["app"].unique()}
    if axis in ("pid", "tid"):
        rows = rows.with_columns(pl.col(f"axis_{axis}").alias(axis))
    cpu = pl.col("axis_cpu") if axis == "cpu" else pl.lit(None)
    return (
        rows.with_columns(
            pl.col("app").replace_strict(comms, return_dtype=pl.String).alias("comm"),
            pl.lit(None, pl.Int64).alias("address"),
            cpu.alias("cpu"),
        )
        .select(*HIT)
        .cast(pl.Schema(HIT))
    )


def _arcs(rows: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    rows = _named(_with_columns(rows, columns, None), "image", "symbol", "caller_")
    rows = _named(rows, "callee_image", "callee", "callee_")
    no_address = pl.lit(None, pl.Int64)
    rows = rows.with_columns(caller_address=no_address, callee_address=no_address)
    return rows.select(*ARC).cast(pl.Schema(ARC))


def _named(rows: pl.DataFrame, image: str, symbol: str, prefix: str) -> pl.DataFrame:
    """Add name and dso. Each distinct pair is looked at once."""
    pairs = rows.select(image, symbol).unique()
    names_and_dsos = [names.of_report(*pair) for pair in pairs.iter_rows()]
    pairs = pairs.with_columns(
        pl.Series(f"{prefix}name", [name for name, _ in names_and_dsos], pl.String),
        pl.Series(f"{prefix}dso", [dso for _, dso in names_and_dsos], pl.String),
    )
    return rows.join(pairs, on=[image, symbol], how="left", maintain_order="left")
