"""The symbols of a kernel, from its /proc/kallsyms.

    ffffffff81000000 T _stext
    ffffffff81000000 T _text
    ffffffffc0a41000 t nf_ct_get_tuple	[nf_conntrack]

They have no sizes: each ends where the next begins. Of several at the same address perf keeps the
last, the only one that is left with a length.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfduck_symbols.addresses import Names, SymbolTable, page_behind

_KINDS = b"TtWwDdBb"


@dataclass(frozen=True, slots=True)
class Kallsyms:
    """The symbols, sorted, and the module of each: '' for the kernel itself."""

    table: SymbolTable
    names: Names
    in_module: npt.NDArray[np.bool_]
    raw: bytes

    def module(self, place: int) -> str:
        """The module of a symbol with its brackets, '' for the kernel."""
        return self.names.at(place).partition("\t")[2]

    def part(self, module: str) -> SymbolTable:
        """The symbols of the kernel itself (''), or of a module: `[nf_conntrack]`."""
        chosen = np.flatnonzero(self.in_module == bool(module))
        if module:
            chosen = np.array([n for n in chosen.tolist() if self.module(n) == module], np.int64)
        names = self.names.take(chosen)
        return SymbolTable(
            self.table.starts[chosen],
            self.table.ends[chosen],
            lambda place: names.at(place).partition("\t")[0],
        )

    def address(self, name: str) -> int | None:
        """Where a function is."""
        at = self.raw.find(f" {name}\n".encode())
        line = self.raw[self.raw.rfind(b"\n", 0, max(at, 0)) + 1 : max(at, 0)]
        return int(line.split(b" ")[0], 16) if at >= 0 and line else None


def kallsyms(raw: bytes) -> Kallsyms:
    """Read the text; lines that are no symbols are left out."""
    buffer = np.frombuffer(raw + b"\n", np.uint8)
    ends = np.flatnonzero(buffer == ord("\n"))
    starts = np.append(0, ends[:-1] + 1)
    width = raw.find(b" ", 0, 64)
    fits = ends - starts > width + 3
    starts, ends = starts[fits], ends[fits]
    kept = np.isin(buffer[starts + width + 1], np.frombuffer(_KINDS, np.uint8))
    kept &= buffer[starts + width + 3] != ord("$")
    starts, ends = starts[kept], ends[kept]
    addresses = _hexadecimal(buffer, starts, width)
    names = Names.ending_in_newline(buffer, starts + width + 3)
    return _sorted(addresses, names, buffer[ends - 1] == ord("]"), raw)


def _hexadecimal(
    buffer: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], width: int
) -> npt.NDArray[np.uint64]:
    value = np.zeros(len(starts), np.uint64)
    for place in range(max(width, 0)):
        digit = buffer[starts + place].astype(np.uint64)
        letter = digit > np.uint64(ord("9"))
        value = value * np.uint64(16) + (digit & np.uint64(15)) + letter * np.uint64(9)
    return value


def _sorted(
    addresses: npt.NDArray[np.uint64], names: Names, in_module: npt.NDArray[np.bool_], raw: bytes
) -> Kallsyms:
    order = np.argsort(addresses, kind="stable")
    addresses, names, in_module = addresses[order], names.take(order), in_module[order]
    ends = np.append(addresses[1:], page_behind(addresses[-1:]))
    # Between the kernel and its modules there are gigabytes of nothing.
    borders = np.append(in_module[1:] != in_module[:-1], False)[: len(order)]
    ends = np.where(borders, page_behind(addresses), ends)
    last = np.append(addresses[1:] != addresses[:-1], True)[: len(order)]
    addresses, ends, names, in_module = (
        addresses[last],
        ends[last],
        names.take(last),
        in_module[last],
    )
    table = SymbolTable(addresses, ends, lambda place: names.at(place).partition("\t")[0])
    return Kallsyms(table, names, in_module, raw)
