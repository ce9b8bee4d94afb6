"""Chains of addresses cut into chunks of up to four frames, which come up again and again.

    PERF_CONTEXT_KERNEL  a | b c d e  PERF_CONTEXT_USER  v w | x y z ...      leaf first

They are cut from the root: callers stay while the functions that they call change. Of 13 million
frames in 635,470 chains, 1.5 million are in chunks that did not come up before.
"""

from dataclasses import dataclass

import numpy as np

from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.mappings import (
    GUEST_KERNEL_SPACE,
    GUEST_USER_SPACE,
    HYPERVISOR_SPACE,
    KERNEL_SPACE,
    address_space_of,
)
from perfduck_ingest.perf_data.sample_columns import Samples
from perfduck_kernels import kernels
from perfduck_kernels.constants import CHUNK_WIDTH, NO_FRAME
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Bool, Int32, Int64, UInt64
from perfduck_model.limits import limits

_NO_FRAMES = np.zeros((CHUNK_WIDTH, 0), np.uint64)
_NO_SPACES = np.zeros(0, np.int64)
_DEFERRED = np.uint64(records.CONTEXT_USER_DEFERRED)  # what is behind is a cookie, no address

_OF_PROCESS = 1  # in place of the address space of a version of the maps
_SPACE_OF_MODE = np.full(records.CPUMODE_MASK + 1, _OF_PROCESS)
_SPACE_OF_MODE[[records.KERNEL, records.HYPERVISOR, records.GUEST_KERNEL, records.GUEST_USER]] = (
    KERNEL_SPACE, HYPERVISOR_SPACE, GUEST_KERNEL_SPACE, GUEST_USER_SPACE,
)  # fmt: skip
# Beside those that nearly all chains have.
_RARE_MARKERS = {
    records.CONTEXT_USER_DEFERRED: _OF_PROCESS,
    records.CONTEXT_HYPERVISOR: HYPERVISOR_SPACE,
    records.CONTEXT_GUEST_KERNEL: GUEST_KERNEL_SPACE,
    records.CONTEXT_GUEST_USER: GUEST_USER_SPACE,
}


@dataclass(frozen=True, slots=True)
class ChainChunks:
    """The chunks of several chains, one chain behind the other, leaf first."""

    frames: UInt64  # [place, chunk]: addresses; what is missing in front is NO_FRAME
    address_spaces: Int64  # of each chunk, its address space: see mappings.py
    keys: UInt64  # equal for equal chunks
    counts: Int64  # chunks of each chain, at least 1
    chains: Int64  # the chain of each sample
    broken: int  # samples whose chain has an entry that is no address


@dataclass(frozen=True, slots=True)
class Chains:
    """Chains as numbers of chunks, and the chunks whose numbers are new."""

    numbers: Int32  # of the chunks of all chains, as in ChainChunks
    counts: Int64
    chains: Int64  # the chain of each sample
    first: int  # number of the first new chunk, which the others follow
    frames: UInt64  # of the new chunks
    address_spaces: Int64


