"""ELF files: sections, symbols, relocations, build-id, debug link.

    .text    SHT_PROGBITS  flags 6  address 0x1000  offset 0x1000  size 0x1b3
    .symtab  SHT_SYMTAB    flags 0  offset 0x3050   size 0x7e0     link 29  entry 24

The flat tables (.symtab, relocations) are decoded from their bytes with numpy: pyelftools' loops
over them take 19 times as long on vmlinux and 260 times on a module, and a binary like node has
250,000 symbols, of which a recording hits some hundreds.

Addresses in a relocatable file (a module, ET_REL) count from the start of their section. Here they
are made distinct: section number << 40 + offset.
"""

import mmap
import struct
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from perfduck_model.arrays import Bool, UInt8, UInt32, UInt64
from perfduck_model.errors import SymbolError
from perfduck_model.limits import limits
from perfduck_model.special_files import what_is
from perfduck_model.zstandard import zstd
from perfduck_symbols import elf_header
from perfduck_symbols.addresses import FileOffsets, Svmas
from perfduck_symbols.compression import BROKEN as UNPACKING
from perfduck_symbols.compression import COMPRESSIONS, open_zstd, unpack_to_disk
from perfduck_symbols.elf_header import (
    EM_AARCH64,
    EM_PPC64,
    EM_RISCV,
    EM_S390,
    EM_X86_64,
    ET_REL,
    SHT_NOTE,
    ElfHeader,
    Section,
    build_id_of_notes,
)
from perfduck_symbols.files import is_regular

SECTION_SHIFT = 40
# What numpy, struct and the decompressors say of tables that point outside of the file.
BROKEN = (ValueError, LookupError, OverflowError, struct.error, zlib.error, zstd.ZstdError)
_ZSTD = 2  # ELFCOMPRESS_ZSTD
_FUNCTION, _LABEL, _INDIRECT, _GLOBAL = 2, 0, 10, 1
# Relocations that store an absolute value, by machine: their size in bytes.
_ABSOLUTE: dict[int, dict[int, int]] = {
    EM_X86_64: {1: 8, 10: 4, 11: 4},
    EM_AARCH64: {257: 8, 258: 4},
    EM_S390: {22: 8, 4: 4},
    EM_PPC64: {38: 8, 1: 4},
    EM_RISCV: {2: 8, 1: 4},
}
Table = npt.NDArray[Any]


class ElfError(ValueError):
    """A table or section of an ELF file that is not as the format says."""


