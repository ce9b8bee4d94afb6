"""Functions that a compiler inlined, by the debug information of a binary.

    libc.so.6  0x97a2f  -> malloc                       without
                        -> tcache_get, malloc           with: innermost first, as perf script prints

Names are those that perf prints: the linkage name where there is one, demangled. Only new addresses
are looked up, and only where there is debug information: `.debug_info` of the
binary, of what was split off from it, or of a vmlinux. The tables are read by addr2line of
perfduck_native, of a unit when the first address in it is looked up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perfduck_kernels import native
from perfduck_model.arrays import Int64, UInt8, UInt64
from perfduck_symbols.demangle import demangled
from perfduck_symbols.elf import BROKEN, Elf

_INFORMATION = ".debug_info"
_SECTIONS = (
    _INFORMATION, ".debug_abbrev", ".debug_addr", ".debug_aranges", ".debug_line",
    ".debug_line_str", ".debug_ranges", ".debug_rnglists", ".debug_str", ".debug_str_offsets",
)  # fmt: skip
_NOTHING = np.zeros(0, np.int64)


def has_debug_information(elf: Elf) -> bool:
    """Whether the file has any, itself."""
    section = elf.find(_INFORMATION)
    return section is not None and section.is_stored and section.size > 0


class DebugInformation:
    """What was inlined at addresses in a file. `names` are those of all functions met so far."""

    def __init__(self, elf: Elf, supplementary: Elf | None = None) -> None:
        """Read nothing yet. `supplementary`: what several binaries share (dwz)."""
        self.names: list[str] = []
        self._elf = elf
        self._supplementary = supplementary

    def at(self, svmas: UInt64) -> tuple[Int64, Int64]:
        """How many functions were inlined at each address, native.UNREADABLE where that cannot be
        known, and the numbers of their names, address by address and innermost first."""
        if self._inlines is None:
            return np.full(len(svmas), native.UNREADABLE), _NOTHING
        counts, numbers, fresh = self._inlines.at(svmas)
        self.names += map(demangled, fresh)
        return counts, numbers

    @cached_property
    def _inlines(self) -> native.Inlines | None:
        """None without perfduck_native, and where the information is damaged."""
        if not native.has_inlines():
            return None
        try:
            sections = _sections(self._elf)
            shared = None if self._supplementary is None else _sections(self._supplementary)
            return native.inlines(sections, shared, is_big=self._elf.header.is_big)
        except BROKEN:
            return None


def _sections(elf: Elf) -> dict[str, UInt8]:
    return {name: elf.relocated(name) for name in _SECTIONS if elf.find(name)}


@dataclass(frozen=True, slots=True)
class Inlined:
    """Functions inlined into those of a dso. `svmas` are the addresses, in the file with the debug
    information, of those that the dso's table has."""

    information: DebugInformation
    svmas: Callable[[UInt64], UInt64]


def of_binary(information: DebugInformation, runtime: Elf) -> Inlined:
    """Of a binary whose addresses are offsets in the file that ran."""
    return Inlined(information, lambda offsets: _addresses(runtime, offsets))


def _addresses(runtime: Elf, offsets: UInt64) -> UInt64:
    """The addresses of file offsets; 0, where no code is, of those in no segment."""
    addresses = np.zeros(len(offsets), np.uint64)
    for segment in reversed(runtime.header.segments):
        start = np.uint64(segment.offset)
        size = np.uint64(max(segment.size, segment.stored))  # a debug file stores no code
        inside = (offsets >= start) & (offsets - start < size)
        addresses[inside] = offsets[inside] - start + np.uint64(segment.address)
    return addresses
