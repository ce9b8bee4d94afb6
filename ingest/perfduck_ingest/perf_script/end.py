"""The end of `perf script` text: what is there of a file that was cut off.

    app 1 [000] 1.000000:  1001001 cycles: \\n
    \\tffffffff821f2fa7 exc_page_fault+0xd7 ([kernel.kallsyms])\\n
    \\tffffffff81000c82 asm_exc_page_fault+0x2

Every line of perf ends in a newline, and a blank line is behind each call chain. A last line
without its newline is whole only where its text says so: the parentheses of a frame's dso are
closed. A last event line that lacks its chain starts no sample. Where the blank line is missing and
nothing else, the last chain may be whole, as editors take blank lines off: it is kept, and that is
said.
"""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from msgspec import Struct

from perfduck_ingest.perf_script.grammar import is_frame
from perfduck_ingest.perf_script.layout import LineLayout
from perfduck_ingest.perf_script.line_cache import (
    ASIDE,
    BLANK,
    CGROUP,
    EVENT,
    FRAME,
    UNKNOWN,
    LineCache,
)
from perfduck_ingest.perf_script.text import Text
from perfduck_model.batch import SKIPPED, Limitation

CUT_LINE = "the text ends in the middle of this line"
CUT_CHAIN = "the text ends before the call chain of this line"
OPEN_CHAIN = Limitation(
    "the text ends without the blank line behind its last call chain, which may lack callers", 1
)
_AFTER_EVENT = (FRAME, CGROUP, BLANK)
_ends_in_cgroup = re.compile(r"\)\s+/\S.*$").search
# A dso that may go on has blanks or parentheses: '/opt/a b) c'; so has a name: 'f<int (int)>'.
_ends_in_plain_dso = re.compile(
    r"(?:\+0x[0-9a-f]+|\[unknown\]) \([^\s()]+\)$|\s\((?:inlined|[/\[][^\s()]*)\)$"
).search
_odd_dso = re.compile(r"(?:\+0x[0-9a-f]+|\[unknown\])(?P<dso> \(.*\))$").search


class End(Struct, frozen=True):
    """The whole lines of a last part, and the others, numbered from the start of the part."""

    text: memoryview
    skipped: pl.DataFrame
    cut: str | None  # the last line, where it is sure to go on
    is_open: bool  # whether the last chain lacks the blank line behind it


def end_of(content: memoryview, layout: LineLayout, known: LineCache) -> End:
    """What is whole of the last lines of a text."""
    last = _LastLines(content, layout, known)
    count = len(last.texts)
    whole = count - (not last.ends_in_newline and not last.is_whole(count - 1))
    start = last.start_without_chain(whole)
    reasons = [CUT_CHAIN] * (whole - start) + [CUT_LINE] * (count - whole)
    skipped = [
        (at + 1, last.texts[at], reason)
        for at, reason in enumerate(reasons, start)
        if last.texts[at].strip()
    ]
    return End(
        content[: last.bytes_of(start)],
        pl.DataFrame(skipped, schema=SKIPPED, orient="row"),
        last.texts[-1] if whole < count and last.is_surely_cut else None,
        last.is_open(start),
    )


class _LastLines:
    """The lines of a last part: mostly one sample."""

    def __init__(self, content: memoryview, layout: LineLayout, known: LineCache) -> None:
        self._content = bytes(content)
        self._layout = layout
        self._known = known
        text = Text(content)
        self._lines = known.lines(text, layout)
        self._kinds = self._lines.kinds
        self.texts: list[str] = text.of(np.arange(len(text))).to_list()
        self.ends_in_newline = self._content.endswith(b"\n")

    def bytes_of(self, lines: int) -> int:
        """How long so many lines are."""
        return len(b"\n".join(self._content.split(b"\n")[:lines])) + (lines > 0)

    @property
    def is_surely_cut(self) -> bool:
        """Whether the last line is none that perf prints."""
        lacks_dso = self._lines.frames["lacks_dso"][self._lines.codes[-1]]
        is_inlined = self.texts[-1].endswith("(inlined)")
        return bool(self._kinds[-1] == UNKNOWN or (lacks_dso and not is_inlined))

    def is_whole(self, at: int) -> bool:
        """Whether a line that lacks its newline lacks nothing else."""
        line = self.texts[at]
        if self._known.head == [line]:  # no line tells how whole ones end
            return False
        if self._kinds[at] == EVENT and not self._layout.frames:
            # perf prints a blank behind each field: 'cpu-clock:' may be 'cpu-clock:u: '.
            return line.endswith(" ") or bool(self._layout.event and self._event(at)["rest"])
        return self._has_frame(at) and self._ends_in_dso(line)

    def _has_frame(self, at: int) -> bool:
        return bool(self._lines.codes[at] > UNKNOWN)

    def _event(self, at: int) -> dict[str, Any]:
        row = np.count_nonzero(self._kinds[: at + 1] == EVENT) - 1
        return self._lines.events.row(int(row), named=True)

    def _ends_in_dso(self, line: str) -> bool:
        """Whether nothing can be missing behind the dso: none of these texts goes on there."""
        if not self._layout.dso or any(map(_ends_in_cgroup, self._known.head)):
            return False
        if _ends_in_plain_dso(line):
            return True
        odd = _odd_dso(line)
        return odd is not None and any(each.endswith(odd["dso"]) for each in self._known.head)

    def start_without_chain(self, whole: int) -> int:
        """Where the last sample starts if its chain is missing; else `whole`."""
        starts = np.flatnonzero(self._kinds[:whole] == EVENT)
        if not len(starts) or np.isin(self._kinds[starts[-1] + 1 : whole], _AFTER_EVENT).any():
            return whole
        start = int(starts[-1])
        is_in_chain = whole < len(self.texts) and self.texts[whole].startswith("\t")
        return start if is_in_chain or self._needs_chain(start) else whole

    def _needs_chain(self, at: int) -> bool:
        """Whether most samples of the event have chains behind their line, in the first lines; of
        an event that is new there, whether its line has no frame."""
        event = self._event(at)["event"]
        search = re.compile(self._layout.loose.pattern).search
        has_chain = [
            behind.startswith("\t") and is_frame(behind) is not None
            for line, behind in pairwise(self._known.head)
            if (match := search(line)) and match.groupdict().get("event") == event
        ]
        if not has_chain:
            return self._layout.tabs and not self._has_frame(at)
        return self._layout.frames and 2 * sum(has_chain) > len(has_chain)

    def is_open(self, lines: int) -> bool:
        """Whether so many lines end in a call chain without an end."""
        kinds = self._kinds[:lines]
        is_chain = self._layout.chains or self._layout.tabs or self.texts[lines - 1][:1] == "\t"
        last_event = max(np.flatnonzero(kinds == EVENT), default=-1)
        behind_event = kinds[last_event + 1 :]
        return bool(is_chain and (behind_event == FRAME).any() and not self._ends_sample(lines - 1))

    def _ends_sample(self, at: int) -> bool:
        """Whether nothing of a sample is behind the line: registers and cgroups are in place of the
        blank line, source lines, behind two blanks, are not."""
        is_aside = self._kinds[at] == ASIDE and not self.texts[at].startswith("  ")
        is_last = self._kinds[at] in (BLANK, CGROUP)
        return bool(is_last or (is_aside and not self._layout.chains))
