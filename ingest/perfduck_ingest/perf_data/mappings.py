"""What lies at an address: the maps of a process at a time, and of the kernel.

    7f17a4237000 - 7f17a425d000   ld-linux-x86-64.so.2, address + pgoff_bias is the one in the file

A map put over others hides what it covers. All lookups of a block are done at once, over the maps
of all the processes in it.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

import numpy as np

from perfduck_model.arrays import Int64, UInt64
from perfduck_model.limits import limits
from perfduck_symbols.intervals import GroupedIntervals

# An address has one meaning in an address space: that of the kernel, or that of a process with one
# version of its maps. Of those below the kernel's no maps are recorded.
KERNEL_SPACE = 0
HYPERVISOR_SPACE = -1
GUEST_KERNEL_SPACE = -2
GUEST_USER_SPACE = -3

COLUMNS = ("starts", "ends", "pgoff_biases", "dsos")
Row = tuple[int, int, int, int]  # start, end, what to add to an address to get that in the dso, dso

_OBJECTS_IN_ROWS = 20  # 600 bytes
_GENERATIONS = count()


def address_space_of(maps_versions: Int64) -> Int64:
    """The address space of each version of the maps of a process."""
    return maps_versions + 1


def maps_version_of(address_space: int) -> int:
    """The version of the maps of an address space that is not the kernel's."""
    return address_space - 1


class MappingBlock:
    """Neighbouring maps of a process: sorted, without overlap."""

    __slots__ = ("dsos", "ends", "generation", "pgoff_biases", "starts")

    def __init__(self, generation: int, columns: Iterable["array[int]"]) -> None:
        """Columns in the order of COLUMNS; `generation` is that of the Mappings that may change
        it."""
        # Not lists: there are thousands of these, and the garbage collector would look into each.
        self.generation = generation
        self.starts, self.ends, self.pgoff_biases, self.dsos = columns

    @property
    def columns(self) -> tuple["array[int]", "array[int]", "array[int]", "array[int]"]:
        """The columns in the order of COLUMNS."""
        return self.starts, self.ends, self.pgoff_biases, self.dsos

    def insert(self, row: Row) -> None:
        """Add a mapping; it replaces what it overlaps."""
        start, end = row[:2]
        first = bisect_right(self.ends, start)
        last = bisect_left(self.starts, end)
        if first >= last:
            for column, value in zip(self.columns, row, strict=True):
                column.insert(first, value)
        else:
            self._replace(first, last, row)

    def _replace(self, first: int, last: int, row: Row) -> None:
        """Maps from `first` to before `last` overlap the new one: their rims stay."""
        rows = [row]
        if self.starts[first] < row[0]:
            rows.insert(0, (self.starts[first], row[0], self.pgoff_biases[first], self.dsos[first]))
        final = last - 1
        if self.ends[final] > row[1]:
            rows.append((row[1], self.ends[final], self.pgoff_biases[final], self.dsos[final]))
        for column, values in zip(self.columns, zip(*rows, strict=True), strict=True):
            column[first:last] = array("Q", values)

    def row_at(self, address: int) -> Row | None:
        """The mapping that an address is in."""
        index = bisect_right(self.ends, address)
        if index == len(self.starts) or self.starts[index] > address:
            return None
        return self.starts[index], self.ends[index], self.pgoff_biases[index], self.dsos[index]


