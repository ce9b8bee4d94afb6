"""What lies at an address: the maps of a process at a time, and of the kernel.

    7f17a4237000 - 7f17a425d000   ld-linux-x86-64.so.2, address + pgoff_bias is the one in the file

A map put over others hides what it covers. All lookups of a block are done at once, over the maps
of all the processes in it.
"""

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np

from perfduck_model.arrays import Int64, UInt64
from perfduck_symbols.intervals import GroupedIntervals

# An address has one meaning in an address space: that of the kernel, or that of a process with one
# version of its maps. Of those below the kernel's no maps are recorded.
KERNEL_SPACE = 0
HYPERVISOR_SPACE = -1
GUEST_KERNEL_SPACE = -2
GUEST_USER_SPACE = -3


def address_space_of(maps_versions: Int64) -> Int64:
    """The address space of each version of the maps of a process."""
    return maps_versions + 1


def maps_version_of(address_space: int) -> int:
    """The version of the maps of an address space that is not the kernel's."""
    return address_space - 1


class Mappings:
    """The maps of one process at one time: sorted, without overlap."""

    __slots__ = ("dsos", "ends", "pgoff_biases", "shared", "starts")

    def __init__(self) -> None:
        """Nothing mapped."""
        # Not lists: there are thousands of these, and the garbage collector would look into each.
        self.starts = array("Q")
        self.ends = array("Q")
        self.pgoff_biases = array("Q")  # what to add to an address to get the one in the dso
        self.dsos = array("Q")
        self.shared = False  # several processes or versions have them: copy, then change

    def copy(self) -> "Mappings":
        """The same maps, to be changed."""
        made = Mappings()
        made.starts, made.ends = self.starts[:], self.ends[:]
        made.pgoff_biases, made.dsos = self.pgoff_biases[:], self.dsos[:]
        return made

    def rows(self) -> list[tuple[int, int, int, int]]:
        """start, end, shift and dso of each map."""
        return list(zip(self.starts, self.ends, self.pgoff_biases, self.dsos, strict=True))

    def insert(self, start: int, end: int, pgoff_bias: int, dso: int) -> None:
        """Add a mapping; it replaces what it overlaps."""
        first = bisect_right(self.ends, start)
        last = bisect_left(self.starts, end)
        if first >= last:
            self.starts.insert(first, start)
            self.ends.insert(first, end)
            self.pgoff_biases.insert(first, pgoff_bias % (1 << 64))
            self.dsos.insert(first, dso)
        else:
            self._replace(first, last, (start, end, pgoff_bias % (1 << 64), dso))

    def _replace(self, first: int, last: int, row: tuple[int, int, int, int]) -> None:
        """Maps from `first` to before `last` overlap the new one: their rims stay."""
        rows = [row]
        if self.starts[first] < row[0]:
            rows.insert(0, (self.starts[first], row[0], self.pgoff_biases[first], self.dsos[first]))
        final = last - 1
        if self.ends[final] > row[1]:
            rows.append((row[1], self.ends[final], self.pgoff_biases[final], self.dsos[final]))
        columns = [array("Q", column) for column in zip(*rows, strict=True)]
        self.starts[first:last], self.ends[first:last] = columns[:2]
        self.pgoff_biases[first:last], self.dsos[first:last] = columns[2:]


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
    counts = [len(maps[address_space].starts) for address_space in ordered]
    starts, ends, pgoff_biases, dsos = (
        np.frombuffer(
            b"".join([getattr(maps[address_space], name) for address_space in ordered]), np.uint64
        )
        for name in ("starts", "ends", "pgoff_biases", "dsos")
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
