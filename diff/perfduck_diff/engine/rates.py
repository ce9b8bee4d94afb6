"""Where every comparison begins: the cost of each stack in each run per unit of work, what
replaces it where no work is known, and the noise class of each stack.

    work        3 507 ns/packet    weight / packets
    cpu-second   810 ms/cpu-s      weight / (duration x CPUs): says nothing about the work done
    share        100 %             weight / all weight: growth cannot be separated from dilution

Share is not a weaker unit of the same thing. With 40 % total growth, a path of 10 % that did not
change falls to 7.1 %, and one that grew by 25 % seems to shrink.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from perfduck_diff.engine.moderated_t import NodeRates
from perfduck_diff.engine.result import Reason
from perfduck_diff.engine.run_matrix import Cells, Run, RunMatrix, gathered, mixed
from perfduck_diff.engine.stacks import Stacks
from perfduck_model.arrays import Float64, Int64
from perfduck_model.words import in_units

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


def _names(runs: list[Run]) -> str:
    shown = [run.name for run in runs[:3]]
    return ", ".join(shown) + (f" and {len(runs) - 3} more" if len(runs) > 3 else "")


def _reasons(kind: Per, runs: RunMatrix) -> tuple[Reason, ...]:
    if kind == "work":
        return ()
    why = _no_work(runs.runs)
    has_work = any(run.work for run in runs.runs)
    text = ": ".join([*filter(None, [why]), _SHARE if kind == "share" else _CPU])
    return (Reason(code="work", text=text, blocks=kind == "share" or bool(has_work and why)),)


_CPU = "compared per CPU-second, which a saturated machine fills regardless of what a packet costs"
_SHARE = "share only: growth cannot be separated from dilution"
_DIVISORS = {"work": _work, "cpu-second": _cpu_seconds, "share": _share}
_WORDS: dict[Per, str] = {
    "work": "per unit of work",
    "cpu-second": "per CPU-second",
    "share": "share",
}


@dataclass(frozen=True, slots=True)
class StackRates:
    """Costs in `unit`: `rate` of stack x run, and per run the weight that one sample represents."""

    unit: Rates
    rate: Float64
    weight_per_sample: Float64

    @classmethod
    def of(cls, runs: RunMatrix, per: Per | None = None) -> Self:
        """As measured. Raises CannotDivideError where the runs do not say what to divide by."""
        unit = rates(runs, per)
        grain = np.array([run.grain for run in runs.runs])
        return cls(unit, runs.weight / unit.divisor, grain / unit.divisor)

    def without(self, factor: Float64) -> Self:
        """The same without what all paths of a run share: `factor` per run."""
        return type(self)(self.unit, self.rate / factor, self.weight_per_sample / factor)

    @property
    def totals(self) -> Float64:
        """The cost of each run."""
        return np.asarray(self.rate.sum(axis=0))


@dataclass(frozen=True, slots=True)
class NoiseClasses:
    """`of`: per stack, which of the `names` its noise goes by."""

    names: tuple[str, ...]
    of: Int64

    @classmethod
    def of_stacks(cls, runs: RunMatrix, rerooted: Stacks | None = None) -> Self:
        """By the stacks as they are rerooted: at entries, unless others are given."""
        return cls(*runs.classes(rerooted or runs.stacks.rerooted(runs.entry())))

    def groups(
        self, measured: StackRates, groups: tuple[Int64, ...]
    ) -> list[tuple[Float64, Float64]]:
        """What noise is learned from: per group its rates, class x run, and weights per sample."""
        rate = gathered(self.of, len(self.names), measured.rate)
        return [(rate[:, group], measured.weight_per_sample[group]) for group in groups]

    def mix(self, keys: Int64, size: int, rate: Float64) -> Float64:
        """What each key of stacks consists of: key x class, the mean rate of the runs."""
        return mixed(keys, size, self.of, len(self.names), rate)

    def rows(self, cells: Cells, unit: Rates) -> NodeRates:
        """What each value of a dimension costs, as measured, and what it consists of: as `mix`."""
        size, rate = len(cells.names), cells.weight / unit.divisor
        mix = mixed(cells.value, size, self.of[cells.stack], len(self.names), rate)
        return NodeRates(gathered(cells.value, size, rate), mix)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsystemRuns:
    """The cost of a subsystem, by blame, in each run of base and of new; in the diff's unit."""

    subsystem: str
    base: tuple[float, ...]
    new: tuple[float, ...]


def subsystem_runs(
    runs: RunMatrix, base: Int64, new: Int64, per: Per | None = None
) -> tuple[SubsystemRuns, ...]:
    """A row for each subsystem that is blamed, by name."""
    costs = gathered(runs.blame, len(runs.subsystems), StackRates.of(runs, per).rate)
    return tuple(
        SubsystemRuns(subsystem=name, base=tuple(row[base].tolist()), new=tuple(row[new].tolist()))
        for name, row in zip(runs.subsystems, costs, strict=True)
    )
