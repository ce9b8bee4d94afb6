"""Values by the hash they were found for: whole columns at once, in bounded memory.

The cache is direct-mapped: every hash has one slot, and the last that was written to it stays. What
was evicted is looked up again, so nothing but time is lost.
"""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from perfduck_kernels import Kernels, kernels
from perfduck_model.arrays import Bool, Int64, UInt64

Value = TypeVar("Value", bound=np.generic)


class HashCache(Generic[Value]):
    """Hashes of 64 bits to values. Shared by threads."""

    def __init__(
        self,
        value: npt.DTypeLike,
        log2_slots: int,
        is_kept: Callable[[npt.NDArray[Value]], Bool] | None = None,
        implementation: Kernels = kernels,
    ) -> None:
        """A table of 2 ** log2_slots slots, at least 2; `is_kept` says which values to remember."""
        self._kernels = implementation
        self._is_kept = is_kept
        self._lock = Lock()
        self._hashes = np.zeros(1 << log2_slots, np.uint64)
        self._hashes[0] = 1  # 0 has this slot and 1 has not: an empty table has neither
        self._values = np.zeros(1 << log2_slots, value)

    def of(
        self, hashes: UInt64, look_up: Callable[[Int64], npt.NDArray[Value]]
    ) -> npt.NDArray[Value]:
        """The value of each hash. `look_up` gets the indices of those that are not in the cache,
        each hash once and ascending; it is not called where all are."""
        with self._lock:
            values, missing = self._kernels.probe(self._hashes, self._values, hashes)
        if len(missing):
            first, which = self._kernels.distinct(hashes[missing])
            first = missing[first]
            fresh = look_up(first)
            self._keep(hashes[first], fresh)
            values.put(missing, fresh.take(which))
        return values

    def _keep(self, hashes: UInt64, values: npt.NDArray[Value]) -> None:
        if self._is_kept:
            is_kept = self._is_kept(values)
            hashes, values = hashes[is_kept], values[is_kept]
        with self._lock:
            self._kernels.put(self._hashes, self._values, hashes, values)
