"""The tables of an ELF file, as columns: sections, segments, symbols, build id.

    .symtab    type 2  flags 0  offset 0x3050  size 0x7e0  link 29  entry 24
    .dynsym    type 11 flags 2  offset 0x3c8   size 0x258  link 7   entry 24

Read by numpy from the mapped file: a binary like node has 250,000 symbols, of which a recording
hits some hundreds.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SYMTAB, NOBITS, DYNSYM, NOTE = 2, 8, 11, 7
LOAD = 1
_BUILD_ID_NOTE = 3

Table = npt.NDArray[Any]

_HEADER = {
    2: [("type", "u2"), ("machine", "u2"), ("version", "u4"), ("entry", "u8"), ("segments", "u8"),
        ("sections", "u8"), ("flags", "u4"), ("size", "u2"), ("segment_size", "u2"),
        ("segment_count", "u2"), ("section_size", "u2"), ("section_count", "u2"), ("names", "u2")],
    1: [("type", "u2"), ("machine", "u2"), ("version", "u4"), ("entry", "u4"), ("segments", "u4"),
        ("sections", "u4"), ("flags", "u4"), ("size", "u2"), ("segment_size", "u2"),
        ("segment_count", "u2"), ("section_size", "u2"), ("section_count", "u2"), ("names", "u2")],
}  # fmt: skip
_SECTION = {
    2: [("name", "u4"), ("type", "u4"), ("flags", "u8"), ("address", "u8"), ("offset", "u8"),
        ("size", "u8"), ("link", "u4"), ("info", "u4"), ("align", "u8"), ("entry", "u8")],
    1: [("name", "u4"), ("type", "u4"), ("flags", "u4"), ("address", "u4"), ("offset", "u4"),
        ("size", "u4"), ("link", "u4"), ("info", "u4"), ("align", "u4"), ("entry", "u4")],
}  # fmt: skip
_SEGMENT = {
    2: [("type", "u4"), ("flags", "u4"), ("offset", "u8"), ("address", "u8"), ("physical", "u8"),
        ("file_size", "u8"), ("size", "u8"), ("align", "u8")],
    1: [("type", "u4"), ("offset", "u4"), ("address", "u4"), ("physical", "u4"),
        ("file_size", "u4"), ("size", "u4"), ("flags", "u4"), ("align", "u4")],
}  # fmt: skip
_SYMBOL = {
    2: [("name", "u4"), ("info", "u1"), ("other", "u1"), ("section", "u2"), ("value", "u8"),
        ("size", "u8")],
    1: [("name", "u4"), ("value", "u4"), ("size", "u4"), ("info", "u1"), ("other", "u1"),
        ("section", "u2")],
}  # fmt: skip


_RELOCATABLE = 1  # .o, .ko: values of symbols count from the section


class BrokenElf(Exception):
    """No ELF file, or one that is cut off."""


@dataclass(frozen=True, slots=True)
class Section:
    """Where a section lies."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    entry: int


class Elf:
    """An ELF file, of either size and byte order."""

    def __init__(self, source: Path | bytes) -> None:
        """Open the file, or take its bytes; raises BrokenElf."""
        self.raw = source if isinstance(source, bytes) else _mapped(source)
        if self.raw[:4] != b"\x7fELF" or self.raw[4] not in _HEADER:
            message = "no ELF file"
            raise BrokenElf(message)
        self._class = self.raw[4]
        self.order = ">" if self.raw[5] == 2 else "<"
        header = self._rows(_HEADER[self._class], 16, 1)[0]
        self.is_linked = int(header["type"]) != _RELOCATABLE
        self.machine = int(header["machine"])
        self.segments = self._rows(
            _SEGMENT[self._class], int(header["segments"]), int(header["segment_count"])
        )
        rows = self._rows(
            _SECTION[self._class], int(header["sections"]), int(header["section_count"])
        )
        self.sections = self._sections(rows, int(header["names"]))

    @property
    def is_64_bit(self) -> bool:
        """Whether addresses have 64 bits."""
        return self._class == 2

    def _rows(self, fields: list[tuple[str, str]], offset: int, count: int) -> Table:
        kind = np.dtype([(name, self.order + form) for name, form in fields])
        return self.table(kind, offset, count * kind.itemsize)

    def table(self, kind: "np.dtype[Any]", offset: int, size: int) -> Table:
        """Numbers at an offset."""
        if offset < 0 or size < 0 or offset + size > len(self.raw):
            message = f"table of {size} bytes at {offset}"
            raise BrokenElf(message)
        return np.frombuffer(self.raw, kind, size // kind.itemsize, offset)

    def _sections(self, rows: Table, names: int) -> list[Section]:
        strings = rows[names] if names < len(rows) else None
        found = []
        for name, kind, flags, address, offset, size, link, _, _, entry in rows.tolist():
            text = "" if strings is None else self._text(int(strings["offset"]) + name)
            found.append(Section(text, kind, flags, address, offset, size, link, entry))
        return found

    def _text(self, offset: int) -> str:
        end = self.raw.find(b"\0", offset, offset + 4096)
        return self.raw[offset : max(end, offset)].decode("utf-8", "backslashreplace")

    def section(self, name: str) -> Section | None:
        """A section by its name."""
        return next((one for one in self.sections if one.name == name), None)

    def symbols(self, section: Section) -> Table:
        """The rows of a symbol table."""
        kind = np.dtype([(name, self.order + form) for name, form in _SYMBOL[self._class]])
        return self.table(kind, section.offset, section.size)

    def strings(self, section: Section) -> npt.NDArray[np.uint8]:
        """The names that a symbol table refers to."""
        if section.link >= len(self.sections):
            message = f"names in section {section.link}"
            raise BrokenElf(message)
        linked = self.sections[section.link]
        return self.table(np.dtype(np.uint8), linked.offset, linked.size)

    def build_id(self) -> str | None:
        """The build id, hexadecimal."""
        for section in self.sections:
            if section.type == NOTE:
                notes = self.raw[section.offset : section.offset + section.size]
                found = build_id_of_notes(notes, self.order)
                if found:
                    return found
        return None


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise BrokenElf(str(error)) from error


def build_id_of_notes(notes: bytes, order: str = "=") -> str | None:
    """The build id in a notes section, or in /sys/kernel/notes."""
    at = 0
    numbers = np.dtype(f"{order}u4")
    while at + 12 <= len(notes):
        name_size, size, kind = np.frombuffer(notes, numbers, 3, at).tolist()
        content = at + 12 + (name_size + 3) // 4 * 4
        if kind == _BUILD_ID_NOTE and notes[at + 12 : at + 15] == b"GNU":
            return notes[content : content + size].hex()
        at = content + (size + 3) // 4 * 4
    return None
