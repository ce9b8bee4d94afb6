"""The symbols of a binary, at their offsets in the file: what perf counts user addresses by.

    .symtab  FUNC GLOBAL  0x4011c6  87  parse_line     ->  0x11c6 - 0x121d  parse_line
    .dynsym  FUNC WEAK    ...
    .rela.plt             strcmp                       ->  0x1030 - 0x1040  strcmp@plt

Symbols come from the tables of the file itself or of its debug file; `.plt` has none, its entries
are named by what they jump to (symbol-elf.c, dso__synthesize_plt_symbols).
"""

import re
from dataclasses import dataclass
from typing import Generic, cast

import numpy as np
import numpy.typing as npt

from perfduck_model.arrays import Bool, Int64, UInt8, UInt64
from perfduck_symbols.addresses import (
    EMPTY,
    Aliases,
    FileOffsets,
    Names,
    Place,
    Svmas,
    SymbolTable,
    ends_of,
    scores,
)
from perfduck_symbols.demangle import demangled
from perfduck_symbols.elf import BROKEN, Elf, Table, damaged
from perfduck_symbols.elf_header import EM_AARCH64, EM_ARM, Section

_NOTYPE, _OBJECT, _FUNC, _IFUNC = 0, 1, 2, 10
_GLOBAL, _WEAK = 1, 2
_INTERNAL, _HIDDEN = 1, 2
_RESERVED = 0xFF00  # section numbers from here on mean something else: absolute, common
_PLT_HEADER_AND_ENTRY = {EM_ARM: (20, 12), EM_AARCH64: (32, 16)}


@dataclass(frozen=True, slots=True)
class _Symbols(Generic[Place]):
    """Columns, in the order of a symbol table or sorted by start."""

    starts: Place
    sizes: UInt64
    bindings: Int64
    names: Names

    def take(self, indices: Int64 | Bool) -> "_Symbols[Place]":
        return _Symbols(
            cast(Place, self.starts[indices]),
            self.sizes[indices],
            self.bindings[indices],
            self.names.take(indices),
        )


def symbol_table(elf: Elf, runtime: Elf) -> SymbolTable[FileOffsets]:
    """The symbols that the file `elf` has of the binary `runtime`: often the same file. Raises
    one of elf.BROKEN."""
    merged: _Symbols[FileOffsets] | None = None
    for name in (".symtab", ".dynsym"):
        section = elf.find(name)
        if section is not None and section.is_stored:
            fresh = _at_offsets(elf, section, runtime)
            merged = fresh if merged is None else _both(merged, fresh)
    plt = _plt(runtime)
    if plt is not None:
        merged = plt if merged is None else _both(merged, plt)
    return EMPTY if merged is None or not len(merged.starts) else _settled(merged)


def kernel_table(vmlinux: Elf) -> SymbolTable[Svmas]:
    """The symbols of a kernel at the addresses it was linked to."""
    section = vmlinux.find(".symtab")
    try:
        return EMPTY if section is None else _settled(_at_addresses(vmlinux, section))
    except BROKEN as error:
        raise damaged(vmlinux.path, error) from error


def address_of(elf: Elf, name: str) -> int | None:
    """Where a symbol of .symtab is."""
    section = elf.find(".symtab")
    if section is None:
        return None
    # A linker may keep a name as the end of a longer one.
    ends = re.finditer(re.escape(name.encode()) + b"\0", elf.strings(section).tobytes())
    entries = elf.symbol_table(section)
    values = entries[np.isin(entries["name"], [one.start() for one in ends])]
    return int(values["value"][0]) if len(values) else None


def _both(one: _Symbols[Place], other: _Symbols[Place]) -> _Symbols[Place]:
    return _Symbols(
        cast(Place, np.concatenate((one.starts, other.starts))),
        np.concatenate((one.sizes, other.sizes)),
        np.concatenate((one.bindings, other.bindings)),
        one.names.and_(other.names),
    )


def _settled(symbols: _Symbols[Place]) -> SymbolTable[Place]:
    """Sorted, every symbol with its end, one for each start."""
    ordered = symbols.take(np.argsort(symbols.starts, kind="stable"))
    ends = ends_of(ordered.starts, ordered.sizes)
    ranks = scores(ordered.starts, ends, ordered.bindings == _WEAK, ordered.bindings == _GLOBAL)
    aliases = Aliases(ordered.starts, ranks, ordered.names)
    kept = aliases.kept()
    return SymbolTable(
        cast(Place, ordered.starts[kept]),
        ends[kept],
        lambda index: aliases.name(int(kept[index]), demangled),
    )


