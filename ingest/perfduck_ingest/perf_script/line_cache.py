"""The distinct lines of a `perf script` text: what each is and says, parsed once for all parts.

    code   kind    symbol_id  offset  ip        a row for each distinct frame
    0      BLANK                                the first rows stand for lines without a frame
    7      FRAME   -81...     0xf0    hashed

A line's code is the row of the frame on it.
"""

from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec import Struct

from perfduck_ingest.chains import StackCache, SymbolInterner
from perfduck_ingest.perf_script import event_lines, frame_lines, grammar
from perfduck_ingest.perf_script.frame_lines import DsoRanges
from perfduck_ingest.perf_script.layout import LineLayout
from perfduck_ingest.perf_script.text import Text
from perfduck_kernels import kernels
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Bool, Int64, UInt8, UInt32
from perfduck_model.batch import SAMPLE
from perfduck_model.limits import limits

BLANK, EVENT, FRAME, CGROUP, LOST, NETNS, ASIDE, UNKNOWN = KINDS = range(8)

Columns = dict[str, npt.NDArray[Any]]

_COLUMNS = {
    "kind": np.uint8,  # of the line that the frame is on
    "symbol_id": np.int64,
    "offset": np.int64,  # of the frame in its function; -1 where not printed
    "ip": np.uint32,  # of the frame, hashed: equal where the addresses are
    "lacks_dso": np.bool_,  # an inlined frame: its dso is that of the function around it
}
_IDENTITY = ("kind", "ip", "name", "dso", "offset", "lacks_dso")


class FrameTable:
    """The distinct frames of a text. Shared by threads."""

    def __init__(self, symbols: SymbolInterner) -> None:
        self._symbols = symbols
        self._codes = HashCache[np.uint32](np.uint32, limits.frame_slots_log2)
        self._lock = Lock()
        self._columns: Columns = {n: np.zeros(1 << 12, kind) for n, kind in _COLUMNS.items()}
        self._columns["kind"][: len(KINDS)] = KINDS
        self._length = len(KINDS)

    def __len__(self) -> int:
        return self._length

    @property
    def columns(self) -> Columns:
        """What each code means, for all codes so far."""
        return self._columns

    def codes(self, frames: pl.DataFrame) -> UInt32:
        """The code of each frame: kind, ip, name, dso, offset and lacks_dso."""

        def look_up(indices: Int64) -> UInt32:
            return self._added(frame_lines.completed(frames[indices]))

        return self._codes.of(frames.select(_IDENTITY).hash_rows().to_numpy(), look_up)

    def _added(self, frames: pl.DataFrame) -> UInt32:
        rows = {
            "kind": frames["kind"],
            "symbol_id": self._symbols.ids(frames.select("name", "dso", "address")),
            "offset": frames["offset"],
            "ip": frames["ip"].hash().to_numpy() >> np.uint64(32),
            "lacks_dso": frames["lacks_dso"],
        }
        with self._lock:
            start, end = self._length, self._length + len(frames)
            if end > len(self._columns["kind"]):
                self._columns = {n: np.resize(c, 2 * end) for n, c in self._columns.items()}
            for name, values in rows.items():
                self._columns[name][start:end] = values
            self._length = end
        return np.arange(start, end, dtype=np.uint32)


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
        .when(_TEXT.str.contains(grammar.NETNS))
        .then(NETNS)
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


# Event lines do not come again. Lines of the other kinds are few, and their texts are needed.
_IS_KEPT = np.isin(np.arange(1 << 8), [BLANK, FRAME, NETNS, ASIDE])
_NO_EVENTS = pl.DataFrame(schema={**SAMPLE, "rest": pl.String})  # where all lines are known


class Lines(Struct, frozen=True):
    """What some lines say, and the fields of the event lines among them, in their order."""

    codes: UInt32
    kinds: UInt8  # that the codes stand for
    frames: Columns  # what the codes mean
    events: pl.DataFrame  # comm, pid, tid, cpu, time_ns, period, event, rest, cgroup


class LineCache:
    """Lines, symbols and stacks. Shared by threads."""

    def __init__(self, head: list[str], layout: LineLayout) -> None:
        """`head` are the first lines of the text."""
        self.head = head
        ranges = DsoRanges(head, layout)
        self.symbols = SymbolInterner()
        self.stacks = StackCache()
        self._ranges = ranges
        self._lines = _LineCodes(self.symbols, ranges)

    def lines(self, text: Text, layout: LineLayout) -> Lines:
        """What the lines of the text are. Those that are not known are parsed, each text once."""
        if self._lines.is_full:
            self._lines = _LineCodes(self.symbols, self._ranges)
        return self._lines.of(text, layout)


class _LineCodes:
    def __init__(self, symbols: SymbolInterner, ranges: DsoRanges) -> None:
        self._frames = FrameTable(symbols)
        self._ranges = ranges
        self._codes = HashCache[np.uint32](np.uint32, limits.line_slots_log2, self._are_kept)

    def _are_kept(self, codes: UInt32) -> Bool:
        return _IS_KEPT.take(self._frames.columns["kind"].take(codes))

    @property
    def is_full(self) -> bool:
        return len(self._frames) > limits.most_frames

    def of(self, text: Text, layout: LineLayout) -> Lines:
        events = _NO_EVENTS

        def look_up(indices: Int64) -> UInt32:
            nonlocal events
            codes, events = classified(text.of(indices), layout, self._frames, self._ranges)
            return codes

        codes = self._codes.of(text.hashes, look_up)
        columns = self._frames.columns
        kinds = columns["kind"].take(codes)
        is_event = kinds == EVENT
        if np.count_nonzero(is_event) > len(events):  # some are in the text twice
            _, row = kernels.distinct(text.hashes[is_event])
            events = events[row]
        return Lines(codes, kinds, columns, events)
