"""Event lines of `perf script`, whatever -F printed.

    V8 WorkerThread  9284/9286 [000]   870.257121:    1001001 cpu-clock:u:
    head   12454  2709.720737:    1001001 cpu-clock:  /     56236cfd6860 [unknown] (/usr/bin/head)

A sample without a chain has its one frame behind the event, perf 6.12 a cgroup before that.
"""

import polars as pl

from perfduck_ingest import perf_script_grammar as grammar
from perfduck_ingest.perf_script_grammar import Layout

_TEXTS = ("comm", "pid", "tid", "cpu", "s", "fraction", "period", "event", "rest")
_NANOSECONDS = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64)
# From the texts.
_FIELDS = (
    pl.col("code"),
    pl.col("comm").str.strip_chars(),
    pl.col("pid", "tid", "cpu").cast(pl.Int32, strict=False),
    (pl.col("s").cast(pl.Int64, strict=False) * 1_000_000_000 + _NANOSECONDS).alias("time_ns"),
    pl.col("period").cast(pl.Int64, strict=False),
    pl.col("event"),
    pl.col("rest").str.strip_chars_end(),
    pl.lit(None, pl.String).alias("cgroup"),
)


def events(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """code, comm, pid, tid, cpu, time_ns, period, event, rest and cgroup (null) of the lines that
    start a sample."""
    if not layout.has_event_lines:
        lines = lines.clear()
    candidates = lines.filter(~pl.col("text").str.contains(grammar.RECORD_LINE))
    found = _plain(candidates if layout.has_all_fields else candidates.clear())
    if len(found) < len(candidates):
        others = candidates.join(found, on="code", how="anti", maintain_order="left")
        found = pl.concat([found, _odd(others, layout)]).sort("code")
    return found


def _plain(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines that are as plain as nearly all of them."""
    groups = pl.col("text").str.extract_groups(grammar.PLAIN_EVENT).struct.unnest()
    first, second, event = map(pl.col, ("first", "second", "event"))
    return (
        lines.select("code", groups)
        .filter(event.str.ends_with(":"))
        .with_columns(
            pl.when(second.is_not_null()).then(first).alias("pid"),
            pl.coalesce(second, first).alias("tid"),
            event.str.strip_suffix(":"),
            pl.lit(None, pl.String).alias("rest"),
        )
        .select(_FIELDS)
    )


def _odd(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The lines of any layout."""
    groups = pl.col("text").str.extract_groups(layout.pattern).struct.unnest()
    found = lines.select("code", groups).filter(pl.col(layout.surest_field).is_not_null())
    missing = [pl.lit(None, pl.String).alias(f) for f in _TEXTS if f not in found.columns]
    return found.with_columns(missing).select(_FIELDS)


def entries(events: pl.DataFrame) -> pl.DataFrame:
    """The frames that stand on event lines: code, ip, body."""
    rest = pl.col("rest")
    found = events.select(
        "code",
        rest.str.extract_groups(grammar.LAST_FRAME).alias("last"),
        rest.str.extract_groups(grammar.ONLY_FRAME).alias("only"),
    )
    last, only = pl.col("last").struct, pl.col("only").struct
    return found.select(
        "code",
        pl.coalesce(last.field("ip"), only.field("ip"), only.field("bare")).alias("ip"),
        pl.coalesce(last.field("body"), only.field("body")).alias("body"),
    ).filter(pl.col("ip").is_not_null())


def with_cgroups(events: pl.DataFrame, frames: pl.DataFrame) -> pl.DataFrame:
    """perf 6.12 prints the cgroup before the frame on the event line, older ones behind it."""
    first = pl.col("rest").str.extract(grammar.FIRST_CGROUP)
    joined = events.join(
        frames.select("code", "tail"), on="code", how="left", maintain_order="left"
    )
    return joined.with_columns(pl.coalesce(first, "tail").alias("cgroup")).drop("tail")
