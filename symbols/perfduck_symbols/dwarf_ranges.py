"""The addresses of a compile unit, from the unit itself.

    DW_AT_low_pc, DW_AT_high_pc    one range
    DW_AT_ranges                   a list in .debug_rnglists (DWARF 5) or .debug_ranges (before)

Only units of kernels without .debug_aranges (clang) need this.
"""

from collections.abc import Iterator
from typing import Any

from perfduck_symbols.elf import Elf

Range = tuple[int, int]
# Entries of .debug_rnglists.
_END, _BASE_INDEX, _INDEX_INDEX, _INDEX_LENGTH, _OFFSETS, _BASE, _START_END, _LENGTH = range(8)


class RangeLists:
    """The range lists of a file."""

    def __init__(self, elf: Elf) -> None:
        """Read the sections; most units need all of them."""
        self._lists = elf.relocated(".debug_rnglists").tobytes()
        self._pairs = elf.relocated(".debug_ranges").tobytes()
        self._addresses = elf.relocated(".debug_addr").tobytes()
        self._width, self._order = elf.header.bits // 8, elf.endianness

    def of(self, attributes: dict[str, tuple[str, Any]], version: int) -> Iterator[Range]:
        """[start, end) of every range of a unit."""
        low = self._low(attributes)
        if "DW_AT_ranges" in attributes:
            form, value = attributes["DW_AT_ranges"]
            if version < 5:
                yield from self._before_5(int(value), low)
            else:
                yield from self._since_5(self._list(form, int(value), attributes), low, attributes)
        elif "DW_AT_high_pc" in attributes:
            form, high = attributes["DW_AT_high_pc"]
            yield low, high if form == "DW_FORM_addr" else low + int(high)

    def _low(self, attributes: dict[str, tuple[str, Any]]) -> int:
        form, value = attributes.get("DW_AT_low_pc", ("", 0))
        return self._indexed(int(value), attributes) if "addrx" in form else int(value)

    def _indexed(self, index: int, attributes: dict[str, tuple[str, Any]]) -> int:
        base = int(attributes.get("DW_AT_addr_base", ("", 8))[1])
        return self._number(self._addresses, base + index * self._width)

    def _list(self, form: str, value: int, attributes: dict[str, tuple[str, Any]]) -> int:
        """Where a list begins; DW_FORM_rnglistx counts entries of a table of offsets."""
        if form != "DW_FORM_rnglistx":
            return value
        base = int(attributes.get("DW_AT_rnglists_base", ("", 12))[1])
        entry = self._lists[base + 4 * value : base + 4 * value + 4]
        return base + int.from_bytes(entry, self._order)

    def _number(self, data: bytes, at: int) -> int:
        return int.from_bytes(data[at : at + self._width], self._order)

    def _before_5(self, at: int, base: int) -> Iterator[Range]:
        top = (1 << (8 * self._width)) - 1
        while at + 2 * self._width <= len(self._pairs):
            start, end = (self._number(self._pairs, at + n * self._width) for n in (0, 1))
            at += 2 * self._width
            if start == end == 0:
                return
            if start == top:
                base = end
            # In a relocatable file the pairs themselves are relocated, to whole keys.
            else:
                yield base + start, base + end

    def _since_5(
        self, at: int, base: int, attributes: dict[str, tuple[str, Any]]
    ) -> Iterator[Range]:
        while (kind := self._lists[at]) != _END:
            first, at = self._operand(at + 1, address=kind in (_BASE, _START_END, _LENGTH))
            if kind in (_BASE_INDEX, _BASE):
                base = first if kind == _BASE else self._indexed(first, attributes)
                continue
            second, at = self._operand(at, address=kind == _START_END)
            if kind in (_INDEX_INDEX, _INDEX_LENGTH):
                first = self._indexed(first, attributes)
            if kind == _INDEX_INDEX:
                second = self._indexed(second, attributes)
            yield {
                _OFFSETS: (base + first, base + second),
                _INDEX_INDEX: (first, second),
                _START_END: (first, second),
            }.get(kind, (first, first + second))

    def _operand(self, at: int, *, address: bool) -> tuple[int, int]:
        if address:
            return self._number(self._lists, at), at + self._width
        value = shift = 0
        while True:
            byte = self._lists[at]
            value |= (byte & 127) << shift
            shift, at = shift + 7, at + 1
            if byte < 128:
                return value, at
