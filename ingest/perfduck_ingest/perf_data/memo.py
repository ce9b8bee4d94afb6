"""What was found for a number before: for whole columns, in bounded memory.

Every key has one place in a table; who comes later to a place takes it. What is not found is
worked out again, so nothing but time is lost.
"""

import numpy as np
import numpy.typing as npt

from perfduck_ingest.perf_data.byte_order import Integers, Words

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Memo:
    """Keys of 64 bits to values."""

    def __init__(self, bits: int, columns: int = 1) -> None:
        """A table of 2 ** `bits` places."""
        self._shift = np.uint64(64 - bits)
        self._keys = np.ones(1 << bits, np.uint64)
        self._keys[self._places(np.ones(1, np.uint64))] = 0  # 0 has another place than 1
        self._values = np.zeros((columns, 1 << bits), np.int64)

    def _places(self, keys: Words) -> Integers:
        return ((keys * _SPREAD) >> self._shift).view(np.int64)

    def find(self, keys: Words) -> tuple[Integers, npt.NDArray[np.bool_]]:
        """The values (columns x keys), and which of them are known."""
        places = self._places(keys)
        return self._values[:, places], self._keys[places] == keys

    def keep(self, keys: Words, values: Integers) -> None:
        """Remember values (columns x keys). Keys do not repeat."""
        places = self._places(keys)
        self._keys[places] = keys
        # Of several keys with one place the last one stays; its value must be its own.
        mine = self._keys[places] == keys
        self._values[:, places[mine]] = values[:, mine]
