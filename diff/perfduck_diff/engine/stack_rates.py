"""Where every comparison begins: the cost of each stack in each run, and its noise class."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from perfduck_diff.engine import rates
from perfduck_diff.engine.run_matrix import RunMatrix, gathered, mixed
from perfduck_diff.engine.stacks import Stacks
from perfduck_model.arrays import Float64, Int64


@dataclass(frozen=True, slots=True)
class StackRates:
    """Costs in `unit`: `rate` of stack x run, and per run the weight that one sample stands for."""

    unit: rates.Rates
    rate: Float64
    weight_per_sample: Float64

    @classmethod
    def of(cls, runs: RunMatrix, per: rates.Per | None = None) -> Self:
        """As measured. Raises CannotDivideError where the runs do not say what to divide by."""
        unit = rates.rates(runs, per)
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
    def found(cls, runs: RunMatrix, rerooted: Stacks | None = None) -> Self:
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
