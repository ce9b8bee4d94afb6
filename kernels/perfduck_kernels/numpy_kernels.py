"""The hot loops in numpy: the reference for every other implementation (see interface.py)."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from perfduck_kernels.constants import (
    CHAIN_BASE,
    CHUNK_MIX,
    CHUNK_WIDTH,
    GROUP_MIX,
    LENGTH_MIX,
    LINE_BLOCK_BYTES,
    MIX,
    NO_FRAME,
    PLACE_MIX,
)
from perfduck_kernels.lines import TextLines
from perfduck_model import identity
from perfduck_model.arrays import Int32, Int64, UInt8, UInt64

if TYPE_CHECKING:  # see lines.py
    import polars as pl

_LINE_END = ord("\n")
_HALF = np.uint64(32)


def line_starts(content: UInt8, most: int) -> Int32:
    """Block by block: the mask of a whole part would leave the processor's cache."""
    blocks = [np.zeros(1, np.int32)]
    count = 0
    for start in range(0, len(content), LINE_BLOCK_BYTES):
        ends = np.flatnonzero(content[start : start + LINE_BLOCK_BYTES] == _LINE_END)
        blocks.append((ends + (start + 1)).astype(np.int32))
        count += len(ends)
        if count >= most:
            break
    return np.concatenate(blocks)


def line_hashes(lines: TextLines) -> UInt64:
    """By polars. Of a million distinct lines two share a hash with a probability of 3e-8."""
    return lines.column.hash().to_numpy()


def gather_lines(lines: TextLines, indices: Int64) -> "pl.Series":
    """Out of the column that they are hashed in."""
    return lines.column.gather(indices)


def walk_records(words: UInt64, size_shift: int) -> tuple[Int64, int]:
    """One by one: where a record begins is known when the one before it has been read."""
    quarter = size_shift // 16 if sys.byteorder == "little" else 3 - size_shift // 16
    # Elements of a memoryview take half of the time of those of an array.
    lengths = (words.view(np.uint16)[quarter::4] >> np.uint16(3)).data
    starts: list[int] = []
    append = starts.append
    word, count = 0, len(lengths)
    while word < count:
        append(word)
        word += lengths[word] or count + 1
    if starts and word > count:  # the last one is cut off, or has no size
        word = starts.pop()
    return np.array(starts, np.int64), word


def chain_keys(terms: UInt64, starts: Int64, lengths: Int64) -> UInt64:
    """A polynomial of the terms for each chain, all chains at once."""
    if not len(starts):
        return terms[:0]
    depths = np.arange(len(terms)) - np.repeat(starts, lengths)
    powers = np.full(int(lengths.max()), CHAIN_BASE)
    powers[0] = 1
    keys = np.add.reduceat(terms * np.multiply.accumulate(powers).take(depths), starts)
    keys += lengths.view(np.uint64) * LENGTH_MIX
    return keys


def stack_ids(symbol_ids: Int64, lengths: Int64) -> Int64:
    """By hashlib, chain by chain."""
    return identity.stack_ids(symbol_ids, lengths)


def ranges(starts: Int64, lengths: Int64, strides: Int64 | int = 1) -> Int64:
    """A running index, shifted to where each range starts."""
    ends = np.cumsum(lengths)
    if isinstance(strides, int) and strides == 1:
        indices = np.repeat(starts - (ends - lengths), lengths)
        indices += np.arange(len(indices))
        return indices
    steps = np.arange(int(lengths.sum())) - np.repeat(ends - lengths, lengths)
    strides = np.broadcast_to(np.asarray(strides, np.int64), starts.shape)
    return np.repeat(starts, lengths) + steps * np.repeat(strides, lengths)


def chunk_chains(words: UInt64, ends: Int64, lengths: Int64) -> tuple[UInt64, Int64]:
    """Gathers a row of places at a time."""
    counts = -(-lengths // CHUNK_WIDTH)
    firsts = np.cumsum(counts) - counts
    indices = np.repeat(ends - CHUNK_WIDTH * (firsts + counts), counts)
    indices += CHUNK_WIDTH * np.arange(len(indices))
    frames = np.empty((CHUNK_WIDTH, len(indices)), np.uint64)
    for frame in frames:
        # A quarter less time than with the indices of all frames at once.
        words.take(indices, out=frame, mode="clip")
        indices += 1
    missing = CHUNK_WIDTH * counts - lengths
    for place in range(CHUNK_WIDTH - 1):
        frames[place, firsts[missing > place]] = NO_FRAME
    return frames, counts


def chunk_keys(frames: UInt64, groups: Int64) -> UInt64:
    """A sum of products."""
    keys = groups.view(np.uint64) * GROUP_MIX
    for addresses, mix in zip(frames, PLACE_MIX, strict=True):
        keys += addresses * mix
    return keys


def chunk_terms(symbols: Int32) -> UInt64:
    """Two symbols at a time."""
    pairs = symbols.view(np.uint64)
    return _mixed(_mixed(pairs[:, 0]) + pairs[:, 1])


def _mixed(words: UInt64) -> UInt64:
    """A product carries upwards only: without the shift, the upper symbol of a word would count
    for half of the key."""
    words = words * CHUNK_MIX
    words ^= words >> _HALF
    return words


def group_keys(values: UInt64, groups: Int64) -> UInt64:
    """A sum of the value and a multiple of the group."""
    return values + groups.view(np.uint64) * GROUP_MIX


def probe(keys: UInt64, values: npt.NDArray[Any], hashes: UInt64) -> tuple[npt.NDArray[Any], Int64]:
    """Gathers both columns of the table."""
    slots = _slots(keys, hashes)
    return values.take(slots), np.flatnonzero(keys.take(slots) != hashes)


def put(keys: UInt64, values: npt.NDArray[Any], hashes: UInt64, fresh: npt.NDArray[Any]) -> None:
    """Scatters into both columns of the table."""
    slots = _slots(keys, hashes)
    keys.put(slots, hashes)
    values.put(slots, fresh)


def _slots(keys: UInt64, hashes: UInt64) -> Int64:
    log2_slots = len(keys).bit_length() - 1
    return ((hashes * MIX) >> np.uint64(64 - log2_slots)).view(np.int64)


def distinct(hashes: UInt64) -> tuple[Int64, Int64]:
    """By a table of indices: a fifth of the time of np.unique, which sorts, and a third of that of
    a dictionary where most hashes differ."""
    first = _first(hashes)
    is_first = first == np.arange(len(hashes))
    return np.flatnonzero(is_first), (np.cumsum(is_first) - 1).take(first)


def _first(hashes: UInt64) -> Int64:
    """Where each hash comes up first."""
    log2_slots = len(hashes).bit_length() + 2
    mixed = hashes * MIX
    slots = (mixed >> np.uint64(64 - log2_slots)).view(np.int64)
    table = np.empty(1 << log2_slots, np.int64)
    table[slots[::-1]] = np.arange(len(hashes))[::-1]  # the first one is written last, and stays
    first = table.take(slots)
    others = np.flatnonzero(hashes[first] != hashes)  # they share a slot with another hash
    if len(others):
        first[others] = others[_first(mixed[others])]
    return first
