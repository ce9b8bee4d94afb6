"""The head of an ELF file, and its tables of sections and segments.

    7f 45 4c 46  02 01 01 ...   64 bits, little-endian; ET_DYN, EM_X86_64, sections at 0x1e0f08

The tables are decoded whole: objects made of one entry after the other take 2 ms a file, and a
recording of a compiler names a hundred binaries, each looked for in several places.
"""

from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct

SHT_SYMTAB, SHT_NOTE, SHT_NOBITS, SHT_DYNSYM = 2, 7, 8, 11
EM_PPC64, EM_S390, EM_ARM, EM_X86_64, EM_AARCH64, EM_RISCV = 21, 22, 40, 62, 183, 243
ET_REL = 1
MAGIC, SMALLEST = b"\x7fELF", 52
_PT_LOAD = 1
_BUILD_ID_NOTE = 3
_ALLOCATED, _EXECUTABLE, _COMPRESSED = 2, 4, 0x800  # SHF_
_MANY = 0xFFFF  # SHN_XINDEX, PN_XNUM: the first section tells the number
# name:kind of each field; w is a word: as wide as an address
_HEAD = (
    "identity:S16 type:u2 machine:u2 version:u4 entry:w segments_at:w sections_at:w flags:u4"
    " size:u2 segment_size:u2 segments:u2 section_size:u2 sections:u2 names:u2"
)
_SECTION = "name:u4 type:u4 flags:w address:w offset:w size:w link:u4 info:u4 align:w entry:w"
_SEGMENT = {
    64: "type:u4 flags:u4 offset:w address:w physical:w stored:w size:w align:w",
    32: "type:u4 offset:w address:w physical:w stored:w size:w flags:u4 align:w",
}
Bits = Literal[32, 64]
Rows = npt.NDArray[Any]


class Section(Struct, frozen=True):
    """Where a section lies."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    entry: int

    @property
    def is_stored(self) -> bool:
        """Whether the file holds its bytes; a debug file has left most of them out."""
        return self.type != SHT_NOBITS

    @property
    def is_allocated(self) -> bool:
        """Whether it is in memory when the program runs."""
        return bool(self.flags & _ALLOCATED)

    @property
    def is_executable(self) -> bool:
        """Whether it holds code."""
        return bool(self.flags & _EXECUTABLE)

    @property
    def is_compressed(self) -> bool:
        """Whether its bytes are packed."""
        return bool(self.flags & _COMPRESSED)


class Segment(Struct, frozen=True):
    """A part of the file that is loaded into memory."""

    offset: int
    address: int
    stored: int  # bytes in the file
    size: int  # bytes in memory


class ElfHeader(Struct, frozen=True):
    """What the head of a file and its tables say."""

    bits: Bits
    is_big: bool
    type: int
    machine: int
    sections: tuple[Section, ...]
    segments: tuple[Segment, ...]

    @property
    def order(self) -> str:
        """The byte order as numpy spells it."""
        return ">" if self.is_big else "<"


def header(raw: memoryview) -> ElfHeader:
    """Read the head and the tables; raises ValueError or LookupError where they are damaged."""
    bits: Bits = 64 if raw[4] == 2 else 32
    order = ">" if raw[5] == 2 else "<"
    head = _table(raw, 0, 1, _layout(_HEAD, bits, order))[0]
    layout = _layout(_SECTION, bits, order)
    at, width = int(head["sections_at"]), int(head["section_size"])
    first = _table(raw, at, 1 if at else 0, layout, width)
    names, segments = int(head["names"]), int(head["segments"])
    sections = _table(
        raw, at, int(head["sections"] or first["size"][0]) if at else 0, layout, width
    )
    loaded = _table(
        raw, int(head["segments_at"]), int(first["info"][0]) if segments == _MANY else segments,
        _layout(_SEGMENT[bits], bits, order), int(head["segment_size"]),
    )  # fmt: skip
    return ElfHeader(
        bits, order == ">", int(head["type"]), int(head["machine"]),
        tuple(_sections(raw, sections, int(first["link"][0]) if names == _MANY else names)),
        tuple(_segments(loaded)),
    )  # fmt: skip


@cache
def _layout(fields: str, bits: Bits, order: str) -> np.dtype[Any]:
    pairs = (one.split(":") for one in fields.replace(":w", f":u{bits // 8}").split())
    return np.dtype([(name, order + kind) for name, kind in pairs])


def _table(
    raw: memoryview, start: int, count: int, layout: np.dtype[Any], width: int | None = None
) -> Rows:
    """`count` entries, each of `width` bytes."""
    if count and width not in (None, layout.itemsize):
        message = f"entries of {width} bytes, expected {layout.itemsize}"
        raise ValueError(message)
    stored = raw[start : start + count * layout.itemsize]
    if len(stored) < count * layout.itemsize:
        message = f"a table of {count} entries at {start} goes on beyond the end of the file"
        raise ValueError(message)
    return np.frombuffer(stored, layout)


def _sections(raw: memoryview, table: Rows, names: int) -> list[Section]:
    if not len(table):
        return []
    strings = table[names]
    start, size = int(strings["offset"]), int(strings["size"])
    text = raw[start : start + size].tobytes()
    columns = ("type", "flags", "address", "offset", "size", "link", "entry")
    rows = zip(table["name"].tolist(), *(table[name].tolist() for name in columns), strict=True)
    return [Section(_text(text, at), *row) for at, *row in rows]


def _text(strings: bytes, at: int) -> str:
    return strings[at : strings.find(b"\0", at)].decode("utf-8", "replace")


def _segments(table: Rows) -> list[Segment]:
    loaded = table[table["type"] == _PT_LOAD]
    columns = (loaded[name].tolist() for name in ("offset", "address", "stored", "size"))
    return [Segment(*row) for row in zip(*columns, strict=True)]


def build_id_of_notes(notes: bytes, order: str = "=") -> str | None:
    """The build id in a notes section, or in /sys/kernel/notes."""
    at = 0
    numbers = np.dtype(f"{order}u4")
    while at + 12 <= len(notes):
        name_size, size, kind = np.frombuffer(notes, numbers, 3, at).tolist()
        start = at + 12 + (name_size + 3) // 4 * 4
        # Xen's notes in vmlinux have the same number under another name.
        if kind == _BUILD_ID_NOTE and notes[at + 12 : at + 15] == b"GNU":
            return notes[start : start + size].hex()
        at = start + (size + 3) // 4 * 4
    return None