class ChunkIds:
    """Numbers chunks; one that was evicted from the cache gets another number than before."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """From here on all chunks are new."""
        self._numbers = HashCache[np.int32](np.int32, limits.chunk_slots_log2)
        self._next = 0

    def of(self, parts: list[ChainChunks]) -> Chains:
        """The chains of several blocks, one behind the other."""
        if self._next > limits.most_chunks:
            self.forget()
        first = self._next
        frames, address_spaces = [_NO_FRAMES], [_NO_SPACES]

        def look_up(indices: Int64) -> Int32:
            frames.append(part.frames.take(indices, axis=1))
            address_spaces.append(part.address_spaces[indices])
            start, self._next = self._next, self._next + len(indices)
            return np.arange(start, self._next, dtype=np.int32)

        numbers, chains, before = [], [], 0
        for part in parts:
            numbers.append(self._numbers.of(part.keys, look_up))
            chains.append(part.chains + before)
            before += len(part.counts)
        return Chains(
            np.concatenate(numbers),
            np.concatenate([part.counts for part in parts]),
            np.concatenate(chains),
            first,
            np.concatenate(frames, axis=1),
            np.concatenate(address_spaces),
        )


@dataclass(frozen=True, slots=True)
class _Runs:
    """Frames one behind the other that lie in the same address space."""

    ends: Int64  # behind the last entry
    lengths: Int64
    address_spaces: Int64
    owners: Int64  # which chain
    broken: Int64  # the chains that are cut off at an entry that is no address


def chunks_of(samples: Samples, maps_versions: Int64) -> ChainChunks:
    """The chunks of the chains of samples, which are in the order of the file."""
    is_first = np.diff(samples.chain, prepend=-1) > 0
    chains = np.cumsum(is_first) - 1
    if not is_first.all():  # the read counts of a group are a sample of each member
        samples, maps_versions = samples.where(is_first), maps_versions[is_first]
    address_spaces = _in_process(_SPACE_OF_MODE[samples.mode], maps_versions)
    broken = 0
    if samples.depth[0] < 0:  # events without chains: the address that was hit
        frames, counts = _of_addresses(samples.ip), np.ones(len(samples), np.int64)
    else:
        runs = _runs(samples, maps_versions)
        frames, address_spaces, counts = _of_chains(samples, runs, address_spaces)
        broken = int(np.isin(chains, runs.broken).sum()) if len(runs.broken) else 0
    keys = kernels.chunk_keys(frames, address_spaces)
    return ChainChunks(frames, address_spaces, keys, counts, chains, broken)


def _in_process(address_spaces: Int64, maps_versions: Int64) -> Int64:
    return np.where(address_spaces == _OF_PROCESS, address_space_of(maps_versions), address_spaces)


def _of_addresses(addresses: UInt64) -> UInt64:
    """A chunk for each address."""
    frames = np.full((CHUNK_WIDTH, len(addresses)), NO_FRAME)
    frames[-1] = addresses
    return frames


def _of_chains(samples: Samples, runs: _Runs, address_spaces: Int64) -> tuple[UInt64, Int64, Int64]:
    """Frames and address space of each chunk, and the chunks of each chain. A chain without frames
    gets a chunk with the address that was hit, which is in these address spaces."""
    frames, chunks = kernels.chunk_chains(samples.block.words, runs.ends, runs.lengths)
    counts = np.bincount(runs.owners, chunks, len(samples)).astype(np.int64)
    of_chunks = np.repeat(runs.address_spaces, chunks)
    empty = np.flatnonzero(counts == 0)
    if not len(empty):
        return frames, of_chunks, counts
    indices = (np.cumsum(counts) - counts)[empty]
    return (
        np.insert(frames, indices, _of_addresses(samples.ip[empty]), axis=1),
        np.insert(of_chunks, indices, address_spaces[empty]),
        np.maximum(counts, 1),
    )


def _runs(samples: Samples, maps_versions: Int64) -> _Runs:
    """A run begins at a marker, and where a chain begins."""
    chosen = np.flatnonzero(samples.depth > 0)
    starts = samples.chain[chosen]
    ends = starts + samples.depth[chosen]
    words = samples.block.words[: ends.max(initial=0)]
    begins = words >= np.uint64(records.CONTEXT_MAX)
    # What is in front of a chain is no part of it: it represents a marker that is not there.
    heads = starts - ~begins[starts]
    is_head = np.zeros(len(words), np.bool_)
    begins[heads] = is_head[heads] = True
    markers = np.flatnonzero(begins)
    owners = np.cumsum(is_head[markers]) - 1
    inside = (owners >= 0) & (markers < ends[owners])
    markers, owners = markers[inside], owners[inside]
    firsts = words[markers]
    ends = np.minimum(np.append(markers[1:], len(words)), ends[owners])
    lengths = ends - markers - 1
    owners = chosen[owners]
    in_kernel = firsts == np.uint64(records.CONTEXT_KERNEL)
    address_spaces = np.where(in_kernel, KERNEL_SPACE, _OF_PROCESS)
    usual = in_kernel | (firsts == np.uint64(records.CONTEXT_USER))
    usual |= firsts < np.uint64(records.CONTEXT_MAX)
    broken = _NO_SPACES
    if not usual.all():
        odd = _rare(firsts, usual, address_spaces)
        lengths[_at_or_behind(odd, owners) | (firsts == _DEFERRED)] = 0
        broken = np.unique(owners[odd])
    return _Runs(ends, lengths, _in_process(address_spaces, maps_versions[owners]), owners, broken)


def _rare(markers: UInt64, usual: Bool, address_spaces: Int64) -> Bool:
    """Which of the unusual ones are no markers, such as -1 from a user stack that is no stack. Sets
    the address spaces of the others."""
    odd = ~usual
    for marker, address_space in _RARE_MARKERS.items():
        chosen = markers == np.uint64(marker)
        odd &= ~chosen
        address_spaces[chosen] = address_space
    return odd


def _at_or_behind(odd: Bool, owners: Int64) -> Bool:
    """What is no address makes all that its chain has behind it doubtful; perf drops the whole
    chain, with the kernel's part that is in front."""
    seen: Int64 = np.cumsum(odd)
    before: Int64 = seen - odd
    begins = np.flatnonzero(np.diff(owners, prepend=-1))
    of_chain: Int64 = np.repeat(before[begins], np.diff(np.append(begins, len(owners))))
    return seen > of_chain
