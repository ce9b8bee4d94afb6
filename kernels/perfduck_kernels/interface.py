"""What every implementation of the hot loops provides: functions over columns, without state.

Arrays are one-dimensional unless said otherwise. Chains and ranges lie one behind the other in a
flat array: `starts` and `lengths` say where each begins and how many elements it has.
"""

from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from perfduck_kernels.lines import TextLines
from perfduck_model.arrays import Int32, Int64, UInt8, UInt64

if TYPE_CHECKING:  # see lines.py
    import polars as pl


class Kernels(Protocol):
    """An implementation; a module with these functions is one."""

    def line_starts(self, content: UInt8, most: int) -> Int32:
        """The byte offset of each line, and behind them the end of the last one; stops after the
        block of constants.LINE_BLOCK_BYTES in which the `most`-th line ends. `content` ends with a
        line end."""

    def line_hashes(self, lines: TextLines) -> UInt64:
        """A hash of each line, equal for equal lines. Another implementation, and another version
        of polars, has other hashes: they are kept no longer than a process runs."""

    def gather_lines(self, lines: TextLines, indices: Int64) -> "pl.Series":
        """Some of the lines, with their ends, as a column of Binary."""

    def walk_records(self, words: UInt64, size_shift: int) -> tuple[Int64, int]:
        """The index of the first word of each whole record, and the index behind the last one.

        Every record begins with a word whose 16 bits from `size_shift` on are its size in bytes;
        sizes are rounded down to whole words. The walk ends in front of a record that is cut off,
        or has no size.
        """

    def chain_keys(self, terms: UInt64, starts: Int64, lengths: Int64) -> UInt64:
        """A hash of the terms of each chain and their order; chains have at least one term."""

    def stack_ids(self, symbol_ids: Int64, lengths: Int64) -> Int64:
        """Of each chain, one behind the other in `symbol_ids`: see perfduck_model/identity.py."""

    def ranges(self, starts: Int64, lengths: Int64, strides: Int64 | int = 1) -> Int64:
        """start, start + stride, ... of each range; as many as its length says."""

    def chunk_chains(self, words: UInt64, ends: Int64, lengths: Int64) -> tuple[UInt64, Int64]:
        """Chains cut into chunks of CHUNK_WIDTH frames, from their ends: [place, chunk], NO_FRAME
        in front where the first chunk of a chain is not full; and how many chunks each chain has.
        Chain i is words[ends[i] - lengths[i] : ends[i]], and may be empty."""

    def chunk_keys(self, frames: UInt64, groups: Int64) -> UInt64:
        """A hash of each chunk of [place, chunk] together with its group."""

    def chunk_terms(self, symbols: Int32) -> UInt64:
        """A hash of each row of [chunk, place], to be a term of chain_keys."""

    def group_keys(self, values: UInt64, groups: Int64) -> UInt64:
        """A hash of each value together with its group."""

    def probe(
        self, keys: UInt64, values: npt.NDArray[Any], hashes: UInt64
    ) -> tuple[npt.NDArray[Any], Int64]:
        """What a direct-mapped table of 2 ** n keys and values has in the slot of each hash, and
        the indices of those hashes that the slot does not belong to. The slot is the upper n bits
        of hash * MIX."""

    def put(
        self, keys: UInt64, values: npt.NDArray[Any], hashes: UInt64, fresh: npt.NDArray[Any]
    ) -> None:
        """Write hashes and their values into the slots of a table: the last of a slot stays."""

    def distinct(self, hashes: UInt64) -> tuple[Int64, Int64]:
        """The index where each distinct hash comes up first, ascending, and for each hash which of
        these it equals."""
