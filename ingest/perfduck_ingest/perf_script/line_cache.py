"""What earlier parts of a `perf script` text have said already."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from perfduck_ingest.chains import StackCache, SymbolInterner
from perfduck_ingest.perf_script.frame_table import ASIDE, BLANK, EVENT, FRAME, Columns, FrameTable
from perfduck_ingest.perf_script.layout import LineLayout
from perfduck_ingest.perf_script.line_classifier import classified
from perfduck_ingest.perf_script.line_ranges import DsoRanges
from perfduck_ingest.perf_script.text import Text
from perfduck_kernels import kernels
from perfduck_kernels.constants import LINE_SLOTS_LOG2
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Bool, Int64, UInt8, UInt32
from perfduck_model.batch import SAMPLE

_MOST_FRAMES = 1 << 20  # 22 MB; a recording that has more is learnt anew from there
# Event lines do not come again. Lines of the other kinds are few, and their texts are needed.
_IS_KEPT = np.isin(np.arange(1 << 8), [BLANK, FRAME, ASIDE])
_NO_EVENTS = pl.DataFrame(schema={**SAMPLE, "rest": pl.String})  # where all lines are known


@dataclass(frozen=True, slots=True)
class Lines:
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
        self._codes = HashCache[np.uint32](np.uint32, LINE_SLOTS_LOG2, self._are_kept)

    def _are_kept(self, codes: UInt32) -> Bool:
        return _IS_KEPT.take(self._frames.columns["kind"].take(codes))

    @property
    def is_full(self) -> bool:
        return len(self._frames) > _MOST_FRAMES

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
