"""Chains of addresses to stacks: the same chain is worked out once.

    PERF_CONTEXT_KERNEL ffffffff8168df20 ffffffff816001ae PERF_CONTEXT_USER 7f17a423f504 ...

A chain is known by a polynomial over its words, taken of all chains of a block at once: the sum of
word n times r to the power n is a difference of two running sums, divided by r to the power of
where the chain starts (r is odd, so that it has an inverse modulo 2 ** 64).
"""

import numpy as np
import polars as pl

from perfduck_ingest.chains import KnownStacks, stacks
from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.byte_order import Integers, Words
from perfduck_ingest.perf_data.frames import UNKNOWN, Frames, Symbols, pack
from perfduck_ingest.perf_data.maps import Flags, MapsAt
from perfduck_ingest.perf_data.memo import Memo
from perfduck_ingest.perf_data.samples import Samples

_R = 0x9E3779B97F4A7C15
_INVERSE = pow(_R, -1, 1 << 64)
_EPOCH_SPREAD = np.uint64(0xA0761D6478BD642F)
_ADDRESS_SPREAD = np.uint64(0x8EBC6AF09C88C6E3)
_LENGTH_SPREAD = np.uint64(0xE7037ED1A0B428DB)
_MEMO_BITS = 19
_MARKERS = np.array(
    [records.CONTEXT_HYPERVISOR, records.CONTEXT_KERNEL, records.CONTEXT_USER], np.uint64
)


def _powers(base: int, count: int) -> Words:
    result = np.full(count, np.uint64(base))
    result[:1] = 1
    return np.multiply.accumulate(result)


class Stacks:
    """Makes stacks of the chains of samples."""

    def __init__(self, frames: Frames, symbols: Symbols) -> None:
        self._frames = frames
        self._symbols = symbols
        self._known = KnownStacks()
        self._memo = Memo(_MEMO_BITS, columns=2)
        self._powers = _powers(_R, 1)
        self._inverses = _powers(_INVERSE, 1)

    def of(
        self, samples: Samples, epochs: Integers, maps: MapsAt
    ) -> tuple[Integers, Integers, pl.DataFrame]:
        """The stack id of each sample, its leaf (symbol number and offset, packed), and the stacks
        that are new."""
        keys = self._keys(samples, epochs)
        (ids, leaves), known = self._memo.find(keys)
        missing = np.flatnonzero(~known)
        fresh, first, inverse = np.unique(keys[missing], return_index=True, return_inverse=True)
        chosen = missing[first]
        new_ids, new_leaves, new = self._work_out(samples, epochs, chosen, maps)
        self._memo.keep(fresh, np.stack((new_ids, new_leaves)))
        ids[missing], leaves[missing] = new_ids[inverse], new_leaves[inverse]
        return ids, leaves, new

    def _keys(self, samples: Samples, epochs: Integers) -> Words:
        """One number for each distinct chain of each epoch."""
        words = samples.block.words
        if len(self._powers) < len(words):
            self._powers = _powers(_R, len(words))
            self._inverses = _powers(_INVERSE, len(words))
        sums = words * self._powers[: len(words)]
        np.cumsum(sums, out=sums)
        start = np.minimum(samples.chain, len(words) - 1)
        end = start + np.maximum(samples.depth, 0)
        keys: Words = (sums[end - 1] - sums[start - 1]) * self._inverses[start]
        bare = samples.depth < 0
        keys[bare] = samples.ip[bare] ^ samples.in_kernel[bare]
        if samples.has_stack_copies:  # the address may stand for a chain that is missing
            keys += samples.ip * _ADDRESS_SPREAD
        lengths = samples.depth.view(np.uint64)
        keys += lengths * _LENGTH_SPREAD + epochs.view(np.uint64) * _EPOCH_SPREAD
        return keys

    def _work_out(
        self, samples: Samples, epochs: Integers, chosen: Integers, maps: MapsAt
    ) -> tuple[Integers, Integers, pl.DataFrame]:
        addresses, in_kernel, lengths = _frames(samples, chosen)
        if samples.has_stack_copies:
            addresses, in_kernel, lengths = _with_leaves(
                samples, chosen, addresses, in_kernel, lengths
            )
        owners = np.repeat(epochs[chosen], lengths)
        packed = self._frames.resolve(addresses, owners, in_kernel, maps)
        packed, lengths = self._filled(packed, lengths)
        numbers = packed >> 32
        ids, new = stacks(self._symbols.ids(numbers), lengths, self._known)
        return ids, packed[np.cumsum(lengths) - lengths], new

    def _filled(self, packed: Integers, lengths: Integers) -> tuple[Integers, Integers]:
        """A chain without frames gets an unknown one."""
        empty = np.flatnonzero(lengths == 0)
        if len(empty):
            nothing = pack(np.array(self._symbols.number(UNKNOWN, UNKNOWN, None)), 0xFFFFFFFF)
            packed = np.insert(packed, (np.cumsum(lengths) - lengths)[empty], nothing)
            lengths = np.maximum(lengths, 1)
        return packed, lengths


def _frames(samples: Samples, chosen: Integers) -> tuple[Words, Flags, Integers]:
    """Addresses, whether each is the kernel's, and how many each sample has."""
    depth, chain = samples.depth[chosen], samples.chain[chosen]
    if len(depth) and depth[0] < 0:  # events without chains: the address that was hit
        return samples.ip[chosen], samples.in_kernel[chosen], np.ones(len(chosen), np.int64)
    ends = np.cumsum(depth)
    starts = ends - depth
    count = int(ends[-1]) if len(ends) else 0
    entries = samples.block.words[np.arange(count) + np.repeat(chain - starts, depth)]
    markers = np.flatnonzero(entries >= np.uint64(records.CONTEXT_MAX))
    in_kernel = _modes(entries, markers, starts, depth)
    is_frame = np.ones(count, np.bool_)
    is_frame[markers] = False
    lengths = depth - np.diff(np.searchsorted(markers, np.append(starts, count)))
    # A number that is no marker perf knows, such as -1 from a user stack that is no stack: it
    # drops the whole chain.
    odd = markers[~np.isin(entries[markers], _MARKERS)]
    for one in np.unique(np.searchsorted(ends, odd, "right")).tolist():
        is_frame[starts[one] : ends[one]] = False
        lengths[one] = 0
    return entries[is_frame], in_kernel[is_frame], lengths


def _with_leaves(
    samples: Samples, chosen: Integers, addresses: Words, in_kernel: Flags, lengths: Integers
) -> tuple[Words, Flags, Integers]:
    """The address that was hit, where there is no chain: user stacks are not unwound."""
    empty = np.flatnonzero(lengths == 0)
    places = (np.cumsum(lengths) - lengths)[empty]
    return (
        np.insert(addresses, places, samples.ip[chosen][empty]),
        np.insert(in_kernel, places, samples.in_kernel[chosen][empty]),
        np.maximum(lengths, 1),
    )


def _modes(entries: Words, markers: Integers, starts: Integers, depth: Integers) -> Flags:
    """Whether each entry is the kernel's: as the last marker before it says, else it is not."""
    turns = np.sort(np.concatenate((starts[depth > 0], markers)))
    kernel = entries[turns] == np.uint64(records.CONTEXT_KERNEL)
    lengths = np.diff(np.append(turns, len(entries)))
    return np.repeat(kernel, lengths)
