"""Lines of text as numbers: where each ends, a hash of each, and the texts of some."""

from functools import cached_property

import numpy as np
import polars as pl
import pyarrow as pa

from perfduck_model.arrays import Int32, Int64, UInt8, UInt64

_LINE_END = ord("\n")
_BLOCK_BYTES = 1 << 18  # what is made of it stays in the processor's cache


class Text:
    """Some lines. The last one may lack its end."""

    def __init__(self, content: memoryview) -> None:
        letters = np.frombuffer(content, np.uint8)
        if letters[-1] != _LINE_END:
            letters = np.append(letters, np.uint8(_LINE_END))
        starts = _starts(letters)
        buffers = [None, pa.py_buffer(starts), pa.py_buffer(letters)]
        self._lines = pl.Series(pa.Array.from_buffers(pa.binary(), len(starts) - 1, buffers))

    def __len__(self) -> int:
        return len(self._lines)

    @cached_property
    def hashes(self) -> UInt64:
        """A number for each line. Of a million distinct lines two share one with a probability of
        3e-8."""
        return self._lines.hash().to_numpy()

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


def _starts(content: UInt8) -> Int32:
    """Where each line starts, and the end of the last one."""
    blocks = [np.zeros(1, np.int32)]
    for start in range(0, len(content), _BLOCK_BYTES):
        ends = np.flatnonzero(content[start : start + _BLOCK_BYTES] == _LINE_END)
        blocks.append((ends + (start + 1)).astype(np.int32))
    return np.concatenate(blocks)
