"""What a diff answers: plain rows that the reports print.

Every number is in `Diff.unit`, per unit of work where the work is known (ns/packet). `delta` is
new minus base; `low` and `high` are the limits of its two-sided 95 % interval; `p` is one-sided,
for the direction the row is about (growth, in `shrunk` shrinkage); `q` is p after Benjamini-
Hochberg over everything that was tested, for claims weighted by what their samples can tell. A
number that cannot be had (no replicates, no prior) is None.
"""

from dataclasses import asdict, dataclass, replace
from typing import Literal

from perfduck_diff.engine.dimensions import DIMENSIONS
from perfduck_diff.keys import MatrixKey

Verdict = Literal["pass", "regression", "inconclusive"]
_WORSE: tuple[Verdict, ...] = ("pass", "inconclusive", "regression")
Json = dict[str, "Json"] | list["Json"] | str | float | int | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Base against new, with the interval of the difference."""

    base: float
    new: float
    delta: float
    low: float | None = None
    high: float | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is behind a number: mean length (s) and work of the runs, and all their samples without
    idle."""

    runs: int
    samples: int
    duration_s: float | None = None
    work: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The runs of one side. `idle` is what the idle loop had, left out of everything else."""

    profiles: tuple[str, ...]
    total: float
    idle: float = 0.0
    work: float | None = None  # mean of the runs, in units of work
    duration_s: float | None = None  # mean of the runs
    samples: int = 0  # of all runs, without idle
    spread: float | None = None  # standard deviation of the runs' totals over their mean
    shared: float | None = None  # part of its square that all paths of a run share
    totals: tuple[float, ...] = ()  # of each run
    labels: dict[str, str]  # what all runs of the side share


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsystemRow(Change):
    """A subsystem, by the charge of each stack to its innermost domain frame."""

    subsystem: str
    area: str
    q: float | None = None
    detectable: float | None = None  # smallest growth that is found in 80 % of such comparisons


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRow(Change):
    """A value of a dimension: a class, a direction, a program."""

    name: str
    q: float | None = None
    detectable: float | None = None  # as of a subsystem


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The rows of a dimension (dimensions.py) that cost anything on either side, largest growth
    first."""

    by: MatrixKey
    rows: tuple[SplitRow, ...]


