"""Debug information, as little of it as tells the source file of a function.

    .debug_aranges   ffffffff81a01000 +1f3  unit 0x11b2
    .debug_info      unit 0x11b2: name net/core/dev.c, directory /build/linux

178 kB of address ranges and 2,300 heads of compile units instead of 4.5 million entries: 0.4 s for
vmlinux. The unit owns a function, not the file that declares it: 7 % of vmlinux come from headers.
clang leaves .debug_aranges out: there each unit's own ranges tell the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from elftools.common.exceptions import DWARFError, ELFError
from elftools.common.utils import struct_parse
from elftools.dwarf.structs import DWARFStructs

from perfduck_model.arrays import Int64, UInt8, UInt64
from perfduck_symbols.dwarf_ranges import RangeLists
from perfduck_symbols.elf import Elf, ElfError, window
from perfduck_symbols.intervals import Intervals

# A unit's head and first entry: the entry's strings may stand in it (DW_FORM_string).
_HEAD = 4096
_STRINGS = {"DW_FORM_strp": ".debug_str", "DW_FORM_line_strp": ".debug_line_str"}
_INDEXED = ("DW_FORM_strx", "DW_FORM_strx1", "DW_FORM_strx2", "DW_FORM_strx3", "DW_FORM_strx4")
_COMPILE_UNIT = b"\x11\x01\x25"  # its tag, that it has children, DW_AT_producer
_SHORT = 64  # bytes that hold most abbreviations
Attributes = dict[str, tuple[str, Any]]  # name: form, value


@dataclass(frozen=True, slots=True)
class Unit:
    """The head of a compile unit."""

    offset: int
    version: int
    structs: DWARFStructs
    attributes: Attributes


@dataclass(frozen=True)
class Ranges(Intervals[UInt64]):
    """Which unit owns an address."""

    units: Int64  # offsets in .debug_info

    def owners(self, keys: UInt64) -> Int64:
        """Offset of the unit of each key (elf.py), -1 where none has it."""
        return np.append(self.units, -1)[self.find(keys)]


class Dwarf:
    """The compile units of an ELF file."""

    def __init__(self, elf: Elf) -> None:
        """Map the sections; decode nothing yet."""
        self._elf = elf
        self._info = elf.section(".debug_info")
        self._relocations = elf.relocations(".debug_info")
        self._abbreviations = elf.section(".debug_abbrev").tobytes()
        self._strings = {name: elf.section(name) for name in _STRINGS.values()}
        self._declared: dict[bytes, list[Any]] = {}

    def __bool__(self) -> bool:
        """Whether there is any debug information."""
        return len(self._info) > 0

    def ranges(self) -> Ranges:
        """From .debug_aranges, or from the units where there is none."""
        listed = self._elf.relocated(".debug_aranges")
        return _sorted(_aranges(listed, self._elf)) if len(listed) else self.unit_ranges()

    def unit_ranges(self) -> Ranges:
        """From the units' own attributes: low_pc and high_pc, or ranges."""
        lists = RangeLists(self._elf)
        parts = [
            (start, end, unit.offset)
            for unit in self.units()
            for start, end in lists.of(unit.attributes, unit.version)
        ]
        return _sorted(parts)

    def units(self) -> Iterator[Unit]:
        """Every compile unit."""
        offset = 0
        while offset < len(self._info):
            unit, length = self._unit(offset)
            yield unit
            offset += length

    def source(self, offset: int) -> tuple[str, str]:
        """Name and directory of a unit, as the compiler wrote them."""
        unit, _ = self._unit(offset)
        return self._text(unit, "DW_AT_name"), self._text(unit, "DW_AT_comp_dir")

    def _unit(self, offset: int) -> tuple[Unit, int]:
        head = window(self._info, self._relocations, offset, _HEAD)
        wide = head[:4] == b"\xff\xff\xff\xff"
        version = int.from_bytes(head[12:14] if wide else head[4:6], self._elf.endianness)
        header = self._elf.header
        little, address = not header.is_big, header.bits // 8
        structs = DWARFStructs(little, 64 if wide else 32, address, version)
        stream = BytesIO(head)
        unit = _parsed(structs.Dwarf_CU_header, stream)
        attributes = self._attributes(structs, stream, int(unit["debug_abbrev_offset"]))
        length = int(unit["unit_length"]) + (12 if wide else 4)
        return Unit(offset, version, structs, attributes), length

    def _attributes(self, structs: DWARFStructs, stream: BytesIO, table: int) -> Attributes:
        """The first entry of a unit."""
        code: int = _parsed(structs.Dwarf_uleb128(""), stream)
        attributes: Attributes = {}
        for spec in self._declaration(structs, table, code):
            constant = spec.form == "DW_FORM_implicit_const"
            form: Any = structs.Dwarf_dw_form[spec.form]
            attributes[spec.name] = (spec.form, spec.value if constant else _parsed(form, stream))
        return attributes

    def _declaration(self, structs: DWARFStructs, table: int, code: int) -> list[Any]:
        """An abbreviation: one of a few dozen that all units share, so keep it by its bytes."""
        at = self._found(table, code)
        start = self._abbreviations[at : at + _SHORT]
        if start in self._declared:
            return self._declared[start]
        stream = BytesIO(self._abbreviations[at : at + (1 << 18)])
        while _parsed(structs.Dwarf_uleb128(""), stream) != code:
            _parsed(structs.Dwarf_abbrev_declaration, stream)
        declared: list[Any] = _parsed(structs.Dwarf_abbrev_declaration, stream)["attr_spec"]
        if at > table and stream.tell() <= _SHORT:
            self._declared[start] = declared
        return declared

    def _found(self, table: int, code: int) -> int:
        """Where an abbreviation begins: gcc puts a unit's own behind a hundred others, which take
        30 ms to decode. It follows the two zeros of the one before and has a tag of its own."""
        encoded = bytes([code]) if code < 128 else bytes([code & 127 | 128, code >> 7])
        if self._abbreviations.startswith(encoded, table):
            return table
        at = self._abbreviations.find(b"\0\0" + encoded + _COMPILE_UNIT, table)
        return at + 2 if at >= 0 else table

    def _text(self, unit: Unit, name: str) -> str:
        form, value = unit.attributes.get(name, ("", b""))
        if form in _INDEXED:
            base = unit.attributes.get("DW_AT_str_offsets_base", ("", 8))[1]
            at = int(base) + 4 * int(value)
            entry = self._elf.relocated(".debug_str_offsets")[at : at + 4].tobytes()
            form, value = "DW_FORM_strp", int.from_bytes(entry, self._elf.endianness)
        if form in _STRINGS:
            strings = self._strings[_STRINGS[form]]
            value = strings[int(value) : int(value) + _HEAD].tobytes().split(b"\0")[0]
        return bytes(value).decode("utf-8", "replace")


