"""What a trend answers: plain rows that the reports print. Amounts are in `TrendGroup.unit`."""

from dataclasses import dataclass

from perfduck_diff.engine.change_points import State
from perfduck_diff.engine.result import Change, Reason
from perfduck_diff.keys import SeriesKey


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """One commit, time or value of a label. `at`: when, ISO 8601, where known; `runs`: the names of
    its profiles."""

    value: str
    at: str | None
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendSeries:
    """A cost over the points. `spreads`: standard deviation between the runs of a point, None of
    one run."""

    name: str
    area: str
    costs: tuple[float, ...]
    spreads: tuple[float | None, ...]
    is_tested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelStep(Change):
    """A change of level: `base` and `new` are the mean levels before and from it on, `p` and `q` of
    the series; `points` are at the new level or later. It went away at point `until`."""

    series: str
    place: int
    q: float
    points: int
    state: State
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostShift:
    """Cost that one series lost and another gained at the same place: no growth."""

    source: LevelStep
    target: LevelStep


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFact:
    """What recordings say of their machine, and say differently from point `at` on. Of a kept file
    `before` is empty, and `after` says which lines it has more and less."""

    what: str  # kernel_release, cpus, label cni, iptables, ...
    before: str
    after: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """Steps at one place: between points `before` and `at`; with 95 % the first changed point is
    one of `earliest` .. `latest`. `base` and `new` select runs of both sides, for `diff`, with
    `where`."""

    place: int
    before: str
    at: str
    earliest: str
    latest: str
    steps: tuple[LevelStep, ...]  # largest first, the total before all
    shifts: tuple[CostShift, ...]
    facts: tuple[ChangedFact, ...]
    base: str
    new: str
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendGroup:
    """The series of recordings with the same labels: a scenario and a workload."""

    labels: dict[str, str]
    unit: str
    event: str
    points: tuple[TrendPoint, ...]
    series: tuple[TrendSeries, ...]  # the total, then the most expensive first
    changes: tuple[ChangePoint, ...]  # in the order of the points
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Series over commits, time or a label. `filters`: what chooses the samples, as it is typed for
    `diff`; `order`: what the points are ordered by; `tested`: how many series, all groups
    together."""

    over: str
    by: SeriesKey
    order: str
    groups: tuple[TrendGroup, ...]
    tested: int
    filters: tuple[str, ...]
    notes: tuple[str, ...]