@dataclass(frozen=True)
class Elf:
    """An open ELF file."""

    path: Path
    header: ElfHeader = field(repr=False)
    raw: memoryview = field(repr=False)

    @property
    def sections(self) -> tuple[Section, ...]:
        """All sections, in the order of their numbers."""
        return self.header.sections

    @property
    def relocatable(self) -> bool:
        """Whether it is an object file or a module, whose addresses count per section."""
        return self.header.type == ET_REL

    @cached_property
    def build_id(self) -> str | None:
        """The build-id in hexadecimal, where the linker left one."""
        for section in self.sections:
            if section.type == SHT_NOTE:
                notes = self.raw[section.offset : section.offset + section.size].tobytes()
                if build_id := build_id_of_notes(notes, self.order):
                    return build_id
        return None

    @cached_property
    def debug_link(self) -> str | None:
        """The file name of the debug information that was split off."""
        name = self.section(".gnu_debuglink").tobytes().split(b"\0")[0].decode("utf-8", "replace")
        return name if name and "/" not in name else None

    @cached_property
    def shared_debug(self) -> tuple[str, str] | None:
        """Path and build-id of the file with what debug files of several binaries share (dwz)."""
        name, _, identity = self.section(".gnu_debugaltlink").tobytes().partition(b"\0")
        return (name.decode("utf-8", "replace"), identity.hex()) if identity else None

    def find(self, name: str) -> Section | None:
        """A section by its name."""
        return next((one for one in self.sections if one.name == name), None)

    def section(self, name: str) -> UInt8:
        """The bytes of a section by its name; empty where there is none."""
        section = self.find(name)
        return np.zeros(0, np.uint8) if section is None else self.content(section)

    def content(self, section: Section) -> UInt8:
        """The decompressed bytes of a section without relocations; empty where none are stored."""
        if not section.is_stored:
            return np.zeros(0, np.uint8)
        if section.offset + section.size > len(self.raw):
            end = section.offset + section.size
            message = f"{section.name} ends at {end}, beyond the end of the file"
            raise ElfError(message)
        stored = self.raw[section.offset : section.offset + section.size]
        if not section.is_compressed:
            return np.frombuffer(stored, np.uint8)
        (method,) = struct.unpack_from(f"{self.order}I", stored)
        body = stored[24 if self.is_64_bit else 12 :]
        return np.frombuffer(_inflated(section.name, method, body), np.uint8)

    def strings(self, section: Section) -> UInt8:
        """The names that a symbol table refers to."""
        return self.content(self.sections[section.link])

    def relocated(self, name: str) -> UInt8:
        """The bytes of a section with its relocations applied."""
        data = self.section(name)
        table = self.relocations(name)
        return _apply(data, table, 0) if len(table) else data

    def relocations(self, name: str) -> Table:
        """[offset, size, value] of the absolute relocations of a section, by offset. A linked file
        may carry them too (vmlinux does, --emit-relocs), but there they are already applied."""
        section = self.find(f".rela{name}") if self.relocatable else None
        sizes = _ABSOLUTE.get(self.header.machine, {})
        dtype = np.dtype([("offset", "u8"), ("size", "u1"), ("value", "u8")])
        if section is None or not self.is_64_bit:
            return np.zeros(0, dtype)
        order = self.order
        rela = self.content(section).view(
            [("offset", f"{order}u8"), ("type", f"{order}u4"), ("symbol", f"{order}u4"),
             ("addend", f"{order}i8")]
        )  # fmt: skip
        size = np.zeros(1 << 10, np.uint8)
        size[list(sizes)] = list(sizes.values())
        symbols = self.symbol_table(self.find(".symtab"))[rela["symbol"]]
        made = np.zeros(len(rela), dtype)
        made["offset"], made["size"] = rela["offset"], size[np.minimum(rela["type"], 1023)]
        made["value"] = self._keys(symbols) + rela["addend"].astype(np.uint64)
        return np.sort(made[made["size"] > 0], order="offset", kind="stable")

    def symbol_table(self, section: Section | None) -> Table:
        """The rows of .symtab or .dynsym: name, info, other, section, value, size."""
        order = self.order
        wide = [("name", "u4"), ("info", "u1"), ("other", "u1"), ("section", "u2"),
                ("value", "u8"), ("size", "u8")]  # fmt: skip
        narrow = [wide[0], ("value", "u4"), ("size", "u4"), *wide[1:4]]
        layout = wide if self.is_64_bit else narrow
        row = np.dtype([(field, order + kind) for field, kind in layout])
        stored = np.zeros(0, np.uint8) if section is None else self.content(section)
        return stored[: len(stored) // row.itemsize * row.itemsize].view(row)

    def functions(self, name: str = ".symtab") -> pl.DataFrame:
        """[name, key, address, size, section] of the code symbols of a table. Labels count where
        they are global (entry_SYSCALL_64 is one) and in code."""
        section = self.find(name)
        table = self.symbol_table(section)
        strings = self.strings(section) if section and len(table) else np.zeros(0, np.uint8)
        kind, binding = table["info"] & 15, table["info"] >> 4
        label = (kind == _LABEL) & (binding >= _GLOBAL)
        code = np.isin(kind, (_FUNCTION, _INDIRECT)) | label
        sections = np.append(self._executable, np.zeros(1 << 16, bool))  # SHN_ABS and the like
        functions = table[code & (table["section"] > 0) & sections[table["section"]]]
        named = [self.sections[number].name for number in functions["section"]]
        return pl.DataFrame(
            {
                "name": names(strings, functions["name"]),
                "key": self._keys(functions),
                "address": functions["value"].astype(np.uint64),
                "size": functions["size"].astype(np.uint64),
                "section": pl.Series(named, dtype=pl.String),
                "label": (functions["info"] & 15) == _LABEL,
            }
        )

    def offsets(self, addresses: Svmas) -> FileOffsets:
        """Where in the file the code at these addresses lies. perf prints that of a program, and a
        program linked to a fixed address has its code at other addresses."""
        in_file: UInt64 = addresses.copy()
        for segment in self.header.segments:
            start, size = np.uint64(segment.address), np.uint64(segment.stored)
            inside = (addresses >= start) & (addresses - start < size)
            in_file[inside] = addresses[inside] - start + np.uint64(segment.offset)
        return FileOffsets(in_file)

    @property
    def is_64_bit(self) -> bool:
        """Whether addresses have 64 bits."""
        return self.header.bits == 64

    @property
    def order(self) -> str:
        """The byte order as numpy spells it."""
        return self.header.order

    @property
    def endianness(self) -> Literal["little", "big"]:
        """The byte order as Python spells it."""
        return "big" if self.header.is_big else "little"

    def _keys(self, symbols: Table) -> UInt64:
        values = symbols["value"].astype(np.uint64)
        if not self.relocatable:
            return values
        # Offsets into debug sections stay what they are.
        number = np.where(symbols["section"] < len(self._allocated), symbols["section"], 0)
        section = number.astype(np.uint64) * self._allocated[number]
        return values + (section << np.uint64(SECTION_SHIFT))

    @cached_property
    def _allocated(self) -> UInt64:
        return np.asarray([section.is_allocated for section in self.sections], np.uint64)

    @cached_property
    def _executable(self) -> Bool:
        return np.asarray([section.is_executable for section in self.sections], np.bool_)


def _inflated(name: str, method: int, body: memoryview) -> bytes:
    """The bytes of a compressed section; raises ElfError where they are too many."""
    most = limits.most_elf_section + 1
    if method == _ZSTD:
        content = open_zstd(BytesIO(body)).read(most)
    else:
        content = zlib.decompressobj().decompress(body, most)
    if len(content) == most:
        message = f"{name} of more than {limits.most_elf_section >> 20} MB"
        raise ElfError(message)
    return content


def open_elf(path: Path) -> Elf:
    """Open an ELF file, mapped into memory; a compressed one (.ko.xz) is decompressed first."""
    return elf_of(path, mapped(path))


def mapped(path: Path) -> mmap.mmap:
    """The bytes of a file that is to be an ELF file, mapped: they take no memory. A packed one is
    unpacked into a temporary file. Raises SymbolError."""
    if not is_regular(path):
        raise SymbolError.in_file(path, None, f"expected an ELF file, got: {what_is(path)}")
    try:
        with path.open("rb") as file:
            if not file.peek(6).startswith(tuple(COMPRESSIONS)):
                return _mapped(file.fileno())
        with unpack_to_disk(path, elf_header.MAGIC, "an ELF file", limits.most_elf_bytes) as disk:
            return _mapped(disk.fileno())
    except (ValueError, *UNPACKING) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SymbolError.in_file(path, None, f"expected an ELF file, got: {reason}") from error


def opened_or_none(path: Path) -> Elf | None:
    """The ELF file; None where it is none."""
    try:
        return open_elf(path)
    except SymbolError:
        return None


def elf_of(path: Path, raw: bytes | mmap.mmap) -> Elf:
    """The ELF file that these bytes are; `path` is what messages call it."""
    view = memoryview(raw)
    if view[:4] != elf_header.MAGIC or len(view) < elf_header.SMALLEST:
        message = "expected an ELF file, got: a magic number or a header that does not match"
        raise SymbolError.in_file(path, None, message)
    try:
        return Elf(path, elf_header.header(view), view)
    except BROKEN as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> SymbolError:
    """What to raise for one of BROKEN."""
    return SymbolError.in_file(path, None, f"expected an ELF file, got a damaged one: {error}")


def _mapped(descriptor: int) -> mmap.mmap:
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)


def names(strings: UInt8, offsets: UInt32) -> list[str]:
    """The names that begin at these places of a string table."""
    text = strings.tobytes()
    find = text.index
    return [text[at : find(0, at)].decode("utf-8", "replace") for at in offsets.tolist()]


def _apply(data: UInt8, table: Table, start: int) -> UInt8:
    """The bytes from `start` of a section with the relocations that lie in them applied."""
    patched = data.copy()
    for size, dtype in ((8, np.uint64), (4, np.uint32)):
        rows = table[table["size"] == size]
        at = rows["offset"].astype(np.int64) - start
        values = rows["value"].astype(dtype).view(np.uint8).reshape(-1, size)
        patched[at[:, None] + np.arange(size)] = values
    return patched


def window(data: UInt8, table: Table, start: int, size: int) -> bytes:
    """A part of a section, relocated: what a compile unit's head needs of 200 MB."""
    part = data[start : start + size]
    low, high = np.searchsorted(table["offset"], (start, start + len(part) - 8))
    return _apply(part, table[low:high], start).tobytes() if high > low else part.tobytes()
