"""Callers in user space out of the copied stacks of `--call-graph dwarf`.

    regs 0xff0fff: ip 7f17a423f504 sp 7ffc1000 ...    stack 8192 bytes, of which 1232 are used
    -> PERF_CONTEXT_USER 7f17a423f504 7f17a4230c20 55d0c0de11a3, behind the kernel's part

Which file is at an address is said by the mappings that the process had then; the tables of a file
are read when the first stack leads through it, a rule in them once for all stacks. As with perf an
address in a caller is that of the byte in front of its return address.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from perfduck_ingest import limitations
from perfduck_ingest.perf_data import features, records
from perfduck_ingest.perf_data.binaries import Binaries, is_compiled
from perfduck_ingest.perf_data.callers import Placed, rebuilt
from perfduck_ingest.perf_data.features import PerfRecording
from perfduck_ingest.perf_data.mappings import COLUMNS, Mappings
from perfduck_ingest.perf_data.sample_columns import Samples, UserStacks
from perfduck_ingest.perf_data.symbol_places import SymbolPlaces
from perfduck_kernels import native
from perfduck_kernels.native import Unwinder
from perfduck_model.arrays import Int64, UInt8, UInt64
from perfduck_model.limits import limits
from perfduck_symbols.elf import BROKEN, Elf
from perfduck_symbols.elf_header import EM_AARCH64, EM_X86_64

_USER = np.uint64(records.CONTEXT_USER)
_MACHINES = {"x86_64": EM_X86_64, "aarch64": EM_AARCH64}
_SAID = {
    native.STACK_END: limitations.STACK_END,
    native.NO_TABLE: limitations.NO_TABLE,
    native.BROKEN: limitations.BROKEN_STACK,
}


class StackUnwinder:
    """Unwinds the stacks of a recording."""

    def __init__(
        self, recording: PerfRecording, places: SymbolPlaces, counted: Counter[str]
    ) -> None:
        """`counted` counts samples with fewer callers than there were."""
        self._recording = recording
        self._binaries = Binaries(recording, places)
        self._counted = counted
        self._native: Unwinder | None = None

    def with_callers(self, part: Placed, maps: dict[int, Mappings], dso_names: list[str]) -> Placed:
        """The samples with the callers of their stacks; `maps` are those of each version, and
        number the dsos of `dso_names`."""
        stacks = part.samples.user_stacks
        if stacks is None:
            return part
        unwinder = self._unwinder()
        has_stack = stacks.used > 0
        readable = has_stack & (stacks.abi == records.REGS_ABI_64) & (unwinder is not None)
        why = limitations.OTHER_MACHINE if native.version() else limitations.DWARF
        self._counted[why] += int((has_stack & ~readable).sum())
        chosen = np.flatnonzero(readable)
        if unwinder is None or not len(chosen):
            return part
        words = part.samples.block.words
        versions, spaces = np.unique(part.maps_version[chosen], return_inverse=True)
        laid_out = _LaidOut.of([maps[one] for one in versions.tolist()])
        while True:
            addresses, lengths, states, wanted = laid_out.unwound(
                unwinder, words, stacks.where(chosen), spaces
            )
            if not wanted:
                break
            for number in wanted:
                self._add(unwinder, number, dso_names[number])
        self._count(states)
        return part._replace(samples=_joined(part, chosen, addresses, lengths))

    def _unwinder(self) -> Unwinder | None:
        """That of the architecture, which a pipe may say behind the first records."""
        if self._native is None and not self._recording.order.big:
            architecture = self._recording.strings.get(features.ARCH, "")
            self._native = native.unwinder(architecture, limits.most_unwound_frames)
        return self._native

    def _add(self, unwinder: Unwinder, number: int, name: str) -> None:
        if is_compiled(name):
            unwinder.add_compiled(number)
            return
        machine = _MACHINES[self._recording.strings[features.ARCH]]
        try:
            tables = _UnwindTables.of(self._binaries, name, machine)
        except BROKEN:
            tables = None
        if tables is None:
            unwinder.add_unreadable(number)
        else:
            unwinder.add_file(
                number, tables.segments, tables.bases, tables.eh_frame, tables.debug_frame
            )

    def _count(self, states: UInt8) -> None:
        stops = states & (native.GUESSED - 1)
        for state, code in _SAID.items():
            self._counted[code] += int((stops == state).sum())
        self._counted[limitations.GUESSED] += int((states >= native.GUESSED).sum())


@dataclass(frozen=True, slots=True)
class _UnwindTables:
    """What perfduck_native needs of a file."""

    segments: list[tuple[int, int, int]]  # offset, size in the file, address
    bases: tuple[int, int, int]
    eh_frame: UInt8
    debug_frame: UInt8

    @classmethod
    def of(cls, binaries: Binaries, name: str, machine: int) -> "_UnwindTables | None":
        """Those of a binary; None where no file of it has any. .debug_frame may be in the file
        with debug information, whose segments say nothing."""
        runtime: Elf | None = None
        debug: Elf | None = None
        for elf in binaries.files(name):
            if not elf.is_64_bit or elf.header.machine != machine:
                continue
            runtime = runtime or (elf if _has(elf, ".eh_frame") else None)
            debug = debug or (elf if _has(elf, ".debug_frame") else None)
            if runtime and debug:
                break
        placed = runtime or debug
        if placed is None:
            return None
        return cls(
            [(one.offset, one.stored, one.address) for one in placed.header.segments],
            (_address(placed, ".eh_frame"), _address(placed, ".text"), _address(placed, ".got")),
            placed.section(".eh_frame"),
            (debug or placed).section(".debug_frame"),
        )


def _has(elf: Elf, name: str) -> bool:
    section = elf.find(name)
    return section is not None and section.is_stored and section.size > 0


def _address(elf: Elf, name: str) -> int:
    section = elf.find(name)
    return section.address if section else 0


@dataclass(frozen=True, slots=True)
class _LaidOut:
    """The mappings of several address spaces, one behind the other."""

    bounds: Int64
    columns: list[UInt64]  # in the order of COLUMNS

    @classmethod
    def of(cls, spaces: list[Mappings]) -> "_LaidOut":
        """Those of these."""
        columns = [
            np.frombuffer(b"".join(maps.column(name) for maps in spaces), np.uint64)
            for name in COLUMNS
        ]
        return cls(np.cumsum([0, *map(len, spaces)], dtype=np.int64), columns)

    def unwound(
        self, unwinder: Unwinder, words: UInt64, stacks: UserStacks, spaces: Int64
    ) -> tuple[UInt64, Int64, UInt8, list[int]]:
        """As Unwinder.unwind."""
        return unwinder.unwind(
            words, stacks.registers, stacks.mask, stacks.stack, stacks.used,
            spaces.astype(np.int64), self.bounds, *self.columns,
        )  # fmt: skip


def _joined(part: Placed, chosen: Int64, addresses: UInt64, lengths: Int64) -> Samples:
    """The samples with the user's part of their chains behind the kernel's."""
    samples = part.samples
    ends = np.cumsum(lengths)
    marked = np.insert(addresses, ends - lengths, _USER)
    starts, counts = np.zeros(len(samples), np.int64), np.zeros(len(samples), np.int64)
    starts[chosen] = len(samples.block.words) + ends - lengths + np.arange(len(chosen))
    counts[chosen] = lengths + 1
    return rebuilt(
        samples,
        np.concatenate([samples.block.words, marked]),
        [(samples.chain, np.maximum(samples.depth, 0), 1), (starts, counts, 1)],
    )
