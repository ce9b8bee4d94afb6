"""What each run costs by subsystem: the dots beside the interval of a difference."""

from dataclasses import dataclass

from perfduck_diff.engine.rates import Per, StackRates
from perfduck_diff.engine.run_matrix import RunMatrix, gathered
from perfduck_model.arrays import Int64


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
