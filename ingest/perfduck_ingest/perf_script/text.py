"""Lines of text as numbers: where each ends, a hash of each, and the texts of some."""

from functools import cached_property

import numpy as np
import polars as pl

from perfduck_kernels import kernels
from perfduck_kernels.lines import TextLines
from perfduck_model.arrays import Int64, UInt64
from perfduck_model.limits import limits

_LINE_END = ord("\n")


class LineTooLong(Exception):
    """A line of more than limits.longest_line bytes, by its number from 0."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Text:
    """Some lines. The last one may lack its end."""

    def __init__(self, content: memoryview, most_lines: int | None = None) -> None:
        """About so many lines from the beginning; raises LineTooLong."""
        letters = np.frombuffer(content, np.uint8)
        if letters[-1] != _LINE_END:
            letters = np.append(letters, np.uint8(_LINE_END))
        starts = kernels.line_starts(letters, most_lines or len(letters))
        self.size = min(int(starts[-1]), len(content))  # bytes
        too_long = np.flatnonzero(np.diff(starts) > limits.longest_line)
        if len(too_long):
            raise LineTooLong(int(too_long[0]))
        self._lines = TextLines(letters, starts)

    def __len__(self) -> int:
        return len(self._lines)

    @cached_property
    def hashes(self) -> UInt64:
        """A hash of each line."""
        return kernels.line_hashes(self._lines)

    def last_start(self, pattern: str) -> int:
        """Where the last line begins that matches and has no tab in front, but for the first line;
        0 where none does."""
        texts = self.of(np.arange(1, len(self)))
        is_start = texts.str.contains(pattern) & ~texts.str.starts_with("\t")
        indices = is_start.arg_true()
        return int(self._lines.starts[indices[-1] + 1]) if len(indices) else 0

    def of(self, lines: Int64) -> pl.Series:
        """The texts of some lines, without line ends."""
        if not len(lines):
            return pl.Series(dtype=pl.String)
        texts = kernels.gather_lines(self._lines, lines)
        try:
            decoded = texts.cast(pl.String)
        except pl.exceptions.ComputeError:  # not UTF-8: a comm is any 15 bytes
            replaced = [text.decode("utf-8", "backslashreplace") for text in texts]
            decoded = pl.Series(replaced, dtype=pl.String)
        return decoded.str.strip_chars_end("\r\n")
