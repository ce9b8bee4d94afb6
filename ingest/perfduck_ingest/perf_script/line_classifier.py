"""The distinct lines of `perf script` text: what each is, and what it says."""

import numpy as np
import polars as pl

from perfduck_ingest.perf_script import event_lines, frame_lines, grammar
from perfduck_ingest.perf_script.frame_table import (
    ASIDE,
    BLANK,
    CGROUP,
    EVENT,
    FRAME,
    LOST,
    UNKNOWN,
    FrameTable,
)
from perfduck_ingest.perf_script.layout import LineLayout
from perfduck_ingest.perf_script.line_ranges import DsoRanges
from perfduck_model.arrays import UInt32

_TEXT = pl.col("text")


def _kind_of_other(layout: LineLayout) -> pl.Expr:
    """The kind of a line that starts no sample."""
    is_frame = _TEXT.str.contains(grammar.FRAME)
    is_aside = _TEXT.str.contains(grammar.ASIDE) | _TEXT.str.contains(grammar.COMMENT)
    if layout.tabs:
        is_frame &= _TEXT.str.starts_with("\t")
        is_aside |= _TEXT.str.contains(grammar.ASIDE_BESIDE_TABS)
    is_aside |= _TEXT.str.contains(grammar.BRANCH_LIST) & ~is_frame
    return (
        pl.when(_TEXT.str.contains(grammar.BLANK))
        .then(BLANK)
        .when(_TEXT.str.contains(grammar.LOST))
        .then(LOST)
        .when(is_aside)
        .then(ASIDE)
        .when(is_frame)
        .then(FRAME)
        .when(_TEXT.str.contains(grammar.CGROUP))
        .then(CGROUP)
        .otherwise(UNKNOWN)
        .alias("kind")
    )


def classified(
    texts: pl.Series, layout: LineLayout, known: FrameTable, ranges: DsoRanges
) -> tuple[UInt32, pl.DataFrame]:
    """The codes of these lines, and the fields of the event lines among them, in their order:
    comm, pid, tid, cpu, time_ns, period, event, rest, cgroup."""
    table = pl.DataFrame({"code": np.arange(len(texts)), "text": texts})
    is_tabbed = texts.str.starts_with("\t")
    frames = frame_lines.plain(table.filter(is_tabbed), layout)
    events = event_lines.events(table.filter(~is_tabbed), layout)
    kinds = np.full(len(texts), UNKNOWN, np.uint32)
    kinds[frames["code"]] = FRAME
    kinds[events["code"]] = EVENT
    entries = []
    odd = table.filter(kinds == UNKNOWN)
    if len(odd):
        odd = odd.with_columns(_kind_of_other(layout))
        kinds[odd["code"]] = odd["kind"]
        entries.append(_entries(odd.filter(kind=FRAME)))
    with_rest = events.filter(pl.col("rest").str.len_bytes() > 0)
    if len(with_rest):
        entries.append(event_lines.entries(with_rest, layout))
    if entries:
        others = frame_lines.odd(pl.concat(entries), layout)
        frames = pl.concat([frames, ranges.completed(others)])
    at = frames["code"].to_numpy()
    kinds[at] = known.codes(frames.with_columns(kind=kinds[at]))
    if len(with_rest):
        events = event_lines.with_cgroups(events, frames)
    return kinds, events


def _entries(lines: pl.DataFrame) -> pl.DataFrame:
    """code, ip and body of frames that have a line of their own."""
    text = (
        pl.when(_TEXT.str.starts_with("\t")).then(_TEXT).otherwise(event_lines.without_tail(_TEXT))
    )
    return lines.select("code", text.str.extract_groups(grammar.FRAME).struct.unnest())
