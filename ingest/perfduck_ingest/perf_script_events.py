"""Event lines of `perf script`, whatever -F printed.

    V8 WorkerThread  9284/9286 [000]   870.257121:    1001001 cpu-clock:u:
    head   12454  2709.720737:    1001001 cpu-clock:  /     56236cfd6860 [unknown] (/usr/bin/head)

A sample without a chain has its one frame behind the event, perf 6.12 a cgroup before that.
"""

import polars as pl

from perfduck_ingest import perf_script_grammar as grammar
from perfduck_ingest.perf_script_layout import Layout

_TEXTS = ("comm", "pid", "tid", "cpu", "s", "fraction", "period", "event", "rest")
_MOST_SECONDS = (1 << 63) // 1_000_000_000 - 1
_NANOSECONDS = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64)
_PERIOD = pl.col("period").str.strip_chars_start()
_SECONDS = pl.col("s").cast(pl.Int64, strict=False)
# From the texts.
_FIELDS = (
    pl.col("code"),
    pl.col("comm").str.strip_chars(),
    pl.col("pid", "tid", "cpu").cast(pl.Int32, strict=False),
    (_SECONDS * 1_000_000_000 + _NANOSECONDS).alias("time_ns"),
    _PERIOD.cast(pl.Int64, strict=False),
    pl.col("event"),
    pl.col("rest").str.strip_chars_end(),
    pl.lit(None, pl.String).alias("cgroup"),
)
# A number that its column cannot hold: the line is none that perf prints.
_FITS = pl.all_horizontal(
    *(
        pl.col(name).is_null()
        | pl.col(name).str.strip_chars_start().cast(kind, strict=False).is_not_null()
        for name, kind in (
            ("pid", pl.Int32),
            ("tid", pl.Int32),
            ("cpu", pl.Int32),
            ("period", pl.Int64),
        )
    ),
    pl.col("s").is_null() | (_SECONDS.abs() <= _MOST_SECONDS),
)


def events(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """code, comm, pid, tid, cpu, time_ns, period, event, rest and cgroup (null) of the lines that
    start a sample."""
    if not layout.has_event_lines:
        lines = lines.clear()
    text = pl.col("text")
    is_other = text.str.contains(grammar.RECORD_LINE) | text.str.contains(grammar.METRIC_LINE)
    candidates = lines.filter(~is_other)
    found = _plain(candidates if layout.is_plain else candidates.clear())
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
        .filter(_FITS)
        .select(_FIELDS)
    )


def _odd(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The lines of any layout, with times of any precision."""
    found = _matching(lines, layout)
    if layout.loose != layout and len(found) < len(lines):
        others = lines.join(found, on="code", how="anti", maintain_order="left")
        found = pl.concat([found, _matching(others, layout.loose)])
    return found


def _matching(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The lines with all fields of the layout."""
    groups = pl.col("text").str.extract_groups(layout.pattern).struct.unnest()
    found = lines.select("code", groups).filter(pl.col(layout.surest_field).is_not_null())
    missing = [pl.lit(None, pl.String).alias(f) for f in _TEXTS if f not in found.columns]
    comm = pl.col("comm").fill_null("") if layout.may_lack_comm else pl.col("comm")
    return found.with_columns(missing).with_columns(comm).filter(_FITS).select(_FIELDS)


def entries(events: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The frames that stand on event lines: code, ip, body."""
    rest = without_tail(pl.col("rest"))
    pattern = grammar.LAST_FRAME if layout.dso else grammar.LAST_FRAME_WITHOUT_DSO
    last, only = pl.col("last").struct, pl.col("only").struct
    found = events.select(
        "code",
        rest.str.extract_groups(pattern).alias("last"),
        rest.str.extract_groups(grammar.ONLY_FRAME).alias("only"),
    )
    return found.select(
        "code",
        pl.coalesce(last.field("ip"), last.field("short"), only.field("ip"), only.field("bare"))
        .str.strip_chars()
        .alias("ip"),
        pl.coalesce(last.field("body"), only.field("body")).alias("body"),
    ).filter(pl.col("ip").is_not_null())


def without_tail(text: pl.Expr) -> pl.Expr:
    """The text without what perf prints behind the frame on it."""
    for pattern, replacement in grammar.BEHIND_FRAME:
        text = text.str.replace(pattern, replacement)
    return text


def with_cgroups(events: pl.DataFrame, frames: pl.DataFrame) -> pl.DataFrame:
    """perf 6.12 prints the cgroup before the frame on the event line, older ones behind it."""
    first = pl.col("rest").str.extract(grammar.FIRST_CGROUP)
    joined = events.join(
        frames.select("code", "tail"), on="code", how="left", maintain_order="left"
    )
    return joined.with_columns(pl.coalesce(first, "tail").alias("cgroup")).drop("tail")