class Mappings:
    """The maps of one process at one time: sorted, without overlap.

    They are in blocks, which a copy shares until it changes one: a process may have 262,144 maps,
    and a sample that sees another version of them after each.
    """

    __slots__ = ("_firsts", "_generation", "_size", "blocks", "shared")

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        """Of rows that are sorted and do not overlap."""
        self._generation = next(_GENERATIONS)
        columns = [array("Q", values) for values in zip(*rows, strict=True)]
        block = MappingBlock(self._generation, columns or [array("Q") for _ in COLUMNS])
        self.blocks = [block]
        self._firsts = array("Q", [0])  # no map of a block starts before
        self._size = len(block.starts)
        self.shared = False  # several processes or versions have them: copy, then change

    def __len__(self) -> int:
        """How many maps."""
        return self._size

    def copy(self) -> "Mappings":
        """The same maps, to be changed."""
        made = Mappings.__new__(Mappings)
        made.blocks, made._firsts, made._size = self.blocks[:], self._firsts[:], self._size
        made.shared = False
        made._generation = next(_GENERATIONS)
        self._generation = next(_GENERATIONS)  # its blocks are no longer its own
        return made

    def column(self, name: str) -> bytes:
        """A column of all maps, 64 bits each."""
        return b"".join([getattr(block, name) for block in self.blocks])

    def rows(self) -> list[Row]:
        """Each map."""
        return [row for block in self.blocks for row in zip(*block.columns, strict=True)]

    def at(self, addresses: Iterable[int]) -> "Mappings":
        """Those of the maps that these addresses are in."""
        rows = {
            self.blocks[bisect_right(self._firsts, address) - 1].row_at(address)
            for address in addresses
        }
        return Mappings(sorted(row for row in rows if row))

    def insert(self, start: int, end: int, pgoff_bias: int, dso: int) -> None:
        """Add a mapping; it replaces what it overlaps."""
        first = bisect_right(self._firsts, start) - 1
        last = bisect_left(self._firsts, end) - 1
        if first == last and len(self.blocks[first].starts) < limits.few_rows:
            last = min(first + 1, len(self.blocks) - 1)
        self._size -= sum(len(block.starts) for block in self.blocks[first : last + 1])
        block = self._to_change(first, last)
        block.insert((start, end, pgoff_bias % (1 << 64), dso))
        self._size += len(block.starts)
        if len(block.starts) > limits.block_rows:
            self._split(first)

    def _to_change(self, first: int, last: int) -> MappingBlock:
        """The blocks from `first` to `last` as one, without those between them."""
        block = self.blocks[first]
        if first < last:
            behind = self.blocks[last].columns
            columns = [one + other for one, other in zip(block.columns, behind, strict=True)]
            self.blocks[first : last + 1] = [MappingBlock(self._generation, columns)]
            del self._firsts[first + 1 : last + 1]
        elif block.generation != self._generation:
            columns = [one[:] for one in block.columns]
            self.blocks[first] = MappingBlock(self._generation, columns)
        return self.blocks[first]

    def _split(self, index: int) -> None:
        columns, half = self.blocks[index].columns, limits.block_rows // 2
        self.blocks[index : index + 1] = [
            MappingBlock(self._generation, [column[:half] for column in columns]),
            MappingBlock(self._generation, [column[half:] for column in columns]),
        ]
        self._firsts.insert(index + 1, columns[0][half])


def rows_of_version(maps: int) -> int:
    """How many rows the memory of a version is worth that differs by one of so many `maps` from the
    version before: a block, what refers to the others, and the objects."""
    return min(maps, limits.block_rows) + maps // limits.block_rows + _OBJECTS_IN_ROWS


@dataclass(frozen=True, slots=True)
class Tables:
    """The maps of several address spaces, one behind the other."""

    ranges: GroupedIntervals  # by address space
    pgoff_biases: UInt64
    dsos: UInt64

    def find(self, addresses: UInt64, address_spaces: Int64) -> tuple[Int64, UInt64]:
        """Dso (-1: none) of each address, and the address in it."""
        index = self.ranges.find(addresses, address_spaces)
        dsos = np.append(self.dsos.view(np.int64), -1)
        pgoff_biases = np.append(self.pgoff_biases, np.uint64(0))
        return dsos[index], addresses + pgoff_biases[index]


def laid_out(maps: dict[int, Mappings]) -> Tables:
    """The maps of each address space."""
    ordered = sorted(maps)
    counts = [len(maps[address_space]) for address_space in ordered]
    starts, ends, pgoff_biases, dsos = (
        np.frombuffer(b"".join([maps[one].column(name) for one in ordered]), np.uint64)
        for name in COLUMNS
    )
    address_spaces, of_each = np.array(ordered, np.int64), np.array(counts, np.int64)
    return Tables(GroupedIntervals(address_spaces, of_each, starts, ends), pgoff_biases, dsos)


@dataclass(frozen=True, slots=True)
class MapsAt:
    """The maps of the kernel, and of other address spaces."""

    kernel: Tables
    users: Tables

    def find(self, addresses: UInt64, address_spaces: Int64) -> tuple[Int64, UInt64]:
        """Dso, and address in it: even numbers are those of users, odd ones the kernel's, -2 and
        -1 stand for nothing mapped; an address in a space without maps has the dso unmapped()."""
        dsos = address_spaces - 1
        in_dsos = addresses.copy()
        in_kernel = address_spaces == KERNEL_SPACE
        for tables, which in (
            (self.users, address_spaces > KERNEL_SPACE),
            (self.kernel, in_kernel),
        ):
            chosen = np.flatnonzero(which)
            dsos[chosen], in_dsos[chosen] = tables.find(addresses[chosen], address_spaces[chosen])
        return 2 * dsos + in_kernel, in_dsos


def unmapped(address_space: int) -> int:
    """The dso of all addresses in an address space below the kernel's."""
    return 2 * (address_space - 1)
