"""More runs until it is sure, without looking too often.

Whoever records one more run until a test says yes gets a yes sooner or later: of ten looks at 5 %
each, one in seven is a false alarm. So each look has a level of its own, and together they keep
that of a single test (group-sequential alpha spending: Lan and DeMets 1983,
doi:10.1093/biomet/70.3.659). With every look the spent part of the level rises, by a function of
the runs so far out of the runs at most. The level of a look is what is spent at it: Bonferroni over
the looks, which holds however they depend on each other and for any test.

spent(part) = level x part ** 1.5: between Pocock's (level x part, early stops) and O'Brien and
Fleming's (nearly all at the end); Jennison and Turnbull 2000, section 7.2.
"""

from dataclasses import dataclass
from typing import Literal

POWER = 1.5
FIRST = 2  # runs a side at the first look: with one nothing is known of the spread

Step = Literal["regression", "pass", "go on", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many runs a side at most, and the level of all looks together."""

    most: int
    level: float

    def __post_init__(self) -> None:
        if self.most < FIRST or not 0 < self.level < 1:
            message = f"expected at least {FIRST} runs and a level in 0..1, got {self}"
            raise ValueError(message)

    def level_at(self, runs: int, before: int = 0) -> float:
        """The level of the look after RUNS a side, where the last look was after BEFORE."""
        if not 0 <= before < runs <= self.most or runs < FIRST:
            message = f"expected {FIRST} to {self.most} runs, more than {before}, got {runs}"
            raise ValueError(message)
        return self._spent(runs) - self._spent(before)

    def _spent(self, runs: int) -> float:
        return float(self.level * (runs / self.most) ** POWER)


def decide(plan: Plan, runs: int, before: int, *, growth: float, excess: float) -> Step:
    """What to do after RUNS a side.

    `growth` is the one-sided p of "nothing grew"; `excess` that of "it grew by more than is
    tolerated". A tolerance that is excluded stops as a pass, other growth that is shown as a
    regression.
    """
    level = plan.level_at(runs, before)
    if excess <= level:
        return "pass"
    if growth <= level:
        return "regression"
    return "go on" if runs < plan.most else "inconclusive"
