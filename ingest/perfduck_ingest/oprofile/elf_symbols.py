"""Functions of an ELF file as opreport sees them: where each begins in the file, and its name.

    address  file_offset  size  name
    0x12b8   0x12b8       54    _ZZ4workiPFviEENKUliE_clEi
    0x12ee   0x12ee       172   _Z8now_loopi

Taken from .symtab of the file and of its separate debug file; from .dynsym only where there is no
.symtab. A function of .symtab reaches to the next symbol of its section, whatever its own size
says: padding and hand-written code without a name belong to what stands before. perf has other
rules (perfduck_symbols.elf_symbols).
"""

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from perfduck_model.arrays import UInt8
from perfduck_model.errors import SymbolError
from perfduck_symbols.elf import BROKEN, Elf, elf_of
from perfduck_symbols.elf import names as names_at

FUNCTIONS = {"address": pl.UInt64, "file_offset": pl.UInt64, "size": pl.UInt64, "name": pl.String}
_SECTION, _FILE = 3, 4  # types of symbols that are no functions
_NOTES = ("gcc2_compiled.", "gnu_compiled_c", "$a", "$t", "$d", "$x")


@dataclass(frozen=True, slots=True)
class CodeSection:
    """An executable section."""

    number: int
    name: str
    address: int
    file_offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ElfFunctions:
    """What names need of an ELF file. `symbols` and `dynamic` hold [address, section, size, name,
    strength]."""

    is_linked: bool  # not a .ko, .o or .jo: there values count from the section
    sections: tuple[CodeSection, ...]
    symbols: pl.DataFrame
    dynamic: pl.DataFrame
    build_id: str | None
    debug_link: str | None
    has_debug: bool


def read_elf(content: bytes | mmap.mmap) -> ElfFunctions | None:
    """The symbols and sections of an ELF file; None where the bytes are none."""
    try:
        elf = elf_of(Path("ELF"), content)
        return ElfFunctions(
            is_linked=not elf.relocatable,
            sections=tuple(_sections(elf)),
            symbols=_symbols(elf, ".symtab"),
            dynamic=_symbols(elf, ".dynsym"),
            build_id=elf.build_id,
            debug_link=elf.debug_link,
            has_debug=elf.find(".debug_info") is not None,
        )
    except (SymbolError, *BROKEN):
        return None


def functions(
    elf: ElfFunctions, debug: ElfFunctions | None = None, *, dynamic: bool = True
) -> pl.DataFrame:
    """The functions of a file, by file offset. `debug` is its separate debug file; `dynamic` takes
    .dynsym, bounded by the sizes that it gives, where there is no .symtab."""
    named = pl.concat([elf.symbols, *([debug.symbols] if debug is not None else [])])
    if named.is_empty() and dynamic:
        return _placed(elf, elf.dynamic, own_size=True)
    return _placed(elf, named, own_size=False)


def text_section(elf: ElfFunctions) -> CodeSection | None:
    """The section `.text`."""
    return next((section for section in elf.sections if section.name == ".text"), None)


def _sections(elf: Elf) -> list[CodeSection]:
    found = [
        CodeSection(number, section.name, section.address, section.offset, section.size)
        for number, section in enumerate(elf.sections)
        if section.is_executable and section.is_stored
    ]
    return sorted(found, key=lambda section: section.file_offset)


def _symbols(elf: Elf, table: str) -> pl.DataFrame:
    """The symbols of one table that lie in executable sections. In a debug file these sections are
    empty, but keep their numbers."""
    section = elf.find(table)
    if section is None or not section.is_stored:
        return _frame([], [], [], [], [])
    rows, strings = elf.symbol_table(section), elf.strings(section)
    kept = (rows["section"] > 0) & (rows["section"] < len(elf.sections))
    kept &= ~np.isin(rows["info"] & 15, (_SECTION, _FILE)) & (rows["name"] < len(strings))
    executable = np.array([one.is_executable for one in elf.sections])
    rows = rows[kept]
    rows = rows[executable[rows["section"]]]
    names = names_at(strings, rows["name"])
    return _frame(
        rows["value"].astype(np.uint64), rows["section"], rows["size"].astype(np.uint64), names,
        _strength(rows["info"] >> 4),
    )  # fmt: skip


_SYMBOL = {
    "address": pl.UInt64,
    "section": pl.UInt32,
    "size": pl.UInt64,
    "name": pl.String,
    "strength": pl.UInt8,
}


def _frame(*columns: object) -> pl.DataFrame:
    frame = pl.DataFrame(dict(zip(_SYMBOL, columns, strict=True)), schema=_SYMBOL)
    note = pl.col("name").is_in(_NOTES) | pl.col("name").str.starts_with(".L")
    return frame.filter(~note & (pl.col("name") != ""))


def _strength(binding: UInt8) -> UInt8:
    """Global 2, weak 1, local 0."""
    return np.select([binding == 1, binding == 2], [2, 1], 0).astype(np.uint8)


def _placed(elf: ElfFunctions, symbols: pl.DataFrame, *, own_size: bool) -> pl.DataFrame:
    """The functions of all sections."""
    parts = []
    for section in elf.sections:
        own = symbols
        if not elf.is_linked:
            address = pl.col("address") + section.address
            own = symbols.filter(section=section.number).with_columns(address)
        parts.append(_in_section(section, own, own_size=own_size))
    if not parts:
        return pl.DataFrame(schema=FUNCTIONS)
    return pl.concat(parts).sort("file_offset").cast(pl.Schema(FUNCTIONS))


def _in_section(section: CodeSection, symbols: pl.DataFrame, *, own_size: bool) -> pl.DataFrame:
    """One function per address: the stronger binding, then a name that does not begin with `_`."""
    end = section.address + section.size
    inside = symbols.filter(pl.col("address").is_between(section.address, end, closed="left"))
    best = inside.with_columns(
        bare=~pl.col("name").str.starts_with("_"), global_=pl.col("strength") > 0
    )
    best = best.sort(
        ["address", "global_", "bare", "strength"],
        descending=[False, True, True, True],
        maintain_order=True,
    ).unique("address", keep="first", maintain_order=True)
    to_next = (pl.col("address").shift(-1).fill_null(end) - pl.col("address")).alias("size")
    sized = best if own_size else best.with_columns(to_next)
    offset = pl.col("address") - section.address + section.file_offset
    return sized.with_columns(file_offset=offset).select(*FUNCTIONS)
