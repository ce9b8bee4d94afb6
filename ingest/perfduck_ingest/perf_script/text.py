"""Lines of text as numbers: where each ends, a hash of each, and the texts of some."""

from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from perfduck_model.arrays import Int32, Int64, UInt8, UInt64
from perfduck_model.limits import LONGEST_LINE

_LINE_END = ord("\n")
_BLOCK_BYTES = 1 << 18  # what is made of it stays in the processor's cache


class LineTooLong(Exception):
    """A line of more than LONGEST_LINE bytes, by its number from 0."""

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
        starts = _starts(letters, most_lines or len(letters))
        self.size = min(int(starts[-1]), len(content))  # bytes
        too_long = np.flatnonzero(np.diff(starts) > LONGEST_LINE)
        if len(too_long):
            raise LineTooLong(int(too_long[0]))
        buffers = [None, pa.py_buffer(starts), pa.py_buffer(letters)]
        self._starts = starts
        self._lines = pl.Series(pa.Array.from_buffers(pa.binary(), len(starts) - 1, buffers))

    def __len__(self) -> int:
        return len(self._lines)

    @cached_property
    def hashes(self) -> UInt64:
        """A number for each line. Of a million distinct lines two share one with a probability of
        3e-8."""
        return self._lines.hash().to_numpy()

    def last_start(self, pattern: str) -> int:
        """Where the last line begins that matches and has no tab in front, but for the first line;
        0 where none does."""
        texts = self.of(np.arange(1, len(self)))
        found = texts.str.contains(pattern) & ~texts.str.starts_with("\t")
        places = found.arg_true()
        return int(self._starts[places[-1] + 1]) if len(places) else 0

    def of(self, lines: Int64) -> pl.Series:
        """The texts of some lines, without line ends."""
        if not len(lines):
            return pl.Series(dtype=pl.String)
        texts = self._lines.gather(lines)
        try:
            decoded = texts.cast(pl.String)
        except pl.exceptions.ComputeError:  # not UTF-8: a comm is any 15 bytes
            replaced = [text.decode("utf-8", "backslashreplace") for text in texts]
            decoded = pl.Series(replaced, dtype=pl.String)
        return decoded.str.strip_chars_end("\r\n")


def _starts(content: UInt8, most: int) -> Int32:
    """Where each line starts, and the end of the last one; no block more than holds `most` of
    them."""
    blocks = [np.zeros(1, np.int32)]
    count = 0
    for start in range(0, len(content), _BLOCK_BYTES):
        ends = np.flatnonzero(content[start : start + _BLOCK_BYTES] == _LINE_END)
        blocks.append((ends + (start + 1)).astype(np.int32))
        count += len(ends)
        if count >= most:
            break
    return np.concatenate(blocks)
