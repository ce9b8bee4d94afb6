"""What earlier parts of a `perf script` text have said already."""

import numpy as np
import polars as pl

from perfduck_ingest.chains import KnownStacks, Symbols
from perfduck_ingest.memo import Memo, Places, distinct
from perfduck_ingest.perf_script_grammar import Layout
from perfduck_ingest.perf_script_lines import (
    ASIDE,
    BLANK,
    EVENT,
    FRAME,
    LINE,
    LineArray,
    Lines,
    classified,
)
from perfduck_ingest.perf_script_text import Text
from perfduck_store.batch import SAMPLE

_LINE_BITS = 20  # 32 MB; 160 s of two busy CPUs have 185,000 distinct chain entries
# Event lines do not come again. Lines of the other kinds are few, and their texts are needed.
_IS_KEPT = np.isin(np.arange(1 << 8), [BLANK, FRAME, ASIDE])
_NO_EVENTS = pl.DataFrame(schema={**SAMPLE, "rest": pl.String})  # where all lines are known


class Known:
    """Lines, symbols and stacks. Shared by threads."""

    def __init__(self) -> None:
        self.symbols = Symbols()
        self.stacks = KnownStacks()
        self._lines = Memo[np.void](LINE, _LINE_BITS, lambda lines: _IS_KEPT[lines["kind"]])

    def lines(self, text: Text, layout: Layout) -> Lines:
        """What the lines of the text are. Those that are not known are parsed, each text once."""
        events = _NO_EVENTS

        def look_up(places: Places) -> LineArray:
            nonlocal events
            made = classified(text.of(places), layout, self.symbols)
            events = made.events
            return made.lines

        lines = self._lines.of(text.hashes, look_up)
        _, row = distinct(text.hashes[lines["kind"] == EVENT])
        return Lines(lines, events[row])
