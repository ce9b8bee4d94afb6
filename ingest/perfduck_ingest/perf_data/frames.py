"""From addresses to symbols: which map, which binary, which function.

    ffffffff8168df20  in kernel  -> mod_memcg_lruvec_state+0xf0 ([kernel.kallsyms])
        7f17a423f504  version 311  -> /usr/lib/.../libc.so.6 at 0x1504 -> malloc+0x14

An address is resolved once for each version of the maps of its process, and once for each binary:
most are found in many processes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from perfduck_ingest.perf_data.dsos import Dso, DsoSymbols
from perfduck_ingest.perf_data.mappings import (
    GUEST_KERNEL_SPACE,
    GUEST_USER_SPACE,
    HYPERVISOR_SPACE,
    MapsAt,
    unmapped,
)
from perfduck_kernels import kernels
from perfduck_kernels.constants import ADDRESS_SLOTS_LOG2
from perfduck_kernels.hash_cache import HashCache
from perfduck_model.arrays import Int64, UInt64
from perfduck_symbols.addresses import EMPTY, FileOffsets, Svmas
from perfduck_symbols.names import GUEST, GUEST_USER, HYPERVISOR, UNKNOWN

_UNMAPPED = {
    unmapped(HYPERVISOR_SPACE): HYPERVISOR,
    unmapped(GUEST_KERNEL_SPACE): GUEST,
    unmapped(GUEST_USER_SPACE): GUEST_USER,
}


class Frames:
    """Resolves the frames of a recording."""

    def __init__(
        self,
        user: Callable[[int], Dso[FileOffsets]],
        kernel: Callable[[int], Dso[Svmas]],
        symbols: DsoSymbols,
    ) -> None:
        """`user` and `kernel` open a dso by the number that the maps have for it."""
        self._openers: dict[bool, Callable[[int], Dso[Any]]] = {False: user, True: kernel}
        self._dsos: dict[int, Dso[Any]] = {}
        self._symbols = symbols
        self.forget_kernel()

    def forget_kernel(self) -> None:
        """The kernel has changed: what was found in it may no longer be there."""
        self._dsos = {number: dso for number, dso in self._dsos.items() if number & 1 == 0}
        self._by_space = HashCache[np.int64](np.int64, ADDRESS_SLOTS_LOG2)
        self._by_dso = HashCache[np.int64](np.int64, ADDRESS_SLOTS_LOG2)

    def resolve(self, addresses: UInt64, address_spaces: Int64, maps: MapsAt) -> Int64:
        """Symbol numbers and offsets, packed; `maps` says what is where in each address space."""

        def look_up(indices: Int64) -> Int64:
            return self._in_dsos(*maps.find(addresses[indices], address_spaces[indices]))

        return self._by_space.of(kernels.group_keys(addresses, address_spaces), look_up)

    def _in_dsos(self, dsos: Int64, addresses: UInt64) -> Int64:
        def look_up(indices: Int64) -> Int64:
            packed = np.empty(len(indices), np.int64)
            for dso, members in _groups(dsos[indices]):
                own = addresses[indices[members]]
                packed[members] = self._opened(dso).resolve(own, self._symbols)
            return packed

        return self._by_dso.of(kernels.group_keys(addresses, dsos), look_up)

    def _opened(self, number: int) -> Dso[Any]:
        if number not in self._dsos:
            self._dsos[number] = self._open(number)
        return self._dsos[number]

    def _open(self, number: int) -> Dso[Any]:
        if number < 0:
            return Dso(_UNMAPPED.get(number, UNKNOWN), EMPTY)
        return self._openers[bool(number & 1)](number >> 1)


def _groups(numbers: Int64) -> list[tuple[int, Int64]]:
    """The indices of each distinct number."""
    order = np.argsort(numbers, kind="stable")
    distinct, first = np.unique(numbers[order], return_index=True)
    return list(zip(distinct.tolist(), np.split(order, first[1:]), strict=True))
