"""What people type, read in one way by the command line and by the methods of a store.

    30  0.5  1.5e6        numbers, in ASCII digits
    0  0-3  0,2           CPUs, as the kernel and perf write lists of them
    1s  500ms  2min       times
    5%                    parts of a whole
    36h  90d  8w  2y      ages

Each function also takes the value itself (0.05 for 5 %). PerfduckError names the option as it is on
the command line: `--skip` is the keyword `skip`.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypedDict

from perfduck.options import refuse_others
from perfduck_diff.filters import Filters
from perfduck_model.errors import PerfduckError
from perfduck_model.words import did_you_mean, listed, number, whole_number

__all__ = ["age", "cpus", "did_you_mean", "listed", "number", "part", "seconds", "whole_number"]

_CPUS = 1_000_000  # of no machine
_LONGEST_S = 1e9  # 30 years; in ns it has 60 bits
_TIMES = {"ms": 0.001, "us": 1e-6, "min": 60.0, "s": 1.0, "": 1.0}
_AGE = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[hdwy])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


def cpus(option: str, value: str | int) -> tuple[int, ...]:
    """The CPUs of a list such as 0-3,8."""
    text = str(value)
    try:
        ends = [[whole_number(end.strip()) for end in part.split("-")] for part in text.split(",")]
    except ValueError:
        ends = [[]]
    if not all(0 < len(pair) < 3 and 0 <= pair[0] <= pair[-1] < _CPUS for pair in ends):
        message = f"{option} {text}: expected CPUs like 0, 0-3 or 0,2"
        raise PerfduckError(message)
    return tuple(cpu for pair in ends for cpu in range(pair[0], pair[-1] + 1))


def seconds(option: str, value: str | float | None) -> float | None:
    """A time in seconds, or with its unit: 1.5, "1s", "500ms"."""
    if value is None:
        return None
    text = str(value)
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    scale = _TIMES.get(text[len(digits) :].strip(), -1.0)
    try:
        amount = number(digits.strip()) * scale
    except ValueError:
        amount = -1.0
    if not 0 <= amount <= _LONGEST_S:
        message = f"{option} {text}: expected a time like 1s or 500ms"
        raise PerfduckError(message)
    return amount


def part(option: str, value: str | float) -> float:
    """A positive part of a whole: 0.05, "5%"."""
    amount = _part(value) if isinstance(value, str) else float(value)
    if not amount > 0:
        message = f"{option} {value}: expected a percentage like {_meant(str(value))}"
        raise PerfduckError(message)
    return amount


def age(option: str, value: str | timedelta) -> timedelta:
    """A time span that something is old."""
    if isinstance(value, timedelta):
        return value
    match = _AGE.fullmatch(value)
    if match is None:
        message = f"{option} {value}: expected an age with its unit, such as 36h, 90d, 8w or 2y"
        raise PerfduckError(message)
    return timedelta(hours=int(match["number"]) * _HOURS[match["unit"]])


def _meant(text: str) -> str:
    """What a number without its sign may have been: 95 and 0.95 are 95%."""
    try:
        value = number(text.strip())
    except ValueError:
        return "5%"
    return f"{value if value >= 1 else 100 * value:g}%" if value > 0 else "5%"


def _part(text: str) -> float:
    amount, sign, rest = text.partition("%")
    try:
        return number(amount.strip()) / 100 if sign and not rest.strip() else -1.0
    except ValueError:
        return -1.0


class FilterOptions(TypedDict, total=False):
    """Which profiles and which of their samples count. A list adds to the choice, but all of
    `where` must hold. Texts are globs."""

    where: str | Sequence[str] | None  # only profiles that this selector means too
    event: str | Sequence[str] | None  # default: the event that most profiles have
    comm: str | Sequence[str] | None  # only these programs
    not_comm: str | Sequence[str] | None
    pid: int | Sequence[int] | None
    cpu: str | int | Sequence[str | int] | None  # 0, "0-3", "0,2"
    dso: str | Sequence[str] | None  # of the leaf
    subsystem: str | Sequence[str] | None  # that is blamed
    cgroup: str | Sequence[str] | None
    netns: str | int | Sequence[str | int] | None  # inodes; globs
    not_netns: str | int | Sequence[str | int] | None
    pod: str | Sequence[str] | None  # namespace/pod, or the pod alone
    not_pod: str | Sequence[str] | None
    skip: str | float | None  # the start of every run, in seconds or as "500ms"
    until: str | float | None


_TEXTS = (
    "where", "event", "comm", "not_comm", "dso", "subsystem", "cgroup", "netns", "not_netns", "pod",
    "not_pod",
)  # fmt: skip


def filters_of(options: FilterOptions) -> Filters:
    """The filters. PerfduckError for a value that is none, TypeError for another keyword."""
    refuse_others(options, FilterOptions)
    values: dict[str, Any] = dict(options)
    filters = Filters(
        **{name: _texts(name, values.get(name)) for name in _TEXTS},
        pid=_several(values.get("pid")),
        cpu=tuple(cpu for value in _several(values.get("cpu")) for cpu in cpus("--cpu", value)),
        from_s=seconds("--skip", values.get("skip")),
        to_s=seconds("--until", values.get("until")),
    )
    if filters.to_s is not None and filters.to_s <= (filters.from_s or 0.0):
        skipped = values.get("skip") or "0s"
        message = f"--until {values['until']}: expected a time after --skip {skipped}"
        raise PerfduckError(message)
    return filters


def _several(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str | int) else tuple(value)


def _texts(name: str, value: str | Sequence[str] | None) -> tuple[str, ...]:
    values = tuple(map(str, _several(value)))
    if not all(values):
        raise PerfduckError.at(
            where=f"--{name.replace('_', '-')}", expected="a name or a glob", got="nothing"
        )
    return values
