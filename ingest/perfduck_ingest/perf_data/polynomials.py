"""Rows of words known by one number each: the same words, the same number.

The number is a polynomial: the sum of word n times r to the power n. It is taken of all rows of an
array at once, as a difference of two running sums divided by r to the power of where the row
starts (r is odd, so that it has an inverse modulo 2 ** 64).
"""

import numpy as np

from perfduck_ingest.perf_data.byte_order import Integers, Words

_R = 0x9E3779B97F4A7C15
_INVERSE = pow(_R, -1, 1 << 64)
_LENGTH_SPREAD = np.uint64(0xE7037ED1A0B428DB)


class Polynomials:
    """Keeps the powers."""

    def __init__(self) -> None:
        self._powers = _powers(_R, 1)
        self._inverses = _powers(_INVERSE, 1)

    def of(self, words: Words, starts: Integers, lengths: Integers) -> Words:
        """The number of each row; rows do not go beyond the words."""
        if len(self._powers) <= len(words):
            self._powers = _powers(_R, 2 * len(words) + 1)
            self._inverses = _powers(_INVERSE, 2 * len(words) + 1)
        sums = np.zeros(len(words) + 1, np.uint64)
        np.multiply(words, self._powers[: len(words)], out=sums[1:])
        np.cumsum(sums, out=sums)
        totals: Words = (sums[starts + lengths] - sums[starts]) * self._inverses[starts]
        return totals + lengths.view(np.uint64) * _LENGTH_SPREAD


def _powers(base: int, count: int) -> Words:
    result = np.full(count, np.uint64(base))
    result[:1] = 1
    return np.multiply.accumulate(result)
