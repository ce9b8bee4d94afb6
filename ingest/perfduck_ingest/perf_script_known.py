"""What earlier parts of a `perf script` text have said already."""

import numpy as np

from perfduck_ingest.chains import KnownStacks, Symbols
from perfduck_ingest.memo import Memo
from perfduck_ingest.perf_script_grammar import Layout
from perfduck_ingest.perf_script_lines import (
    ASIDE,
    BLANK,
    EVENT,
    FRAME,
    LINE,
    Lines,
    classified,
)
from perfduck_ingest.perf_script_text import Text

_LINE_BITS = 20  # 32 MB; 160 s of two busy CPUs have 185,000 distinct chain entries
# Event lines do not come again. Lines of the other kinds are few, and their texts are needed.
_IS_KEPT = np.isin(np.arange(1 << 8), [BLANK, FRAME, ASIDE])


class Known:
    """Lines, symbols and stacks. Shared by threads."""

    def __init__(self) -> None:
        self.symbols = Symbols()
        self.stacks = KnownStacks()
        self._lines = Memo(LINE, _LINE_BITS)

    def lines(self, text: Text, layout: Layout) -> Lines:
        """What the lines of the text are. Those that are not known are parsed, each text once."""
        found = self._lines.find(text.hashes)
        made = classified(text.of(found.first), layout, self.symbols)
        found.fill(made.lines)
        kinds = made.lines["kind"]
        self._lines.keep(made.lines.compress(_IS_KEPT[kinds]))
        row = np.cumsum(kinds == EVENT) - 1
        which = found.which[kinds[found.which] == EVENT]
        return Lines(found.records, made.events[row[which]])
