"""Samples of a session, resolved: addresses to symbols, chains to stacks.

    ffffffff8168df20  in kernel  -> mod_memcg_lruvec_state+0xf0 ([kernel.kallsyms])
        7f17a423f504  version 311  -> /usr/lib/.../libc.so.6 at 0x1504 -> malloc+0x14

An address is resolved once for each version of the maps of its process, and once for each binary:
most are found in many processes. A chunk of a chain is resolved once, too. Chains of other
addresses lead to the same stack: a function is hit in many places, and every process maps its
libraries at other addresses. So a stack is known by the symbols of its chunks. An address where
functions were inlined has one number for all of them (DsoSymbols.chain) until stacks are made.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl

from perfduck_ingest import limitations
from perfduck_ingest.chains import stack_rows
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.perf_data.batch_builder import BatchBuilder, FilesOfNames, Resolved
from perfduck_ingest.perf_data.binaries import Binaries
from perfduck_ingest.perf_data.chain_chunks import Chains
from perfduck_ingest.perf_data.dsos import (
    HAS_INLINED,
    IS_MANGLED,
    LACKS_INLINED,
    NO_OFFSET,
    Dso,
    DsoSymbols,
    pack,
)
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.kernel import RecordedKernel
from perfduck_ingest.perf_data.mappings import (
    GUEST_KERNEL_SPACE,
    GUEST_USER_SPACE,
    HYPERVISOR_SPACE,
    KERNEL_SPACE,
    MapsAt,
    laid_out,
    unmapped,
)
from perfduck_ingest.perf_data.resolvable_samples import Item, RecordingMetadata, ResolvableSamples
from perfduck_ingest.perf_data.symbol_places import SymbolPlaces
from perfduck_ingest.runtime.prefetch import background
from perfduck_kernels import kernels
from perfduck_kernels.constants import CHUNK_WIDTH, NO_FRAME
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Int32, Int64, UInt64
from perfduck_model.batch import STACK, Batch
from perfduck_model.limits import limits
from perfduck_symbols.addresses import EMPTY, FileOffsets, Svmas
from perfduck_symbols.names import GUEST, GUEST_USER, HYPERVISOR, KERNEL, UNKNOWN

_UNMAPPED = {
    unmapped(HYPERVISOR_SPACE): HYPERVISOR,
    unmapped(GUEST_KERNEL_SPACE): GUEST,
    unmapped(GUEST_USER_SPACE): GUEST_USER,
}


class Frames:
    """Resolves the frames of a recording."""

    def __init__(
        self,
        user: Callable[[int], Dso[FileOffsets]],
        kernel: Callable[[int], Dso[Svmas]],
        symbols: DsoSymbols,
    ) -> None:
        """`user` and `kernel` open a dso by the number that the maps have for it."""
        self._openers: dict[bool, Callable[[int], Dso[Any]]] = {False: user, True: kernel}
        self._dsos: dict[int, Dso[Any]] = {}
        self._symbols = symbols
        self.forget_kernel()

    def forget_kernel(self) -> None:
        """The kernel has changed: what was found in it may no longer be there."""
        self._dsos = {number: dso for number, dso in self._dsos.items() if number & 1 == 0}
        self._by_space = HashCache[np.int64](np.int64, limits.address_slots_log2)
        self._by_dso = HashCache[np.int64](np.int64, limits.address_slots_log2)

    def resolve(self, addresses: UInt64, address_spaces: Int64, maps: MapsAt) -> Int64:
        """Symbol numbers and offsets, packed; `maps` says what is where in each address space."""

        def look_up(indices: Int64) -> Int64:
            return self._in_dsos(*maps.find(addresses[indices], address_spaces[indices]))

        return self._by_space.of(kernels.group_keys(addresses, address_spaces), look_up)

    def _in_dsos(self, dsos: Int64, addresses: UInt64) -> Int64:
        def look_up(indices: Int64) -> Int64:
            packed = np.empty(len(indices), np.int64)
            for dso, members in _groups(dsos[indices]):
                own = addresses[indices[members]]
                packed[members] = self._opened(dso).resolve(own, self._symbols)
            return packed

        return self._by_dso.of(kernels.group_keys(addresses, dsos), look_up)

    def _opened(self, number: int) -> Dso[Any]:
        if number not in self._dsos:
            self._dsos[number] = self._open(number)
        return self._dsos[number]

    def _open(self, number: int) -> Dso[Any]:
        if number < 0:
            return Dso(_UNMAPPED.get(number, UNKNOWN), EMPTY)
        return self._openers[bool(number & 1)](number >> 1)


def _groups(numbers: Int64) -> list[tuple[int, Int64]]:
    """The indices of each distinct number."""
    order = np.argsort(numbers, kind="stable")
    distinct, first = np.unique(numbers[order], return_index=True)
    return list(zip(distinct.tolist(), np.split(order, first[1:]), strict=True))


class ChainInterner:
    """Makes stacks of the chains of samples; take_new() returns each at least once."""

    def __init__(self, frames: Frames, symbols: DsoSymbols) -> None:
        self._frames = frames
        self._symbols = symbols
        self._ids = HashCache[np.int64](np.int64, limits.stack_slots_log2)
        self._unreported: list[pl.DataFrame] = []
        # What the chunks are, by their numbers. Symbols are numbers, and -1 where there is no
        # frame; the leaf is packed; terms are what the symbols add to the key of a stack.
        self._chunk_symbols = np.empty((limits.first_chunks, CHUNK_WIDTH), np.int32)
        self._leaves = np.empty(limits.first_chunks, np.int64)
        self._terms = np.empty(limits.first_chunks, np.uint64)
        self._flags = np.zeros(limits.first_chunks, np.uint8)  # see DsoSymbols.flags
        self.inlined = 0  # samples with inlined functions
        self.uninlined = 0  # of which is not known which functions were inlined
        self.mangled = 0  # with names that stay mangled

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
        if self._symbols.has_flags:
            flags = np.bitwise_or.reduceat(self._flags.take(numbers), starts).take(chains.chains)
            self.inlined += int(np.count_nonzero(flags & HAS_INLINED))
            self.uninlined += int(np.count_nonzero(flags & LACKS_INLINED))
            self.mangled += int(np.count_nonzero(flags & IS_MANGLED))
        return ids.take(chains.chains), leaves.take(chains.chains)

    def _learn(self, chains: Chains, maps: MapsAt) -> None:
        """Note what the new chunks are."""
        end = chains.first + len(chains.address_spaces)
        if end > len(self._terms):
            self._chunk_symbols = np.resize(self._chunk_symbols, (2 * end, CHUNK_WIDTH))
            self._leaves = np.resize(self._leaves, 2 * end)
            self._terms = np.resize(self._terms, 2 * end)
            self._flags = np.resize(self._flags, 2 * end)
        packed = self._resolved(chains, maps)
        symbols = np.ascontiguousarray((packed >> 32).T, np.int32)
        self._chunk_symbols[chains.first : end] = symbols
        self._terms[chains.first : end] = kernels.chunk_terms(symbols)
        leaf = (packed < 0).sum(axis=0)
        leaves = self._symbols.innermost(packed[leaf, np.arange(len(leaf))])
        self._leaves[chains.first : end] = leaves
        flags = np.bitwise_or.reduce(self._symbols.flags(symbols), axis=1)
        self._flags[chains.first : end] = flags

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
        numbers, sizes = self._symbols.unchained(symbols[is_frame])
        ids = self._symbols.ids(numbers)
        frames = np.zeros(symbols.shape, np.int64)
        frames[is_frame] = sizes
        lengths = np.add.reduceat(frames.sum(axis=1), np.cumsum(counts) - counts)
        new = stack_rows(ids, lengths)
        self._unreported.append(new)
        return new["stack_id"].to_numpy()


class SampleResolver:
    """What has been found out of the addresses of one recording."""

    def __init__(self, recording: PerfRecording, options: ImportOptions) -> None:
        """`recording` says what is known before the first record."""
        self._kernel = RecordedKernel(recording, options)
        places = SymbolPlaces(options.symbol_dirs, options.host_files)
        self._binaries = Binaries(recording, places, inline=options.inline is not False)
        self._binary_names: list[str] = []
        self._is_due = False
        self._symbols = DsoSymbols()
        self._frames = Frames(self._user, self._kernel.open, self._symbols)
        self._stacks = ChainInterner(self._frames, self._symbols)
        self._kernel_maps = laid_out({})
        self._builder = BatchBuilder(RecordingMetadata(recording), self._symbols)

    def batches(self, items: Iterator[Item]) -> Iterator[Batch]:
        """A batch of each item, the facts in the last one."""
        prepared = background(self._prepare)
        try:
            for ready, said in items:
                self._is_due = True
                prepared.result()
                yield self._batch(ready, said)
        finally:
            self._is_due = True

    def _prepare(self) -> None:
        """Read the symbols that will be asked for, as far as there is time before the first samples
        come: perf notes the build ids of the binaries that were hit."""
        build_ids = self._binaries.recording.build_ids
        if KERNEL in build_ids:
            self._kernel.prepare()
        for name in build_ids:
            if self._is_due:
                break
            self._binaries.open(name)

    def _batch(self, ready: ResolvableSamples | None, said: RecordingMetadata) -> Batch:
        self._builder.said = said
        said.limitations[limitations.UNINLINED] = self._stacks.uninlined
        said.limitations[limitations.MANGLED] = self._stacks.mangled
        self._kernel.recording = said.recording
        self._binaries.recording = said.recording
        if ready is None:
            return self._builder.finish(self._files())
        return self._builder.batch(self._resolved(ready))

    def _files(self) -> FilesOfNames:
        binaries, kernel = self._binaries, self._kernel
        has_given = binaries.has_given_files or kernel.has_given_files
        return FilesOfNames(
            binaries.missing | kernel.missing, kernel.doubt, has_given, self._stacks.inlined
        )

    def _user(self, number: int) -> Dso[FileOffsets]:
        return self._binaries.open(self._binary_names[number])

    def _resolved(self, ready: ResolvableSamples) -> Resolved:
        self._binary_names += ready.dsos
        for task_event in ready.kernel:
            self._kernel.add(task_event)
        if self._kernel.changed:
            self._frames.forget_kernel()
            self._kernel_maps = laid_out({KERNEL_SPACE: self._kernel.maps()})
        stack, leaf = self._stacks.of(ready.chains, MapsAt(self._kernel_maps, ready.maps))
        return Resolved(ready, stack, leaf, self._symbols.take_new(), self._stacks.take_new())
