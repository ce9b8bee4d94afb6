"""Names of a recording, as many as the limits allow, and as numbers.

0 ""    1 "swapper"    2 "iperf3"
"""

import struct

import numpy as np

from perfduck_model.arrays import Int64
from perfduck_model.limits import limits


class NameTally:
    """Counts names of a kind that are held."""

    def __init__(self, what: str) -> None:
        """`what` they are names of, for the message."""
        self._what = what
        self._count = self._bytes = 0

    @property
    def is_half_full(self) -> bool:
        """Whether half of what the limits allow is there."""
        return self._count > limits.most_names // 2 or self._bytes > limits.most_name_bytes // 2

    def add(self, name: str) -> None:
        """One more. Raises struct.error where that is too many."""
        self._count += 1
        self._bytes += len(name)
        if self._count > limits.most_names or self._bytes > limits.most_name_bytes:
            most_mb = limits.most_name_bytes >> 20
            message = f"more than {limits.most_names:,} names of {self._what}, or {most_mb} MB"
            raise struct.error(message)

    def restart(self, names: list[str]) -> None:
        """These are held now."""
        self._count, self._bytes = len(names), sum(map(len, names))


class NameNumbers:
    """A number for each distinct name, by the order in which they came."""

    def __init__(self, what: str, *first: str) -> None:
        """`what` they are names of, for the message; `first` have the numbers from 0 on."""
        self.names: list[str] = []
        self.tally = NameTally(what)
        self._first = len(first)
        self._numbers: dict[str, int] = {}
        for name in first:
            self.number(name)

    def number(self, name: str) -> int:
        """The number of a name. Raises struct.error where there are too many."""
        number = self._numbers.get(name)
        if number is None:
            self.tally.add(name)
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
        return number

    def keep(self, used: Int64) -> Int64:
        """Forget all but the used ones and the first; the new numbers by the old ones."""
        is_kept = np.zeros(len(self.names), np.bool_)
        is_kept[used] = True
        is_kept[: self._first] = True
        kept = np.flatnonzero(is_kept)
        self.names = [self.names[number] for number in kept.tolist()]
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self.tally.restart(self.names)
        renumbered = np.zeros(len(is_kept), np.int64)
        renumbered[kept] = np.arange(len(kept))
        return renumbered
