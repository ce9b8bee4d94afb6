"""Weights per unit of work as whole numbers, for formats that have no others.

4,127.3 ns/packet in whole ns would lose what costs less: 4,127,300 ps/packet
0.02 cycles/byte                                          20,000 cycles/1,000,000 bytes
"""

from dataclasses import dataclass

_LEAST = 1e6  # of all weight: what is a thousandth of it is right to a thousandth
_TIMES = ("ns", "ps", "fs", "as")
_MOST = 1e15
_COMMON_STEP = 2  # fs: 200,000 for 0.2 ns/byte
_LARGEST = 2.0**56  # 72 s in fs; idle, which is not in the total, may be 100 times as much


@dataclass(frozen=True, slots=True)
class FineUnit:
    """What a weight per unit of work is multiplied by, and the unit that it has then."""

    factor: float
    name: str


def fine_unit(unit: str, total: float) -> FineUnit:
    """The unit for weights in `unit` (ns/packet) that add up to `total`."""
    step = 0
    while 0 < total * 1000**step < _LEAST and 1000.0 ** (step + 1) <= _MOST:
        step += 1
    return _finer(unit, step)


def common_unit(unit: str, total: float) -> FineUnit:
    """The same unit for nearly every `total`, so that files can be subtracted from each other."""
    step = _COMMON_STEP
    while step and total * 1000**step > _LARGEST:
        step -= 1
    return _finer(unit, step)


def _finer(unit: str, step: int) -> FineUnit:
    weight, _, work = unit.partition("/")
    if weight == "ns" and step < len(_TIMES):
        return FineUnit(1000.0**step, f"{_TIMES[step]}/{work}")
    return FineUnit(1000.0**step, f"{weight}/{1000**step:,} {work}" if step else unit)


class Rounder:
    """Makes whole numbers of parts of a sum, so that they add up to the whole number of the sum."""

    def __init__(self) -> None:
        self._exact, self._rounded = 0.0, 0

    def whole(self, part: float) -> int:
        """The part as a whole number, at most 1 off."""
        self._exact += part
        value = round(self._exact) - self._rounded
        self._rounded += value
        return value
