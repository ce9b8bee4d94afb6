"""The distinct lines of `perf script` text: what each is, and what it says."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from perfduck_ingest import perf_script_events as event_lines
from perfduck_ingest import perf_script_frames as frame_lines
from perfduck_ingest import perf_script_grammar as grammar
from perfduck_ingest.chains import Symbols
from perfduck_ingest.perf_script_grammar import Layout

BLANK, EVENT, FRAME, CGROUP, LOST, ASIDE, UNKNOWN = range(7)

LINE = np.dtype(
    [
        ("symbol_id", np.int64),
        ("offset", np.int64),  # of the frame in its function; -1 where not printed
        ("ip", np.uint32),  # of the frame, hashed: equal where the addresses are
        ("kind", np.uint8),
        ("has_frame", np.bool_),
        ("lacks_dso", np.bool_),  # an inlined frame: its dso is that of its caller
    ],
    align=True,
)
LineArray = npt.NDArray[np.void]  # of LINE


@dataclass(frozen=True, slots=True)
class Lines:
    """What some lines are, and the fields of the event lines among them, in their order."""

    lines: LineArray
    events: pl.DataFrame  # comm, pid, tid, cpu, time_ns, period, event, rest, cgroup


def classified(texts: pl.Series, layout: Layout, symbols: Symbols) -> Lines:
    """The lines of these texts."""
    table = pl.DataFrame({"code": np.arange(len(texts)), "text": texts})
    is_tabbed = texts.str.starts_with("\t")
    frames = frame_lines.plain(table.filter(is_tabbed), layout)
    events = event_lines.events(table.filter(~is_tabbed), layout)
    kinds = np.full(len(texts), UNKNOWN, np.uint8)
    kinds[frames["code"]] = FRAME
    kinds[events["code"]] = EVENT
    odd = table.filter(kinds == UNKNOWN).with_columns(_kind_of_other())
    kinds[odd["code"]] = odd["kind"]
    entries = pl.concat([_entries(odd.filter(kind=FRAME)), event_lines.entries(events)])
    if len(entries):
        frames = pl.concat([frames, frame_lines.odd(entries, layout)])
    frames = frame_lines.completed(frames)
    lines = _lines(kinds, frames, symbols)
    return Lines(lines, event_lines.with_cgroups(events, frames).drop("code"))


def _lines(kinds: npt.NDArray[np.uint8], frames: pl.DataFrame, symbols: Symbols) -> LineArray:
    lines = np.zeros(len(kinds), LINE)
    lines["kind"] = kinds
    code = frames["code"].to_numpy()
    lines["has_frame"][code] = True
    lines["symbol_id"][code] = symbols.ids(frames.select("name", "dso", "address"))
    lines["offset"][code] = frames["offset"]
    lines["ip"][code] = frames["ip"].hash().to_numpy() >> np.uint64(32)
    lines["lacks_dso"][code] = frames["lacks_dso"]
    return lines


def _kind_of_other() -> pl.Expr:
    """The kind of a line that starts no sample."""
    text = pl.col("text")
    return (
        pl.when(text.str.contains(grammar.BLANK))
        .then(BLANK)
        .when(text.str.contains(grammar.LOST))
        .then(LOST)
        .when(text.str.contains(grammar.ASIDE) | text.str.contains(grammar.COMMENT))
        .then(ASIDE)
        .when(text.str.contains(grammar.FRAME))
        .then(FRAME)
        .when(text.str.contains(grammar.CGROUP))
        .then(CGROUP)
        .otherwise(UNKNOWN)
        .alias("kind")
    )


def _entries(lines: pl.DataFrame) -> pl.DataFrame:
    """code, ip and body of chain entries."""
    return lines.select("code", pl.col("text").str.extract_groups(grammar.FRAME).struct.unnest())