def _parsed(form: Any, stream: BytesIO) -> Any:
    """What is in the stream; ElfError where it is not of this form."""
    try:
        return struct_parse(form, stream)
    except (DWARFError, ELFError) as error:
        raise ElfError(str(error)) from error


def _aranges(data: UInt8, elf: Elf) -> list[tuple[int, int, int]]:
    """(start, end, unit) of every range: sets with a head of their own, one per unit."""
    ranges: list[tuple[int, int, int]] = []
    content, at = data.tobytes(), 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], elf.endianness)
        unit = int.from_bytes(content[at + 6 : at + 10], elf.endianness)
        width = content[at + 10]
        if width not in (4, 8):
            message = f".debug_aranges: expected addresses of 4 or 8 bytes, got {width}"
            raise ValueError(message)
        # The pairs begin at a multiple of their size, counted from the set's head of 12 bytes.
        first = at + 12 + (-12) % (2 * width)
        end = at + 4 + length
        pairs = np.frombuffer(content[first:end], f"{elf.order}u{width}").reshape(-1, 2).tolist()
        ranges += [(start, start + size, unit) for start, size in pairs if size]
        at = end
    return ranges


def _sorted(rows: list[tuple[int, int, int]]) -> Ranges:
    rows.sort()
    starts, ends, units = zip(*rows, strict=True) if rows else ((), (), ())
    return Ranges(
        np.asarray(starts, np.uint64), np.asarray(ends, np.uint64), np.asarray(units, np.int64)
    )
