"""Chains of addresses to stacks, by way of their pieces: the same piece is worked out once.

Chains of other addresses lead to the same stack, too: a function is hit in many places, and every
process has its libraries elsewhere. So a stack is known by the symbols of its pieces.
"""

import numpy as np
import polars as pl

from perfduck_ingest.chains import polynomials, ranges, stack_rows
from perfduck_ingest.perf_data.chain_chunks import MAX_CHUNKS, NO_FRAME, WIDTH, Chains
from perfduck_ingest.perf_data.dsos import NO_OFFSET, DsoSymbols, pack
from perfduck_ingest.perf_data.frames import Frames
from perfduck_ingest.perf_data.mappings import MapsAt
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Int32, Int64, UInt64
from perfduck_model.batch import STACK
from perfduck_symbols.names import UNKNOWN

_STACK_BITS = 19  # 8 MB
_SPREAD = np.uint64(0x9E3779B97F4A7C17)
_LENGTH_SPREAD = np.uint64(0xE7037ED1A0B428DB)
_HALF = np.uint64(32)


class ChainInterner:
    """Makes stacks of the chains of samples; each is told to the store at least once."""

    def __init__(self, frames: Frames, symbols: DsoSymbols) -> None:
        self._frames = frames
        self._symbols = symbols
        self._known = HashCache[np.int64](np.int64, _STACK_BITS)
        self._untold: list[pl.DataFrame] = []
        # What the pieces are, by their numbers. Symbols are numbers, and -1 where there is no
        # frame; the leaf is packed; terms are what the symbols add to the key of a stack.
        self._piece_symbols = np.empty((MAX_CHUNKS, WIDTH), np.int32)
        self._leaves = np.empty(MAX_CHUNKS, np.int64)
        self._terms = np.empty(MAX_CHUNKS, np.uint64)

    def told(self) -> pl.DataFrame:
        """The stacks that are new since this was asked last."""
        told = pl.concat([pl.DataFrame(schema=STACK), *self._untold])
        self._untold = []
        return told

    def of(self, chains: Chains, maps: MapsAt) -> tuple[Int64, Int64]:
        """The stack id of each sample, and its leaf (symbol number and offset, packed)."""
        self._learn(chains, maps)
        numbers, counts = chains.numbers, chains.counts
        starts = np.cumsum(counts) - counts

        def look_up(places: Int64) -> Int64:
            chosen = numbers[ranges(starts[places], counts[places])]
            return self._tell(self._piece_symbols.take(chosen, axis=0), counts[places])

        ids = self._known.of(_keys(self._terms.take(numbers), starts, counts), look_up)
        leaves = self._leaves.take(numbers.take(starts))
        return ids.take(chains.chains), leaves.take(chains.chains)

    def _learn(self, chains: Chains, maps: MapsAt) -> None:
        """Note what the new pieces are."""
        end = chains.first + len(chains.spaces)
        if end > len(self._terms):
            self._piece_symbols = np.resize(self._piece_symbols, (2 * end, WIDTH))
            self._leaves = np.resize(self._leaves, 2 * end)
            self._terms = np.resize(self._terms, 2 * end)
        packed = self._resolved(chains, maps)
        symbols = np.ascontiguousarray((packed >> 32).T, np.int32)
        self._piece_symbols[chains.first : end] = symbols
        self._terms[chains.first : end] = _terms(symbols)
        leaf = (packed < 0).sum(axis=0)
        self._leaves[chains.first : end] = packed[leaf, np.arange(len(leaf))]

    def _resolved(self, chains: Chains, maps: MapsAt) -> Int64:
        """The frames of the new pieces: symbols and offsets, packed; -1 where there is none."""
        frames = chains.frames
        is_frame = frames != NO_FRAME
        spaces = np.broadcast_to(chains.spaces, frames.shape)
        packed = np.full(frames.shape, -1, np.int64)
        packed[is_frame] = self._frames.resolve(frames[is_frame], spaces[is_frame], maps)
        if not is_frame[-1].all():
            nothing = self._symbols.number([(UNKNOWN, UNKNOWN, None)])
            packed[-1, ~is_frame[-1]] = pack(nothing, NO_OFFSET)
        return packed

    def _tell(self, symbols: Int32, counts: Int64) -> Int64:
        is_frame = symbols >= 0
        ids = self._symbols.ids(symbols[is_frame])
        lengths = np.add.reduceat(is_frame.sum(axis=1), np.cumsum(counts) - counts)
        told = stack_rows(ids, lengths)
        self._untold.append(told)
        return told["stack_id"].to_numpy()


def _terms(symbols: Int32) -> UInt64:
    """A number for the symbols of each piece."""
    halves = symbols.view(np.uint64)
    return _mixed(_mixed(halves[:, 0]) + halves[:, 1])


def _keys(terms: UInt64, starts: Int64, counts: Int64) -> UInt64:
    """The same for the same pieces."""
    return polynomials(terms, starts, counts) + counts.view(np.uint64) * _LENGTH_SPREAD


def _mixed(words: UInt64) -> UInt64:
    """A product carries upwards only: without the shift, the upper number of a word would count for
    half of the key."""
    words = words * _SPREAD
    words ^= words >> _HALF
    return words
