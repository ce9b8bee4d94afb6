"""Cost per unit of work: what a weight is divided by, and what stands in where no work is known.

    work        3 507 ns/packet    weight / packets
    cpu-second   810 ms/cpu-s      weight / (duration x CPUs): says nothing about the work done
    share        100 %             weight / all weight: growth cannot be told from dilution

Share is not a weaker unit of the same thing. With 40 % total growth, a path of 10 % that did not
change falls to 7.1 %, and one that grew by 25 % seems to shrink.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfduck_diff.engine.result import Reason
from perfduck_diff.engine.run_matrix import Run, RunMatrix
from perfduck_model.arrays import Float64

Per = Literal["work", "cpu-second", "share"]


class CannotDivideError(ValueError):
    """The runs do not say what was asked to divide by."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How to divide: one divisor per run."""

    divisor: Float64
    unit: str
    words: str
    reasons: tuple[Reason, ...]


def rates(runs: RunMatrix, per: Per | None = None) -> Rates:
    """The best normalisation that all runs allow, or the one asked for."""
    for kind in (per,) if per else ("work", "cpu-second", "share"):
        divisor = _DIVISORS[kind](runs)
        if divisor is not None:
            return Rates(divisor, _unit(kind, runs), _WORDS[kind], _reasons(kind, runs))
    kind = per or "share"
    message = f"cannot compare per {kind}: {_missing(kind, runs)}"
    raise CannotDivideError(message)


def _work(runs: RunMatrix) -> Float64 | None:
    if len({run.work_unit for run in runs.runs}) != 1 or not all(run.work for run in runs.runs):
        return None
    return np.array([run.work or 0.0 for run in runs.runs])


def _cpu_seconds(runs: RunMatrix) -> Float64 | None:
    if not all(run.duration_s for run in runs.runs):
        return None
    seconds = np.array([(run.duration_s or 0.0) * (run.cpus or 1) for run in runs.runs])
    return seconds * 1e6 if runs.unit == "ns" else seconds


def _share(runs: RunMatrix) -> Float64 | None:
    total = runs.weight.sum(axis=0)
    return np.asarray(total / 100) if (total > 0).all() else None


def _unit(kind: Per, runs: RunMatrix) -> str:
    if kind == "share":
        return "%"
    return (
        f"{runs.unit}/{runs.runs[0].work_unit or 'unit'}"
        if kind == "work"
        else f"{'ms' if runs.unit == 'ns' else runs.unit}/cpu-s"
    )


def _missing(per: Per, runs: RunMatrix) -> str:
    if per == "share":
        empty = runs.weight.sum(axis=0) == 0
        lacking = [run for run, is_empty in zip(runs.runs, empty, strict=True) if is_empty]
        return f"no samples to be a share of in {_names(lacking)}"
    if per == "work":
        return _no_work(runs.runs)
    return "no duration in " + _names([run for run in runs.runs if not run.duration_s])


def _no_work(runs: tuple[Run, ...]) -> str:
    """Why runs cannot be divided by their work; '' where they can."""
    lacking = [run for run in runs if not run.work]
    if lacking:
        return f"work is not known for {_names(lacking)}"
    units = Counter(run.work_unit or "unit" for run in runs)
    return in_units(units) if len(units) > 1 else ""


def in_units(units: Counter[str]) -> str:
    """In what the work of how many runs is, where that is not one unit."""
    parts = [f"{unit} ({n} {'run' if n == 1 else 'runs'})" for unit, n in sorted(units.items())]
    return f"work is in {' and '.join(parts)} (--where KEY=VALUE chooses runs of one)"


def _names(runs: list[Run]) -> str:
    shown = [run.name for run in runs[:3]]
    return ", ".join(shown) + (f" and {len(runs) - 3} more" if len(runs) > 3 else "")


def _reasons(kind: Per, runs: RunMatrix) -> tuple[Reason, ...]:
    if kind == "work":
        return ()
    why = _no_work(runs.runs)
    said = any(run.work for run in runs.runs)
    text = ": ".join([*filter(None, [why]), _SHARE if kind == "share" else _CPU])
    return (Reason(code="work", text=text, blocks=kind == "share" or bool(said and why)),)


_CPU = "compared per CPU-second, which a saturated machine fills whatever a packet costs"
_SHARE = "share only: growth cannot be separated from dilution"
_DIVISORS = {"work": _work, "cpu-second": _cpu_seconds, "share": _share}
_WORDS: dict[Per, str] = {
    "work": "per unit of work",
    "cpu-second": "per CPU-second",
    "share": "share",
}
