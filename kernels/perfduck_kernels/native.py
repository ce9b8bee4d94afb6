"""The compiled module perfduck_native of kernels/native/, where it is installed."""

from importlib import import_module
from types import ModuleType
from typing import Protocol, cast

from perfduck_model.arrays import Int64, UInt8, UInt64

# What became of a sample's stack: unwind.rs.
OUTERMOST, STACK_END, NO_TABLE, BROKEN, WANTS_FILE = range(5)
GUESSED = 8  # added to one of these: frames were found by the frame pointer, without a table
UNREADABLE = -1  # in the place of how many functions were inlined: inlines.rs


class Unwinder(Protocol):
    """Unwinds stacks of one recording by the tables of its files, which have numbers."""

    def add_file(
        self,
        file: int,
        segments: list[tuple[int, int, int]],
        bases: tuple[int, int, int],
        eh_frame: UInt8,
        debug_frame: UInt8,
    ) -> None:
        """The unwind tables of a file. Segments are offset, size in the file, and address; bases
        the addresses of .eh_frame, .text and .got."""

    def add_compiled(self, file: int) -> None:
        """Memory with code of a just-in-time compiler: it has no tables, but frame pointers."""

    def add_unreadable(self, file: int) -> None:
        """A file that is not there, or has no tables."""

    def unwind(
        self,
        words: UInt64,
        registers: Int64,
        mask: int,
        stacks: Int64,
        used: Int64,
        spaces: Int64,
        bounds: Int64,
        starts: UInt64,
        ends: UInt64,
        biases: UInt64,
        files: UInt64,
    ) -> tuple[UInt64, Int64, UInt8, list[int]]:
        """The addresses of all chains, leaf first, how many each has, what became of each, and the
        files that are to be added before those of WANTS_FILE can be unwound.

        `words` hold the registers of `mask` (PERF_REG_*) and stacks of `used` bytes at the places
        `registers` and `stacks`. The mappings of the process of a sample are those from
        bounds[space] to before bounds[space + 1]: sorted, without overlap; `biases` lead from
        addresses to offsets in `files`."""


class Inlines(Protocol):
    """Which functions were inlined at addresses, by the debug information of a file."""

    def at(self, addresses: UInt64) -> tuple[Int64, Int64, list[str]]:
        """How many at each address, UNREADABLE where that cannot be known; the numbers of their
        names, address by address and innermost first; and the names that were not met before,
        which have the next numbers."""


def version() -> str | None:
    """The version of perfduck_native; None where it is not installed."""
    module = _module()
    return None if module is None else cast(str, module.__version__)


def unwinder(architecture: str, most_frames: int) -> Unwinder | None:
    """An unwinder for recordings of a machine, by the name that `uname -m` has for it; None where
    perfduck_native is not installed, or does not know its registers."""
    module = _module()
    try:
        made = None if module is None else module.Unwinder(architecture, most_frames)
    except ValueError:
        return None
    return cast(Unwinder | None, made)


def has_kernels() -> bool:
    """Whether perfduck_native is installed, and has the hot loops: native_kernels.py."""
    return hasattr(_module(), "stack_ids")


def has_inlines() -> bool:
    """Whether perfduck_native is installed, and knows inlined functions."""
    return hasattr(_module(), "Inlines")


def inlines(
    sections: dict[str, UInt8], supplementary: dict[str, UInt8] | None, *, is_big: bool
) -> Inlines:
    """Of the DWARF sections of a file, and of the one that it shares with others (dwz). Raises
    ValueError where they are damaged; has_inlines() is to be asked first."""
    module = import_module("perfduck_native")
    return cast(Inlines, module.Inlines(sections, supplementary, is_big))


def has_rust_names() -> bool:
    """Whether perfduck_native is installed, and demangles names of Rust."""
    return hasattr(_module(), "demangled_rust")


def demangled_rust(mangled: str) -> str | None:
    """The name as it is in the source, without hashes; None where it is not mangled as Rust does
    it. has_rust_names() is to be asked first."""
    return cast(str | None, import_module("perfduck_native").demangled_rust(mangled))


def _module() -> ModuleType | None:
    try:
        return import_module("perfduck_native")
    except ImportError:
        return None
