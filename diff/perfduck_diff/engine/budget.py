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

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn

from perfduck_diff.engine.checks import CHECKS, DOUBTS, CheckAction
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.small_file import reason, text_of, toml_of
from perfduck_model.words import did_you_mean, listed, number

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """The lines of the keys of the file `name`; none where only its content is known."""

    name: str
    lines: Mapping[Keys, int] = field(default_factory=dict)

    def of(self, *keys: str) -> str:
        """perfduck.toml:2, of the key or of the innermost table around it whose line is known."""
        for size in range(len(keys), 0, -1):
            if line := self.lines.get(keys[:size]):
                return f"{self.name}:{line}"
        return self.name


Kind = Literal["total", "subsystem", "path"]

_AMOUNT = re.compile(
    r"""
    (?P<number>[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?) \s*
    (?P<unit>[^\s/0-9.+-][^\s/]*)
    (?:/(?P<per>\S+))?              # "20 ns/packet"
    """,
    re.VERBOSE,
)
_TIMES = {"ps": 0.001, "ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_MICRO = str.maketrans("\u00b5\u03bc", "uu")  # the sign, and the Greek letter that looks like it
_COUNTS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}  # of other units, as reports print them
_EXPECTED = 'expected an amount like "20 ns" or "5 %"'
# The bounds that a check may have.
_BOUNDS: dict[str, tuple[float, float]] = {
    "lost": (0, 1),
    "unknown": (0, 1),
    "spread": (0, 1),
    "duration": (1, float("inf")),
    "load": (0, 1),
    "work": (1, float("inf")),
}


@dataclass(frozen=True, slots=True)
class Budget:
    """What may grow by how much: `amount` in `unit` and `per` as they were typed, times in ns; or a
    part of base. `where`: file and line."""

    kind: Kind
    name: str
    amount: float
    relative: bool
    unit: str = ""
    per: str = ""
    where: str = ""

    def wrong(self, *, expected: str, got: str) -> PerfduckError:
        """What cannot be judged, at its place."""
        name = "total" if self.kind == "total" else f"{self.kind} {self.name}"
        return PerfduckError(f"{self.where}: budget {name}: expected {expected}, got {got}")

    def amount_in(self, unit: str) -> float:
        """The amount in the unit of a diff, `ns/packet`. PerfduckError where that is another."""
        quantity, _, per = unit.partition("/")
        scale = 1.0 if self.relative else _scale(self.unit, quantity)
        if not scale or self.per not in ("", per):
            got = f"{self.unit}/{self.per}" if self.per else self.unit
            units = "%" if unit == "%" else f"{_units(quantity, per if self.per else '')} or %"
            raise self.wrong(expected=f"an amount in {units}", got=got)
        return self.amount * scale


def _units(quantity: str, per: str) -> str:
    """What amounts of a quantity may be in: `ps, ns, us, ms, s`, `cycles/packet, kcycles/...`."""
    names = _TIMES if quantity in _TIMES else [f"{prefix}{quantity}" for prefix in _COUNTS]
    return ", ".join(f"{name}/{per}" if per else name for name in names)


def _scale(unit: str, quantity: str) -> float:
    """What an amount in a unit is multiplied with to be one in another; 0 where they are of
    different things."""
    if unit == "ns" and quantity in _TIMES:
        return 1 / _TIMES[quantity]
    return _COUNTS.get(unit.removesuffix(quantity), 0) if unit.endswith(quantity) else 0


@dataclass(frozen=True, slots=True)
class Budgets:
    """The whole file."""

    budgets: tuple[Budget, ...]
    doubts: dict[str, CheckAction]
    bounds: dict[str, float]


def read(path: Path) -> Budgets:
    """Read a budget file."""
    try:
        # Editors of Windows write a byte order mark.
        text = text_of(path, limits.most_budget_bytes, encoding="utf-8-sig")
        content = toml_of(text, dict[str, object])
    except (OSError, ValueError) as error:
        message = f"{path}: expected a budget file in TOML, got: {reason(error)}"
        raise PerfduckError(message) from error
    return _budgets(content, places(str(path), text))


def parse(content: dict[str, object], where: str) -> Budgets:
    """The budgets of a parsed file."""
    return _budgets(content, Places(where))