def _at_addresses(elf: Elf, section: Section) -> _Symbols[Svmas]:
    entries, names = _entries(elf, section)
    return _columns(_values(entries), entries, names)


def _at_offsets(elf: Elf, section: Section, runtime: Elf) -> _Symbols[FileOffsets]:
    """The symbols that `elf` has, at their offsets in the file that ran."""
    entries, names = _entries(elf, section)
    return _columns(_offsets(runtime, _values(entries), entries["section"]), entries, names)


def _values(entries: Table) -> Svmas:
    return Svmas(entries["value"].astype(np.uint64))


def _entries(elf: Elf, section: Section) -> tuple[Table, UInt8]:
    """The rows that are kept, and where their names are."""
    entries = elf.symbol_table(section)
    strings = elf.strings(section)
    return entries[_is_kept(elf, entries) & (entries["name"] < len(strings))], strings


def _columns(starts: Place, entries: Table, strings: UInt8) -> _Symbols[Place]:
    return _Symbols(
        starts,
        entries["size"].astype(np.uint64),
        (entries["info"] >> 4).astype(np.int64),
        Names.ending_in_zero(strings, entries["name"].astype(np.int64)),
    )


def _is_kept(elf: Elf, entries: Table) -> Bool:
    """Functions, objects, and labels in text and data sections, as symbol-elf.c filters them."""
    kind, section = entries["info"] & 15, entries["section"]
    visibility = entries["other"] & 3
    visible = (visibility != _HIDDEN) & (visibility != _INTERNAL)
    allocated = np.array([one.is_allocated for one in elf.sections] or [False])
    named = np.array(["text" in one.name or "data" in one.name for one in elf.sections] or [False])
    placed = (entries["name"] != 0) & (section != 0) & (section < _RESERVED)
    index = np.where(section < len(allocated), section, 0)
    label = (kind == _NOTYPE) & visible & named[index]
    function = (kind == _FUNC) | (kind == _IFUNC) | (kind == _OBJECT)
    return np.asarray(placed & allocated[index] & (function | label))


def _offsets(runtime: Elf, values: Svmas, sections: npt.NDArray[np.uint16]) -> FileOffsets:
    """File offsets of addresses: by the segment, else by the section."""
    result: UInt64 = values.copy()
    is_placed = np.zeros(len(values), np.bool_)
    for segment in runtime.header.segments:
        start, size = np.uint64(segment.address), np.uint64(max(segment.size, segment.stored))
        inside = ~is_placed & (values >= start) & (values - start < size)
        result[inside] += np.uint64((segment.offset - segment.address) % (1 << 64))
        is_placed |= inside
    for index in np.unique(sections[~is_placed]).tolist():
        if index < len(runtime.sections):
            section = runtime.sections[index]
            in_section = ~is_placed & (sections == index)
            result[in_section] += np.uint64((section.offset - section.address) % (1 << 64))
    return FileOffsets(result)


def _plt(elf: Elf) -> _Symbols[FileOffsets] | None:
    """The entries of .plt, named by the symbols that .rela.plt refers to."""
    plt, dynamic = elf.find(".plt"), elf.find(".dynsym")
    relocations = elf.find(".rela.plt") or elf.find(".rel.plt")
    if plt is None or relocations is None or dynamic is None:
        return None
    if relocations.link >= len(elf.sections) or elf.sections[relocations.link] != dynamic:
        return None
    numbers = _relocated(elf, relocations)
    symbols, strings = elf.symbol_table(dynamic), elf.strings(dynamic)
    if not len(numbers) or int(numbers.max()) >= len(symbols):
        return None
    targets = symbols["name"][numbers].astype(np.int64)
    if int(targets.max()) >= len(strings):
        return None
    head, step = _PLT_HEADER_AND_ENTRY.get(elf.header.machine, (plt.entry, plt.entry))
    if not step:  # lld leaves it out, and then perf knows no entries either
        return None
    return _Symbols(
        FileOffsets((plt.offset + head + step * np.arange(len(numbers))).astype(np.uint64)),
        np.full(len(numbers), step, np.uint64),
        np.full(len(numbers), _GLOBAL, np.int64),
        Names.ending_in_zero(strings, targets, "@plt"),
    )


def _relocated(elf: Elf, section: Section) -> Int64:
    """The number of the symbol that each relocation is for."""
    width = 8 if elf.is_64_bit else 4
    words = 3 if section.name.startswith(".rela") else 2
    stored = elf.content(section)
    whole = len(stored) // (words * width) * words * width
    info = stored[:whole].view(f"{elf.order}u{width}").reshape(-1, words)[:, 1]
    return (info >> (32 if elf.is_64_bit else 8)).astype(np.int64)
