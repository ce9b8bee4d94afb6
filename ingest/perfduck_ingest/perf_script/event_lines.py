"""Event lines of `perf script`, for any -F.

    V8 WorkerThread  9284/9286 [000]   870.257121:    1001001 cpu-clock:u:
    head   12454  2709.720737:    1001001 cpu-clock:  /     56236cfd6860 [unknown] (/usr/bin/head)

A sample without a chain has its one frame behind the event, perf 6.12 a cgroup before that.
"""

import polars as pl

from perfduck_ingest.perf_script import grammar
from perfduck_ingest.perf_script.layout import LineLayout

_TEXTS = ("comm", "pid", "tid", "cpu", "s", "fraction", "period", "event", "rest")
_MOST_SECONDS = (1 << 63) // 1_000_000_000 - 1
_MOST_PRINTED_SECONDS = (1 << 64) // 1_000_000_000  # perf has 64 bits for the time
BEYOND = -(1 << 63)  # in place of a time or period of 64 bits
_NANOSECONDS = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64)
_NUMBERS = ("pid", "tid", "cpu", "s", "period")
# From the texts.
_NUMBERS_FROM_TEXT = (
    pl.col("pid", "tid", "cpu").cast(pl.Int32, strict=False),
    pl.col("s").cast(pl.Int64, strict=False),
    pl.col("period").str.strip_chars_start().cast(pl.Int64, strict=False),
)
_FIELDS = (
    pl.col("code"),
    pl.col("comm").str.strip_chars(),
    pl.col("pid", "tid", "cpu"),
    (pl.col("s") * 1_000_000_000 + _NANOSECONDS).alias("time_ns"),
    pl.col("period"),
    pl.col("event"),
    pl.col("rest").str.strip_chars_end(),
    pl.lit(None, pl.String).alias("cgroup"),
    pl.lit(None, pl.Int64).alias("netns"),
)
_COMM_BYTES = 15  # TASK_COMM_LEN of the kernel, without the NUL
# A record, or the metrics of a sample, behind the fields that samples have; or read as their comm.
_IS_OTHER = (
    pl.col("event").str.starts_with("PERF_RECORD_").fill_null(value=False)
    | pl.col("rest").str.contains(grammar.OTHER_REST).fill_null(value=False)
    | (
        pl.col("comm").str.contains(grammar.OTHER_COMM)
        & (pl.col("comm").str.len_bytes() > _COMM_BYTES)
    ).fill_null(value=False)
)


def events(lines: pl.DataFrame, layout: LineLayout) -> pl.DataFrame:
    """code, comm, pid, tid, cpu, time_ns, period, event, rest and cgroup (null) of the lines that
    start a sample."""
    if not layout.has_event_lines:
        lines = lines.clear()
    rows = _plain(lines if layout.is_plain else lines.clear())
    if len(rows) < len(lines):
        others = lines.join(rows, on="code", how="anti", maintain_order="left")
        rows = pl.concat([rows, _odd(others, layout).filter(~_IS_OTHER)]).sort("code")
    return rows


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
        .pipe(_typed)
    )


def _odd(lines: pl.DataFrame, layout: LineLayout) -> pl.DataFrame:
    """The lines of any layout, with times of any precision."""
    rows = _matching(lines, layout)
    if layout.loose != layout and len(rows) < len(lines):
        others = lines.join(rows, on="code", how="anti", maintain_order="left")
        rows = pl.concat([rows, _matching(others, layout.loose)])
    return rows


def _matching(lines: pl.DataFrame, layout: LineLayout) -> pl.DataFrame:
    """The lines with all fields of the layout."""
    groups = pl.col("text").str.extract_groups(layout.pattern).struct.unnest()
    rows = lines.select("code", groups).filter(pl.col(layout.surest_field).is_not_null())
    missing = [pl.lit(None, pl.String).alias(f) for f in _TEXTS if f not in rows.columns]
    comm = pl.col("comm").fill_null("") if layout.may_lack_comm else pl.col("comm")
    return _typed(rows.with_columns(missing).with_columns(comm))


def _typed(rows: pl.DataFrame) -> pl.DataFrame:
    """The fields as numbers."""
    numbers = rows.with_columns(_NUMBERS_FROM_TEXT)
    is_beyond = any(numbers[name].null_count() > rows[name].null_count() for name in _NUMBERS)
    if is_beyond or (numbers["s"].abs() > _MOST_SECONDS).any():
        return _large(rows, numbers)
    return numbers.select(_FIELDS)


def _large(texts: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """The same where a number is beyond its column: BEYOND for a time or period of 64 bits, no line
    where perf prints none such."""
    unsigned = texts["period"].str.strip_chars_start().cast(pl.UInt64, strict=False)
    is_large = numbers["period"].is_null() & unsigned.is_not_null()
    numbers = numbers.with_columns(
        pl.when(is_large).then(BEYOND).otherwise("period").alias("period")
    )
    fits = [numbers[name].is_not_null() | texts[name].is_null() for name in _NUMBERS]
    seconds = pl.col("s").abs()
    is_printed = (seconds <= _MOST_PRINTED_SECONDS).fill_null(value=True)
    is_late = (seconds > _MOST_SECONDS).fill_null(value=False)
    return (
        numbers.filter(*fits, is_printed)
        .with_columns(is_late.alias("is_late"))
        .select(*_FIELDS, "is_late")
        .with_columns(pl.when("is_late").then(BEYOND).otherwise("time_ns").alias("time_ns"))
        .drop("is_late")
    )


def entries(events: pl.DataFrame, layout: LineLayout) -> pl.DataFrame:
    """The frames that stand on event lines: code, ip, body."""
    rest = without_tail(pl.col("rest"))
    pattern = grammar.LAST_FRAME if layout.dso else grammar.LAST_FRAME_WITHOUT_DSO
    last, only = pl.col("last").struct, pl.col("only").struct
    rows = events.select(
        "code",
        rest.str.extract_groups(pattern).alias("last"),
        rest.str.extract_groups(grammar.ONLY_FRAME).alias("only"),
    )
    return rows.select(
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
