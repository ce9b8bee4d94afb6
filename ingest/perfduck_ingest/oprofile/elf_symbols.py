"""Functions of an ELF file: where each begins in the file, and its name.

    address  file_offset  size  name
    0x12b8   0x12b8       54    work(int, void (*)(int))::{lambda(int)#1}::operator()(int) const
    0x12ee   0x12ee       172   now_loop(int)

Taken from .symtab of the file and of its separate debug file; from .dynsym only where there is no
.symtab. A function of .symtab reaches to the next one of its section, whatever its own size says:
padding and hand-written code without a name belong to what stands before.
"""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import zstandard
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

FUNCTIONS = {"address": pl.UInt64, "file_offset": pl.UInt64, "size": pl.UInt64, "name": pl.String}
_EXECUTABLE, _NOT_IN_FILE = 0x4, "SHT_NOBITS"
_SECTION, _FILE = 3, 4  # types of symbols that are no functions
_NOTES = ("gcc2_compiled.", "gnu_compiled_c", "$a", "$t", "$d", "$x")


@dataclass(frozen=True, slots=True)
class Section:
    """An executable section."""

    number: int
    name: str
    address: int
    file_offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Elf:
    """What names need of an ELF file. `symbols` and `dynamic` hold [address, section,
    size, name, strength]."""

    is_linked: bool  # not a .ko, .o or .jo: there values count from the section
    sections: tuple[Section, ...]
    symbols: pl.DataFrame
    dynamic: pl.DataFrame
    build_id: str | None
    debug_link: str | None
    has_debug: bool


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(content).read()


_DECOMPRESS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
    b"BZh": bz2.decompress,
    b"\x28\xb5\x2f\xfd": _zstd,
}


def decompressed(content: bytes) -> bytes:
    """The content itself, or what is in it if it begins like a compressed file (.ko.xz)."""
    for magic, decompress in _DECOMPRESS.items():
        if content.startswith(magic):
            return decompress(content)
    return content


def read_elf(content: bytes) -> Elf | None:
    """The symbols and sections of an ELF file; None where the bytes are none."""
    try:
        file = ELFFile(io.BytesIO(content))
        return Elf(
            is_linked=file["e_type"] != "ET_REL",
            sections=tuple(_sections(file)),
            symbols=_symbols(file, ".symtab"),
            dynamic=_symbols(file, ".dynsym"),
            build_id=_build_id(file),
            debug_link=_debug_link(file),
            has_debug=file.get_section_by_name(".debug_info") is not None,
        )
    # What pyelftools raises on damaged files, beside its own error
    except (ELFError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError):
        return None
    except (AssertionError, UnicodeDecodeError, MemoryError):
        return None


def functions(elf: Elf, debug: Elf | None = None, *, dynamic: bool = True) -> pl.DataFrame:
    """The functions of a file, by file offset. `debug` is its separate debug file; `dynamic` takes
    .dynsym, bounded by the sizes that it gives, where there is no .symtab."""
    named = pl.concat([elf.symbols, *([debug.symbols] if debug is not None else [])])
    if named.is_empty() and dynamic:
        return _placed(elf, elf.dynamic, own_size=True)
    return _placed(elf, named, own_size=False)


def text_section(elf: Elf) -> Section | None:
    """The section `.text`."""
    return next((section for section in elf.sections if section.name == ".text"), None)


def _sections(file: ELFFile) -> list[Section]:
    found = [
        Section(number, section.name, section["sh_addr"], section["sh_offset"], section["sh_size"])
        for number, section in enumerate(file.iter_sections())
        if section["sh_flags"] & _EXECUTABLE and section["sh_type"] != _NOT_IN_FILE
    ]
    return sorted(found, key=lambda section: section.file_offset)


_FIELDS = {
    64: "name:u4 info:u1 other:u1 section:u2 value:u8 size:u8",
    32: "name:u4 value:u4 size:u4 info:u1 other:u1 section:u2",
}


def _symbol_type(file: ELFFile) -> np.dtype[np.void]:
    order = "<" if file.little_endian else ">"
    fields = [field.split(":") for field in _FIELDS[file.elfclass].split()]
    return np.dtype([(name, order + code) for name, code in fields])


def _symbols(file: ELFFile, table: str) -> pl.DataFrame:
    """[address, section, size, name, strength] of one table."""
    section = file.get_section_by_name(table)
    if section is None or section["sh_type"] == _NOT_IN_FILE:
        return _frame([], [], [], [], [])
    kind = _symbol_type(file)
    data = section.data()
    rows = np.frombuffer(data, kind, len(data) // kind.itemsize)
    strings = file.get_section(section["sh_link"]).data()
    count = file.num_sections()
    kept = (rows["section"] > 0) & (rows["section"] < count)
    kept &= ~np.isin(rows["info"] & 15, (_SECTION, _FILE))
    executable = np.array([bool(one["sh_flags"] & _EXECUTABLE) for one in file.iter_sections()])
    rows = rows[kept]
    rows = rows[executable[rows["section"]]]
    names = [
        strings[start : strings.find(b"\0", start)].decode("utf-8", "replace")
        for start in rows["name"]
    ]
    strong = _strength(rows["info"] >> 4)
    return _frame(rows["value"], rows["section"], rows["size"], names, strong)


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


def _strength(binding: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Global 2, weak 1, local 0."""
    return np.select([binding == 1, binding == 2], [2, 1], 0).astype(np.uint8)


def _placed(elf: Elf, symbols: pl.DataFrame, *, own_size: bool) -> pl.DataFrame:
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


def _in_section(section: Section, symbols: pl.DataFrame, *, own_size: bool) -> pl.DataFrame:
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


def _build_id(file: ELFFile) -> str | None:
    section = file.get_section_by_name(".note.gnu.build-id")
    if section is None:
        return None
    data = section.data()
    return data[16:].hex() or None


def _debug_link(file: ELFFile) -> str | None:
    section = file.get_section_by_name(".gnu_debuglink")
    if section is None:
        return None
    name = section.data().split(b"\0")[0].decode("utf-8", "replace")
    return name if name and "/" not in name else None
