"""The budget file.

[budget]
total = "5 %"                  # growth over base
[budget.subsystem]
conntrack = "20 ns"            # growth per unit of work, in the unit of the diff
[budget.path]
"br_handle_frame" = "0 ns"     # stacks with such a function; `a;b` matches a folded stack
[checks]
kernel = "note"                # block, note or off
spread = 0.1                   # or another bound
"""

import tomllib
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal

from perfduck_diff.engine.checks import CHECKS, DOUBTS, CheckAction
from perfduck_model.errors import PerfduckError
from perfduck_model.suggestion import did_you_mean, listed

Kind = Literal["total", "subsystem", "path"]


_NANOSECONDS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Budget:
    """What may grow by how much: `amount` in the unit of the diff, or a part of base."""

    kind: Kind
    name: str
    amount: float
    relative: bool
    unit: str = ""  # as given; times in ns


@dataclass(frozen=True, slots=True)
class Budgets:
    """The whole file."""

    budgets: tuple[Budget, ...]
    doubts: dict[str, CheckAction]
    bounds: dict[str, float]


def read(path: Path) -> Budgets:
    """Read a budget file."""
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"{path}: expected a budget file in TOML, got: {reason}"
        raise PerfduckError(message) from error
    return parse(content, str(path))


def parse(content: dict[str, object], where: str) -> Budgets:
    """The budgets of a parsed file."""
    unknown = sorted(set(content) - {"budget", "checks"})
    if unknown or not isinstance(content.get("budget"), dict):
        message = f"{where}: expected [budget] and [checks], got {', '.join(unknown) or 'neither'}"
        raise PerfduckError(message)
    found = [*_budgets(content["budget"], where)]
    if not found:
        message = f"{where}: expected at least one budget"
        raise PerfduckError(message)
    doubts, bounds = _checks(content.get("checks", {}), where)
    return Budgets(tuple(found), doubts, bounds)


def _budgets(table: object, where: str) -> list[Budget]:
    found = []
    for key, value in _table(table, f"{where}: [budget]").items():
        if key == "total":
            found.append(_budget("total", "total", value, where))
        elif key in ("subsystem", "path"):
            kind: Kind = "subsystem" if key == "subsystem" else "path"
            entries = _table(value, f"{where}: [budget.{key}]").items()
            found += [_budget(kind, name, amount, where) for name, amount in entries]
        else:
            message = f"{where}: expected total, subsystem or path in [budget], got {key!r}"
            raise PerfduckError(message)
    return found


def _table(value: object, where: str) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    message = f"{where}: expected a table, got {value!r}"
    raise PerfduckError(message)


def _budget(kind: Kind, name: str, value: object, where: str) -> Budget:
    number, _, unit = str(value).strip().partition(" ")
    if number.endswith("%"):
        number, unit = number[:-1], "%"
    try:
        amount = float(number)
        if not isfinite(amount):  # float() reads nan and inf
            raise ValueError
    except ValueError:
        message = f'{where}: expected an amount like "20 ns" or "5 %" for {name}, got {value!r}'
        raise PerfduckError(message) from None
    unit = unit.strip().partition("/")[0]  # "20 ns/packet" is "20 ns"
    if unit == "%":
        return Budget(kind, name, amount / 100, relative=True)
    scale = _NANOSECONDS.get(unit)
    return Budget(kind, name, amount * (scale or 1), relative=False, unit="ns" if scale else unit)


def _checks(table: object, where: str) -> tuple[dict[str, CheckAction], dict[str, float]]:
    doubts: dict[str, CheckAction] = {}
    bounds: dict[str, float] = {}
    for key, value in _table(table, f"{where}: [checks]").items():
        if key not in CHECKS:
            message = (
                f"{where}: [checks]: expected a check, got {key}:"
                f" {did_you_mean(key, list(CHECKS))}there are {listed(list(CHECKS))}"
            )
            raise PerfduckError(message)
        if value in DOUBTS:
            doubts[key] = DOUBTS[str(value)]
        elif (
            isinstance(value, int | float)
            and isfinite(value)
            and key
            in (
                "lost",
                "unknown",
                "spread",
                "duration",
                "load",
            )
        ):
            bounds[key] = float(value)
        else:
            message = f"{where}: expected block, note, off or a bound for {key}, got {value!r}"
            raise PerfduckError(message)
    return doubts, bounds
