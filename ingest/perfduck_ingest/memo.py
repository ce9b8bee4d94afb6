"""What was found for a hash before: whole columns at once, in bounded memory.

Every hash has one place in a table of records; who comes later to a place takes it. What is not
found is worked out again, so nothing but time is lost.
"""

from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]

_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Found:
    """A record for each of some hashes. Those that are missing are to be made and filled in."""

    records: Records
    first: Places  # where each missing hash is first
    distinct: Hashes  # the missing ones, each once
    places: Places  # where they are
    which: Places  # which of the distinct ones is there

    def fill(self, made: Records) -> None:
        """Put in what was missing, in the order of `first`."""
        made["hash"] = self.distinct
        self.records.put(self.places, made.take(self.which))


class Memo:
    """Records with a field `hash`. Shared by threads."""

    def __init__(self, fields: np.dtype[np.void], bits: int) -> None:
        """A table of 2 ** `bits` places."""
        self._shift = np.uint64(64 - bits)
        self._lock = Lock()
        self._records = np.zeros(1 << bits, fields)
        self._records["hash"][0] = 1  # 0 is at this place and 1 is not: an empty table has neither

    def find(self, hashes: Hashes) -> Found:
        """What is known. Records of 16 or 32 bytes are three times as fast as columns: numpy moves
        them in one piece."""
        places = self._places(hashes)
        with self._lock:
            records = self._records.take(places)
        missing = np.flatnonzero(records["hash"] != hashes)
        distinct, first, which = _distinct(hashes[missing])
        return Found(records, missing[first], distinct, missing, which)

    def keep(self, records: Records) -> None:
        """Remember these."""
        places = self._places(records["hash"])
        with self._lock:
            self._records.put(places, records)

    def _places(self, hashes: Hashes) -> Places:
        return ((hashes * _SPREAD) >> self._shift).view(np.int64)


def _distinct(hashes: Hashes) -> tuple[Hashes, Places, Places]:
    """The distinct ones, where each is first, and which each is. np.unique would sort them, which
    takes longer."""
    encoded = pa.array(hashes).dictionary_encode()
    which = encoded.indices.to_numpy().astype(np.int64)
    first = np.empty(len(encoded.dictionary), np.int64)
    first[which[::-1]] = np.arange(len(which))[::-1]
    return encoded.dictionary.to_numpy(), first, which
