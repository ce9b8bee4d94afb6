"""What was found for a number before: for whole columns, in bounded memory.

Every key has one place in a table; who comes later to a place takes it. What is not found is
worked out again, so nothing but time is lost.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from perfduck_ingest.perf_data.byte_order import Integers, Words

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Memo:
    """Keys of 64 bits to values."""

    def __init__(self, bits: int, columns: int = 1) -> None:
        """A table of 2 ** `bits` places."""
        self._shift = np.uint64(64 - bits)
        # A key and its values side by side: looking one up fetches one line of memory.
        self._rows = np.ones((1 << bits, 1 + columns), np.int64)
        self._rows[self._places(np.ones(1, np.uint64)), 0] = 0  # 0 has another place than 1

    def of(
        self, keys: Words, look_up: Callable[[Integers], tuple[Integers, ...]]
    ) -> tuple[Integers, ...]:
        """The columns of values. `look_up` gets places of keys that are not known, each once."""
        places = self._places(keys)
        rows = self._rows.take(places, axis=0)
        missing = np.flatnonzero(rows[:, 0] != keys.view(np.int64))
        values = tuple(np.ascontiguousarray(column) for column in rows.T[1:])
        if len(missing):
            first, which = distinct(keys[missing])
            first = missing[first]
            answers = look_up(first)
            self._rows[places[first]] = np.stack((keys[first].view(np.int64), *answers), axis=1)
            for column, answer in zip(values, answers, strict=True):
                column[missing] = answer[which]
        return values

    def _places(self, keys: Words) -> Integers:
        return ((keys * _SPREAD) >> self._shift).view(np.int64)


def distinct(keys: Words) -> tuple[Integers, Integers]:
    """Where each distinct key is first, and which of them each key is. np.unique sorts: on hashes
    pyarrow's dictionary is ten times faster."""
    encoded = pa.array(keys).dictionary_encode()
    which = encoded.indices.to_numpy().astype(np.int64)
    first = np.empty(len(encoded.dictionary), np.int64)
    first[which[::-1]] = np.arange(len(keys))[::-1]
    return first, which
