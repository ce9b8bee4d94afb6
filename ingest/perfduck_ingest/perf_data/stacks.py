"""Chains of addresses to stacks, by way of their chunks: the same chunk is resolved once.

Chains of other addresses lead to the same stack, too: a function is hit in many places, and every
process maps its libraries at other addresses. So a stack is known by the symbols of its chunks.
"""

import numpy as np
import polars as pl

from perfduck_ingest.chains import stack_rows
from perfduck_ingest.perf_data.chain_chunks import MAX_CHUNKS, Chains
from perfduck_ingest.perf_data.dsos import NO_OFFSET, DsoSymbols, pack
from perfduck_ingest.perf_data.frames import Frames
from perfduck_ingest.perf_data.mappings import MapsAt
from perfduck_kernels import kernels
from perfduck_kernels.constants import CHUNK_WIDTH, NO_FRAME, STACK_SLOTS_LOG2
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Int32, Int64
from perfduck_model.batch import STACK
from perfduck_symbols.names import UNKNOWN


class ChainInterner:
    """Makes stacks of the chains of samples; take_new() returns each at least once."""

    def __init__(self, frames: Frames, symbols: DsoSymbols) -> None:
        self._frames = frames
        self._symbols = symbols
        self._ids = HashCache[np.int64](np.int64, STACK_SLOTS_LOG2)
        self._unreported: list[pl.DataFrame] = []
        # What the chunks are, by their numbers. Symbols are numbers, and -1 where there is no
        # frame; the leaf is packed; terms are what the symbols add to the key of a stack.
        self._chunk_symbols = np.empty((MAX_CHUNKS, CHUNK_WIDTH), np.int32)
        self._leaves = np.empty(MAX_CHUNKS, np.int64)
        self._terms = np.empty(MAX_CHUNKS, np.uint64)

    def take_new(self) -> pl.DataFrame:
        """batch.STACK of the stacks that are new since the last call."""
        new = pl.concat([pl.DataFrame(schema=STACK), *self._unreported])
        self._unreported = []
        return new

    def of(self, chains: Chains, maps: MapsAt) -> tuple[Int64, Int64]:
        """The stack id of each sample, and its leaf (symbol number and offset, packed)."""
        self._learn(chains, maps)
        numbers, counts = chains.numbers, chains.counts
        starts = np.cumsum(counts) - counts

        def look_up(indices: Int64) -> Int64:
            chosen = numbers[kernels.ranges(starts[indices], counts[indices])]
            return self._intern(self._chunk_symbols.take(chosen, axis=0), counts[indices])

        keys = kernels.chain_keys(self._terms.take(numbers), starts, counts)
        ids = self._ids.of(keys, look_up)
        leaves = self._leaves.take(numbers.take(starts))
        return ids.take(chains.chains), leaves.take(chains.chains)

    def _learn(self, chains: Chains, maps: MapsAt) -> None:
        """Note what the new chunks are."""
        end = chains.first + len(chains.address_spaces)
        if end > len(self._terms):
            self._chunk_symbols = np.resize(self._chunk_symbols, (2 * end, CHUNK_WIDTH))
            self._leaves = np.resize(self._leaves, 2 * end)
            self._terms = np.resize(self._terms, 2 * end)
        packed = self._resolved(chains, maps)
        symbols = np.ascontiguousarray((packed >> 32).T, np.int32)
        self._chunk_symbols[chains.first : end] = symbols
        self._terms[chains.first : end] = kernels.chunk_terms(symbols)
        leaf = (packed < 0).sum(axis=0)
        self._leaves[chains.first : end] = packed[leaf, np.arange(len(leaf))]

    def _resolved(self, chains: Chains, maps: MapsAt) -> Int64:
        """The frames of the new chunks: symbols and offsets, packed; -1 where there is none."""
        frames = chains.frames
        is_frame = frames != NO_FRAME
        address_spaces = np.broadcast_to(chains.address_spaces, frames.shape)
        packed = np.full(frames.shape, -1, np.int64)
        packed[is_frame] = self._frames.resolve(frames[is_frame], address_spaces[is_frame], maps)
        if not is_frame[-1].all():
            nothing = self._symbols.intern([(UNKNOWN, UNKNOWN, None)])
            packed[-1, ~is_frame[-1]] = pack(nothing, NO_OFFSET)
        return packed

    def _intern(self, symbols: Int32, counts: Int64) -> Int64:
        is_frame = symbols >= 0
        ids = self._symbols.ids(symbols[is_frame])
        lengths = np.add.reduceat(is_frame.sum(axis=1), np.cumsum(counts) - counts)
        new = stack_rows(ids, lengths)
        self._unreported.append(new)
        return new["stack_id"].to_numpy()
