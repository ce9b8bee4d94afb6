"""From the keys of a sample file to functions.

    key 0x3a2390 of /proc/kallsyms: ip - address of _stext      finish_task_switch.isra.0 + 0x10
    key 0x1640   of a file: the offset in the file              now_loop(int) + 0x12

A table holds the functions of one image by the key at which each begins. Those of an ELF file are
as opreport sees them:

    address  file_offset  size  name
    0x12b8   0x12b8       54    _ZZ4workiPFviEENKUliE_clEi
    0x12ee   0x12ee       172   _Z8now_loopi

Taken from .symtab of the file and of its separate debug file; from .dynsym only where there is no
.symtab. A function of .symtab reaches to the next symbol of its section, for any size of its own:
padding and hand-written code without a name belong to what is before. perf has other rules
(perfduck_symbols.elf_symbols).
"""

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from perfduck_model.arrays import UInt8, UInt64
from perfduck_model.errors import SymbolError
from perfduck_symbols.elf import BROKEN, Elf, elf_of
from perfduck_symbols.elf import names as names_at
from perfduck_symbols.intervals import Intervals
from perfduck_symbols.kallsyms import last_of_each
from perfduck_symbols.names import KERNEL, UNKNOWN

# Where a page begins: memory for modules is given out in pages.
_PAGE = 4096


@dataclass(frozen=True)
class ImageSymbols(Intervals[UInt64]):
    """Functions by key. `base` is added to the key of an address without a name. `dsos` are those
    of functions that the image's own name does not say."""

    names: pl.Series
    base: int = 0
    dsos: pl.Series | None = None

    def resolve(self, keys: UInt64) -> pl.DataFrame:
        """[name, dso, address, offset] of each key: address where there is no name, else offset;
        the dso is null where it is the image's."""
        index = self.find(keys)
        has_symbol = index >= 0
        offsets = keys - self.starts[index] if len(self.starts) else np.zeros_like(keys)
        with np.errstate(over="ignore"):
            addresses = (keys + np.uint64(self.base)).view(np.int64)
        picked = pl.Series(np.where(has_symbol, index, 0)) if len(self.starts) else None
        names = self.names.gather(picked) if picked is not None else pl.Series([UNKNOWN])
        has_dsos = self.dsos is not None and picked is not None
        dsos = self.dsos.gather(picked) if has_dsos else None  # type: ignore[union-attr,arg-type]
        return pl.select(
            pl.lit(pl.Series(has_symbol)).alias("known"),
            pl.lit(pl.Series(addresses)).alias("address"),
            pl.lit(pl.Series(offsets.view(np.int64))).alias("offset"),
        ).select(
            pl.when("known").then(pl.lit(names)).otherwise(pl.lit(UNKNOWN)).alias("name"),
            pl.when("known").then(pl.lit(dsos, pl.String)).alias("dso"),
            pl.when(~pl.col("known")).then("address").alias("address"),
            pl.when("known").then("offset").alias("offset"),
        )


EMPTY = ImageSymbols(
    np.array([], np.uint64), np.array([], np.uint64), pl.Series([], dtype=pl.String)
)


def of_kernel(symbols: pl.DataFrame, base: int, end: int | None) -> ImageSymbols:
    """The functions of kallsyms, by address, as offsets from `base`. Each reaches to the next one;
    of several names at one address the last line's is taken, as opreport does."""
    own = symbols.filter(pl.col("module").is_null() & (pl.col("address") >= base))
    own = own if end is None else own.filter(pl.col("address") < end)
    last = last_of_each(own)
    starts = last["address"].to_numpy() - np.uint64(base)
    limit = end - base if end is not None else int(starts[-1]) + _PAGE if len(starts) else 0
    return ImageSymbols(starts, np.append(starts[1:], np.uint64(limit)), last["name"], base)


def of_addresses(symbols: pl.DataFrame) -> ImageSymbols:
    """The functions of kallsyms, of modules too, by their addresses. Each reaches to the next one,
    the last of a module to the end of its page at most."""
    last = last_of_each(symbols)
    ends = last.select(
        pl.when(pl.col("module").eq_missing(pl.col("module").shift(-1)))
        .then(pl.col("address").shift(-1))
        .otherwise(pl.min_horizontal(pl.col("address").shift(-1), pl.col("address") + _PAGE))
        .fill_null(pl.col("address") + _PAGE)
    ).to_series()
    dsos = last.select(pl.format("[{}]", pl.col("module").fill_null(KERNEL.strip("[]"))))
    starts = last["address"].to_numpy()
    return ImageSymbols(starts, ends.to_numpy(), last["name"], dsos=dsos.to_series())


def of_module(symbols: pl.DataFrame, module: str) -> ImageSymbols | None:
    """The functions of a module as offsets from where its code was loaded, which is nowhere:
    the beginning of the page of its first function."""
    own = symbols.filter(pl.col("module") == module)
    if own.is_empty():
        return None
    first = int(own["address"].min())  # type: ignore[arg-type]
    return of_kernel(own.with_columns(module=pl.lit(None, pl.String)), first // _PAGE * _PAGE, None)


def of_functions(functions: pl.DataFrame, column: str, base: int) -> ImageSymbols:
    """The functions of an ELF file by `column` (file_offset or address), counted from `base`."""
    after = functions.filter(pl.col(column) >= base).sort(column)
    starts = after[column].to_numpy() - np.uint64(base)
    return ImageSymbols(starts, starts + after["size"].to_numpy(), after["name"])


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
    sections = [
        CodeSection(number, section.name, section.address, section.offset, section.size)
        for number, section in enumerate(elf.sections)
        if section.is_executable and section.is_stored
    ]
    return sorted(sections, key=lambda section: section.file_offset)


def _symbols(elf: Elf, table: str) -> pl.DataFrame:
    """The symbols of one table that lie in executable sections. In a debug file these sections are
    empty, but keep their numbers."""
    section = elf.find(table)
    if section is None or not section.is_stored:
        return _frame([], [], [], [], [])
    rows, strings = elf.symbol_table(section), elf.strings(section)
    in_section = (rows["section"] > 0) & (rows["section"] < len(elf.sections))
    in_section &= ~np.isin(rows["info"] & 15, (_SECTION, _FILE)) & (rows["name"] < len(strings))
    executable = np.array([one.is_executable for one in elf.sections])
    rows = rows[in_section]
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
