"""Chains of addresses to stacks: the same chain is worked out once.

    PERF_CONTEXT_KERNEL ffffffff8168df20 ffffffff816001ae PERF_CONTEXT_USER 7f17a423f504 ...

Chains of other addresses lead to the same stack, too: a function is hit in many places. So both
are known by a number: the chain by that of its addresses, the stack by that of its symbols.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.byte_order import Integers, Words
from perfduck_ingest.perf_data.dsos import NO_OFFSET, UNKNOWN, Symbols, pack
from perfduck_ingest.perf_data.frames import Frames, Runs
from perfduck_ingest.perf_data.maps import Flags, MapsAt
from perfduck_ingest.perf_data.memo import Memo
from perfduck_ingest.perf_data.polynomials import Polynomials
from perfduck_ingest.perf_data.samples import Samples
from perfduck_store.batch import STACK
from perfduck_store.identity import stack_ids

_EPOCH_SPREAD = np.uint64(0xA0761D6478BD642F)
_MEMO_BITS = 19


@dataclass(frozen=True, slots=True)
class _Chains:
    """The frames of several chains, one chain behind the other."""

    addresses: Words
    runs: Runs
    lengths: Integers  # frames of each chain


class Stacks:
    """Makes stacks of the chains of samples; each is told to the store at least once."""

    def __init__(self, frames: Frames, symbols: Symbols) -> None:
        self._frames = frames
        self._symbols = symbols
        self._polynomials = Polynomials()
        self._by_symbols = Memo(_MEMO_BITS)
        self._untold: list[pl.DataFrame] = []
        self.forget_chains()

    def forget_chains(self) -> None:
        """Their addresses may mean something else from here on."""
        self._by_addresses = Memo(_MEMO_BITS, columns=2)

    def told(self) -> pl.DataFrame:
        """The stacks that are new since this was asked last."""
        told = pl.concat([pl.DataFrame(schema=STACK), *self._untold])
        self._untold = []
        return told

    def of(self, samples: Samples, epochs: Integers, maps: MapsAt) -> tuple[Integers, ...]:
        """The stack id of each sample, and its leaf (symbol number and offset, packed)."""

        def look_up(places: Integers) -> tuple[Integers, Integers]:
            return self._work_out(_chains(samples, epochs, places), maps)

        return self._by_addresses.of(samples.key + epochs.view(np.uint64) * _EPOCH_SPREAD, look_up)

    def _work_out(self, chains: _Chains, maps: MapsAt) -> tuple[Integers, Integers]:
        packed = self._frames.resolve(chains.addresses, chains.runs, maps)
        packed, lengths = self._filled(packed, chains.lengths)
        starts = np.cumsum(lengths) - lengths
        return self._stacks(self._symbols.ids(packed >> 32), starts, lengths), packed[starts]

    def _filled(self, packed: Integers, lengths: Integers) -> tuple[Integers, Integers]:
        """A chain without frames gets an unknown one."""
        empty = np.flatnonzero(lengths == 0)
        if len(empty):
            nothing = pack(self._symbols.number([(UNKNOWN, UNKNOWN, None)]), NO_OFFSET)
            packed = np.insert(packed, (np.cumsum(lengths) - lengths)[empty], nothing)
            lengths = np.maximum(lengths, 1)
        return packed, lengths

    def _stacks(self, symbols: Integers, starts: Integers, lengths: Integers) -> Integers:
        """The stack id of each row of symbol ids."""

        def look_up(places: Integers) -> tuple[Integers]:
            flat = symbols.take(_ranges(starts[places], lengths[places]))
            ids = stack_ids(flat, lengths[places])
            self._untold.append(_table(ids, flat, lengths[places]))
            return (ids,)

        keys = self._polynomials.of(symbols.view(np.uint64), starts, lengths)
        return self._by_symbols.of(keys, look_up)[0]


def _table(ids: Integers, flat: Integers, lengths: Integers) -> pl.DataFrame:
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(flat))
    return pl.DataFrame({"stack_id": ids, "symbol_ids": pl.Series(lists)}, schema=STACK)


def _ranges(starts: Integers, lengths: Integers) -> Integers:
    """start, start + 1, ... of each range, one range behind the other."""
    ends = np.cumsum(lengths)
    places = np.repeat(starts - (ends - lengths), lengths)
    places += np.arange(len(places))
    return places


def _chains(samples: Samples, epochs: Integers, chosen: Integers) -> _Chains:
    """The frames of some samples."""
    depth, epochs = samples.depth[chosen], epochs[chosen]
    if depth[0] < 0:  # events without chains: the address that was hit
        ones = np.ones(len(chosen), np.int64)
        return _Chains(samples.ip[chosen], Runs(ones, epochs, samples.in_kernel[chosen]), ones)
    entries = samples.block.words.take(_ranges(samples.chain[chosen], depth))
    ends = np.cumsum(depth)
    is_frame = entries < np.uint64(records.CONTEXT_MAX)
    begins = ~is_frame  # a run: at a marker, and where a chain begins
    begins[(ends - depth)[depth > 0]] = True
    starts = np.flatnonzero(begins)
    firsts, owners = entries[starts], np.searchsorted(ends, starts, "right")
    lengths = np.diff(np.append(starts, len(entries))) - ~is_frame[starts]
    for one in np.unique(owners[_is_odd(firsts)]).tolist():
        is_frame[ends[one] - depth[one] : ends[one]] = False
        lengths[owners == one] = 0
    runs = Runs(lengths, epochs[owners], firsts == np.uint64(records.CONTEXT_KERNEL))
    counts = np.bincount(owners, lengths, len(chosen)).astype(np.int64)
    chains = _Chains(entries[is_frame], runs, counts)
    return _with_leaves(chains, samples, epochs, chosen) if samples.has_stack_copies else chains


def _is_odd(entries: Words) -> Flags:
    """Whether they are numbers that are no marker perf knows, such as -1 from a user stack that is
    no stack: it drops the whole chain."""
    odd = entries >= np.uint64(records.CONTEXT_MAX)
    for marker in (records.CONTEXT_HYPERVISOR, records.CONTEXT_KERNEL, records.CONTEXT_USER):
        odd &= entries != np.uint64(marker)
    return odd


def _with_leaves(chains: _Chains, samples: Samples, epochs: Integers, chosen: Integers) -> _Chains:
    """The address that was hit, where there is no chain: user stacks are not unwound."""
    empty = np.flatnonzero(chains.lengths == 0)
    places = (np.cumsum(chains.lengths) - chains.lengths)[empty]
    runs = chains.runs
    between = np.searchsorted(np.concatenate(([0], np.cumsum(runs.lengths))), places)
    return _Chains(
        np.insert(chains.addresses, places, samples.ip[chosen[empty]]),
        Runs(
            np.insert(runs.lengths, between, 1),
            np.insert(runs.epochs, between, epochs[empty]),
            np.insert(runs.in_kernel, between, samples.in_kernel[chosen[empty]]),
        ),
        np.maximum(chains.lengths, 1),
    )