UNBOUNDED = 1e6  # from this part of base on, no growth is excluded


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What the runs can tell of the total; growth as a part of base (0.05 is 5 %)."""

    tolerance: float  # growth that does not matter
    excluded: float  # growth above it is excluded, one-sided 95 %; UNBOUNDED or more: none is
    findable: float  # the smallest growth that is found in 80 % of such comparisons
    runs: int | None  # a side, to exclude `tolerance` where nothing grew; None: over 100
    runs_twice_as_long: int | None  # the same with runs of twice the length


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRow(Change):
    """A function: self weight, without a test."""

    function: str
    dso: str
    subsystem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What carries a claim: a callee, the function itself, a subsystem; its part of the delta."""

    function: str
    delta: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Change):
    """One growth (or shrinkage) that the engine reports as significant, counted nowhere else.

    `path` runs from the root to `function` and names every frame of a merged chain. `base`, `new`
    and `delta` are what this claim explains: weight below the path that no other claim has taken.
    """

    rank: int
    path: tuple[str, ...]
    function: str
    subsystem: str
    q: float | None = None
    # '', 'new path', 'unreplicated', or what happened besides: 'moved', 'renamed', 'inlined',
    # 'outlined', 'unnamed' (a name on one side only). `moved` is at another path on one side:
    # base has it at `source`, or new at `target`, and `delta` is net of that. Of a new path it is
    # all that base has, and `source` the path of the largest part.
    label: str = ""
    moved: float = 0.0
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    children: tuple[Child, ...] = ()  # callees, from where the claim first divides
    parts: tuple[Child, ...] = ()  # the same by the subsystem that is charged
    cv: float | None = None  # run-to-run spread that would explain the change, without replicates

    @property
    def gates(self) -> bool:
        """Whether a growth like this may fail a build."""
        return self.label != "unreplicated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Change):
    """Cost of `source` in base that is that of `path` in new.

    `moved` is how much, callees included. The rest of the numbers are of everything that is laid
    over one place for both sides, what moved included: `delta` is the net change there, which
    claims may explain.
    """

    label: str  # moved, renamed, inlined, outlined, unnamed (one side has no name for it)
    source: tuple[str, ...]  # root first; of a renamed function its name in base alone
    path: tuple[str, ...]
    moved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a comparison is worth less than it looks. `blocks`: no verdict is on it."""

    # base, unit, event, kernel, kernel-unknown, duplicate, lost, work, unknown, spread, duration,
    # load, replicates; of a trend: points, samples, paths, lacking,
    # filter, noise
    code: str
    text: str
    blocks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactTest:
    """The sign-flip test of pairs that were recorded in random order (engine/sign_flip.py): one-
    sided p, counted over `flips` assignments of the pairs. Nothing is shown above `level`."""

    pairs: int
    flips: int  # 1 / flips is the smallest p there can be
    level: float
    growth: float  # of the total or any path
    shrinkage: float  # likewise
    excess: float  # of "the total grew by the tolerance or more"

    @property
    def is_able(self) -> bool:
        """Whether so few pairs could show anything at all."""
        return self.flips * self.level >= 1

    @property
    def shows(self) -> bool:
        """Whether growth is shown, or excluded from the tolerance on."""
        return min(self.growth, self.excess) <= self.level


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRow(Change):
    """One budget and how it went. `limit` is absolute, in `Diff.unit`."""

    name: str
    limit: float
    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """The whole answer."""

    unit: str  # ns/packet, ms/cpu-s, %
    event: str
    normalised: str  # by what the weights were divided, in words
    tree: str  # path, rerooted, subsystem
    base: Side
    new: Side
    verdict: Verdict
    reasons: tuple[Reason, ...]
    total: Change
    subsystems: tuple[SubsystemRow, ...]
    claims: tuple[Claim, ...]
    shrunk: tuple[Claim, ...]
    # looked like a change, did not survive the screen for many tests, or the exact test
    below: tuple[Claim, ...]
    functions: tuple[FunctionRow, ...]  # those that changed most
    function_count: int  # that changed
    unattributed: Change
    moves: tuple[Moved, ...] = ()  # what only moved, largest first: no growth
    common: Change | None = None  # of `unattributed`: what all paths share, base at its own speed
    sensitivity: Sensitivity | None = None  # None where nothing is known of the spread
    exact: ExactTest | None = None  # None where the order of the runs is not known to be random
    budgets: tuple[BudgetRow, ...] = ()
    tested: int = 0  # nodes that had enough samples to be tested
    context: tuple[str, ...] = ()  # from attached files: rules and counters that explain the change
    splits: tuple[Split, ...] = ()  # of every dimension but subsystems
    # Of the other core PMUs of a hybrid CPU, in units of their own. The verdict is the worst of
    # all, and `verdict_of` the event that has it, where that is another one's.
    other_pmus: tuple["Diff", ...] = ()
    verdict_of: str = ""

    def with_other_pmus(self, others: tuple["Diff", ...], reasons: tuple[Reason, ...]) -> "Diff":
        """The same question of every core PMU, judged by the worst answer; `reasons`: why another
        has none."""
        worst = max((self, *others), key=lambda each: _WORSE.index(each.verdict))
        is_other = worst is not self
        verdict = worst.verdict
        if any(reason.blocks for reason in reasons):
            is_other, verdict = False, "inconclusive"
        return replace(
            self,
            reasons=(*self.reasons, *reasons),
            other_pmus=others,
            verdict=verdict,
            verdict_of=worst.event if is_other else "",
        )

    def split(self, by: MatrixKey) -> tuple[SplitRow, ...]:
        """The rows of a dimension."""
        return next((split.rows for split in self.splits if split.by == by), ())


def shape(diff: Diff) -> dict[str, Json]:
    """The JSON form of a diff. A dimension is a key of its own: classes, [{class, base, ...}]."""
    plain = asdict(replace(diff, other_pmus=()))
    plain["other_pmus"] = [shape(each) for each in diff.other_pmus]
    for split in plain.pop("splits"):
        named = [{split["by"]: row.pop("name"), **row} for row in split["rows"]]
        plain[DIMENSIONS[split["by"]].several] = named
    shaped: dict[str, Json] = _plain(plain)  # type: ignore[assignment]
    return shaped


def _plain(value: object) -> Json:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and value - value != 0:  # JSON knows neither infinity nor nan
        return None
    if isinstance(value, str | int | float) or value is None:
        return value
    message = f"not a JSON value: {value!r}"
    raise TypeError(message)
