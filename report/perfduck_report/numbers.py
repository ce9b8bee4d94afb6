"""Numbers as people read them: three digits that matter, in the unit that keeps them short.

1650000 ns/request  ->  1.65 ms/request
"""

import math
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

_TIMES = {"ps": 1e-12, "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_COUNTS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_LONG = 10_000  # from here on a number has five digits before the point
_SHORT = 0.1
_MANY = 1e7  # packets a second, which people know without a prefix up to here
# Fields of answers that hold an amount in the unit of the answer.
_AMOUNTS = frozenset(
    ("base", "new", "delta", "low", "high", "limit", "total", "idle", "value", "reach", "self",
     "blamed", "own", "least", "totals", "detectable", "moved", "costs", "spreads")
)  # fmt: skip
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class UnitScale:
    """What amounts are multiplied with, and the unit that they are in then."""

    factor: float
    unit: str


def scale(unit: str, value: float) -> UnitScale:
    """The unit that fits an amount of this size; amounts of one answer share it.

    Times go from ps to s, counts get k to T (`Mcycles/request`), per cent stay per cent. An amount
    of 0.1 to 9,999 keeps its unit.
    """
    quantity, slash, per = unit.partition("/")
    size = abs(value)
    if quantity == "%" or not size or _SHORT <= size < _LONG or math.isinf(size) or size != size:
        return UnitScale(1.0, unit)
    units = _TIMES if quantity in _TIMES else {f"{k}{quantity}": v for k, v in _COUNTS.items()}
    absolute = size * units[quantity]
    lowest = min(units, key=units.__getitem__)
    fitting = [name for name, one in units.items() if absolute >= one] or [lowest]
    return UnitScale(units[quantity] / units[fitting[-1]], f"{fitting[-1]}{slash}{per}")


def scaled(answer: Answer, by: UnitScale) -> Answer:
    """A dataclass with its amounts multiplied; the `unit` of the outermost becomes that of `by`."""
    if by.factor == 1.0:
        return answer
    changed = _scaled(answer, by.factor)
    return replace(changed, unit=by.unit) if hasattr(changed, "unit") else changed  # type: ignore[no-any-return]


def _scaled(value: Any, factor: float, *, is_amount: bool = False) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value,
            **{
                f.name: _scaled(getattr(value, f.name), factor, is_amount=f.name in _AMOUNTS)
                for f in fields(value)
            },
        )
    if isinstance(value, tuple):
        return tuple(_scaled(entry, factor, is_amount=is_amount) for entry in value)
    if not is_amount or value is None or isinstance(value, str | bool | dict):
        return value
    return value * factor


def amount(value: float) -> str:
    """A weight or a rate: 0.0042, 0.0421, 0.421, 4.21, 42.1, 421, 4,210; of SQL also nan, inf."""
    size = abs(value)
    if value == 0 or size >= 100 or math.isnan(value):
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    decimals = min(4, 2 - math.floor(math.log10(size)))
    return f"{value:.{decimals}f}"


def percent(share: float) -> str:
    """A share, 0 to 1."""
    return f"{100 * share:.1f} %"


def many(number: float, noun: str) -> str:
    """1 path, 2 paths, 7,944 samples; 7944.0, whole work of a column of floats, is the same."""
    whole = int(number) if float(number).is_integer() else number
    return f"{whole:,} {plural(number, noun)}"


def plural(number: float, noun: str) -> str:
    """The noun, in the plural unless there is one."""
    if number == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def seconds(value: float) -> str:
    """A length of time: 4.01 s, 350 ms."""
    if not math.isfinite(value):  # no recording has one, a store that SQL wrote may
        return f"{value} s"
    by = scale("s", value) if value >= _LONG else UnitScale(1000.0, "ms") if value < 1 else None
    return f"{amount(value * by.factor)} {by.unit}" if by else f"{amount(value)} s"


def per_second(work: float | None, unit: str, duration_s: float | None) -> str:
    """Throughput: 541,700 packets/s; nothing where the work or the time is not known."""
    if not work or not duration_s or unit in ("", "cpu-s"):
        return ""
    units = unit if unit.endswith("s") else f"{unit}s"
    rate = work / duration_s
    by = scale(f"{units}/s", rate) if rate >= _MANY else UnitScale(1.0, f"{units}/s")
    return f"{amount(rate * by.factor)} {by.unit}"


def cell(value: object) -> str:
    """A cell of a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return amount(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict):
        return " ".join(f"{key}={entry}" for key, entry in sorted(value.items()))
    return str(value)
