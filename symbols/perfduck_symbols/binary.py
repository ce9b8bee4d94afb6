"""A binary's functions: what the store keeps of an ELF file.

    address            offset  size  name                         source_file
    ffffffff81e6651d   c6651d  0x93  __netif_receive_skb_one_core  net/core/dev.c

Kernels and modules get paths in the kernel tree, programs the compiler's.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from msgspec import Struct

from perfduck_symbols import source_path
from perfduck_symbols.addresses import Svmas
from perfduck_symbols.elf import BROKEN, Elf, damaged, open_elf
from perfduck_symbols.file_finder import TAGS, FileFinder, module_name

if TYPE_CHECKING:  # pyelftools takes 9 ms, and most imports read no debug information
    from perfduck_symbols.dwarf import Dwarf

FUNCTION = {
    "address": pl.UInt64,  # virtual; in a module from the start of the section
    "offset": pl.UInt64,  # in the file: what perf prints of a program
    "size": pl.UInt64,
    "name": pl.String,
    "section": pl.String,
    "source_file": pl.String,  # null where there is no debug information
}


class Binary(Struct, frozen=True):
    """An ELF file: vmlinux, a kernel module ('nf_conntrack'), a program or a library."""

    path: Path
    build_id: str | None
    module: str | None  # of the kernel; 'vmlinux' for the kernel itself, None in user space
    functions: pl.DataFrame  # FUNCTION, by section and address


def read(
    path: Path, *, roots: frozenset[str] = frozenset(), finder: FileFinder | None = None
) -> Binary:
    """The functions of an ELF file; symbols and debug information that were split off are taken
    from beside it, from .debug/ or from where `finder` finds them. `roots`: see source_path."""
    try:
        return _read(open_elf(path), roots, finder or FileFinder((), TAGS))
    except BROKEN as error:
        raise damaged(path, error) from error


def _read(elf: Elf, roots: frozenset[str], finder: FileFinder) -> Binary:
    module = module_name(elf.path)
    functions = _functions(_debug_file(elf, finder) or elf, module, roots)
    offsets = elf.offsets(Svmas(functions["address"].to_numpy()))
    rows = functions.with_columns(pl.Series("offset", offsets))
    return Binary(elf.path, elf.build_id, module, rows.select(list(FUNCTION)))


def _functions(elf: Elf, module: str | None, roots: frozenset[str]) -> pl.DataFrame:
    from perfduck_symbols.dwarf import Dwarf

    tables = [table for table in (".symtab", ".dynsym") if len(elf.section(table))]
    functions = pl.concat([_empty(), *(elf.functions(table) for table in tables)])
    functions = functions.unique(["name", "key"], maintain_order=True)
    sources = _sources(Dwarf(elf), functions["key"].to_numpy(), module, roots)
    rows = functions.with_columns(pl.Series("source_file", sources, pl.String))
    # entry_SYSCALL_64_after_hwframe is a label; _etext, which no unit owns, and a program's _end
    # are no functions.
    owned = pl.col("source_file").is_not_null() & pl.lit(module is not None)
    owned_rows = rows.filter(~pl.col("label") | owned)
    return owned_rows.sort("key", maintain_order=True)


def _empty() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"name": pl.String, "key": pl.UInt64, "address": pl.UInt64, "size": pl.UInt64,
                "section": pl.String, "label": pl.Boolean}
    )  # fmt: skip


def _sources(
    dwarf: "Dwarf", keys: "np.typing.NDArray[np.uint64]", module: str | None, roots: frozenset[str]
) -> list[str | None]:
    if not dwarf:
        return [None] * len(keys)
    owners = dwarf.ranges().owners(keys)
    units = {int(at): dwarf.source(int(at)) for at in np.unique(owners[owners >= 0])}
    known = roots or source_path.roots(units.values())
    paths: dict[int, str | None] = {-1: None}
    for at, (name, directory) in units.items():
        inside = module is not None
        paths[at] = source_path.in_tree(name, directory, known) if inside else name
    return [paths[at] for at in owners.tolist()]


def _debug_file(elf: Elf, finder: FileFinder) -> Elf | None:
    """The file with the symbols that were split off, if this one has none and it is there."""
    if len(elf.section(".symtab")) and len(elf.section(".debug_info")):
        return None
    for path in finder.debug(elf.path, elf.build_id, elf.debug_link):
        if path != elf.path and (debug := open_elf(path)).build_id == elf.build_id:
            return debug
    return None
