"""Chains of addresses to stacks: the same chain is worked out once.

    PERF_CONTEXT_KERNEL ffffffff8168df20 ffffffff816001ae PERF_CONTEXT_USER 7f17a423f504 ...

Chains of other addresses lead to the same stack, too: a function is hit in many places. So both
are known by a number: the chain by that of its addresses, the stack by that of its symbols.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from perfduck_ingest.chains import KnownStacks, ranges, stacks
from perfduck_ingest.memo import Memo
from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.byte_order import Integers, Words
from perfduck_ingest.perf_data.dsos import NO_OFFSET, Symbols, pack
from perfduck_ingest.perf_data.frames import Frames, Runs
from perfduck_ingest.perf_data.maps import Flags, MapsAt
from perfduck_ingest.perf_data.samples import Samples
from perfduck_store.batch import STACK
from perfduck_symbols.names import UNKNOWN

_EPOCH_SPREAD = np.uint64(0xA0761D6478BD642F)
_MEMO_BITS = 19
_HIT = np.dtype([("stack_id", np.int64), ("leaf", np.int64)])


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
        self._known = KnownStacks()
        self._untold: list[pl.DataFrame] = []
        self.forget_chains()

    def forget_chains(self) -> None:
        """Their addresses may mean something else from here on."""
        self._by_addresses = Memo[np.void](_HIT, _MEMO_BITS)

    def told(self) -> pl.DataFrame:
        """The stacks that are new since this was asked last."""
        told = pl.concat([pl.DataFrame(schema=STACK), *self._untold])
        self._untold = []
        return told

    def of(self, samples: Samples, epochs: Integers, maps: MapsAt) -> tuple[Integers, Integers]:
        """The stack id of each sample, and its leaf (symbol number and offset, packed)."""

        def look_up(places: Integers) -> npt.NDArray[np.void]:
            return self._work_out(_chains(samples, epochs, places), maps)

        keys = samples.key + epochs.view(np.uint64) * _EPOCH_SPREAD
        hits = self._by_addresses.of(keys, look_up)
        return hits["stack_id"], hits["leaf"]

    def _work_out(self, chains: _Chains, maps: MapsAt) -> npt.NDArray[np.void]:
        packed = self._frames.resolve(chains.addresses, chains.runs, maps)
        packed, lengths = self._filled(packed, chains.lengths)
        ids, new = stacks(self._symbols.ids(packed >> 32), lengths, self._known)
        self._untold.append(new)
        hits = np.empty(len(ids), _HIT)
        hits["stack_id"] = ids
        hits["leaf"] = packed[np.cumsum(lengths) - lengths]
        return hits

    def _filled(self, packed: Integers, lengths: Integers) -> tuple[Integers, Integers]:
        """A chain without frames gets an unknown one."""
        empty = np.flatnonzero(lengths == 0)
        if len(empty):
            nothing = pack(self._symbols.number([(UNKNOWN, UNKNOWN, None)]), NO_OFFSET)
            packed = np.insert(packed, (np.cumsum(lengths) - lengths)[empty], nothing)
            lengths = np.maximum(lengths, 1)
        return packed, lengths


def _chains(samples: Samples, epochs: Integers, chosen: Integers) -> _Chains:
    """The frames of some samples."""
    depth, epochs = samples.depth[chosen], epochs[chosen]
    if depth[0] < 0:  # events without chains: the address that was hit
        ones = np.ones(len(chosen), np.int64)
        return _Chains(samples.ip[chosen], Runs(ones, epochs, samples.in_kernel[chosen]), ones)
    entries = samples.block.words.take(ranges(samples.chain[chosen], depth))
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