def _budgets(content: dict[str, object], at: Places) -> Budgets:
    unknown = sorted(set(content) - {"budget", "checks"})
    if unknown or not isinstance(content.get("budget"), dict):
        got = listed(unknown) or ("[checks] alone" if "checks" in content else "neither")
        _refuse(at.of(*unknown[:1]), f"expected [budget] and [checks], got {got}")
    budgets = tuple(_amounts(content["budget"], at))
    doubts, bounds = _checks(content.get("checks"), at)
    return Budgets(budgets, doubts, bounds)


def _refuse(where: str, words: str) -> NoReturn:
    message = f"{where}: {words}"
    raise PerfduckError(message)


def _amounts(table: object, at: Places) -> Iterator[Budget]:
    for key, value in _table(table, at, "budget").items():
        if key == "total":
            yield _budget("total", "total", value, at.of("budget", key))
        elif key in ("subsystem", "path"):
            kind: Kind = "subsystem" if key == "subsystem" else "path"
            for name, amount in _table(value, at, "budget", key).items():
                yield _budget(kind, name, amount, at.of("budget", key, name))
        else:
            words = f"expected total, subsystem or path in [budget], got {key!r}"
            _refuse(at.of("budget", key), words)


def _table(value: object, at: Places, *keys: str) -> dict[str, object]:
    """A table that says something."""
    if not isinstance(value, dict):
        _refuse(at.of(*keys), f"[{'.'.join(keys)}]: expected a table, got {value!r}")
    if not value:
        what = "check" if keys[0] == "checks" else "budget"
        _refuse(at.of(*keys), f"[{'.'.join(keys)}]: expected at least one {what}, got none")
    return value


def _budget(kind: Kind, name: str, value: object, where: str) -> Budget:
    match = _AMOUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        amount = number(match["number"]) if match else -1.0
    except ValueError:
        amount = -1.0
    if match is None or amount < 0 or (match["unit"] == "%" and match["per"]):
        _refuse(where, f"{_EXPECTED} for {name}, got {value!r}")
    unit, per = match["unit"], match["per"] or ""
    if unit == "%":
        return Budget(kind, name, amount / 100, relative=True, where=where)
    unit = micro if (micro := unit.translate(_MICRO)) in _TIMES else unit
    scale = _TIMES.get(unit, 1)
    unit = "ns" if unit in _TIMES else unit
    return Budget(kind, name, amount * scale, relative=False, unit=unit, per=per, where=where)


def _checks(table: object, at: Places) -> tuple[dict[str, CheckAction], dict[str, float]]:
    doubts: dict[str, CheckAction] = {}
    bounds: dict[str, float] = {}
    checks = {} if table is None else _table(table, at, "checks")
    for key, value in checks.items():
        where = at.of("checks", key)
        if key not in CHECKS:
            hint = did_you_mean(key, list(CHECKS))
            there = f"{hint}there are {listed(list(CHECKS), len(CHECKS))}"
            _refuse(where, f"[checks]: expected a check, got {key}: {there}")
        if isinstance(value, str) and value in DOUBTS:
            doubts[key] = DOUBTS[value]
        elif _is_bound(key, value):
            bounds[key] = float(value)  # type: ignore[arg-type]  # it is a number
        else:
            _refuse(where, f"expected block, note, off{_bound(key)} for {key}, got {value!r}")
    return doubts, bounds


def _is_bound(key: str, value: object) -> bool:
    if key not in _BOUNDS or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    least, most = _BOUNDS[key]
    return least <= value <= most and value != float("inf")


def _bound(key: str) -> str:
    if key not in _BOUNDS:
        return ""
    least, most = _BOUNDS[key]
    return f" or a bound {f'of {least:g} or more' if most > 1 else f'from {least:g} to {most:g}'}"


def places(name: str, text: str) -> Places:
    """The places of a file that is TOML, line by line: of a value of several lines the first."""
    lines: dict[Keys, int] = {}
    table: Keys = ()
    for line_number, line in enumerate(text.splitlines(), 1):
        try:
            paths = list(_paths(tomllib.loads(line)))
        except (ValueError, RecursionError):  # a part of such a value
            continue
        is_header = line.lstrip().startswith("[")
        table = () if is_header else table
        for path in paths:
            for size in range(1, len(path) + 1):
                lines.setdefault((*table, *path[:size]), line_number)
            table = path if is_header else table
    return Places(name, lines)


def _paths(table: Mapping[str, object]) -> Iterator[Keys]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from ((key, *rest) for rest in _paths(value))
        else:
            yield (key,)
