"""Budgets that like runs keep with a chosen probability, and what growth each of them finds.

Comparisons of like with like are drawn from what is known of the spread: of whole runs (a normal
factor that all rows share), of each subsystem by itself, of the samples (Poisson). How far these
spreads are known is drawn as well (scaled inverse chi-square). Every drawn comparison is judged by
the test that the gate uses, and all limits are set at the one quantile at which the wanted part of
the comparisons keeps all budgets.

A budget for what does not exist would be kept forever, so names are checked before they count. A
subsystem is known if the store has it or a rule of perfduck's leads to it; a function of a path if
the store has it or a catalogued kernel does: neither need be in the runs that are compared.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase, translate

import numpy as np

from perfduck_diff.comparison_input import Question, load_input
from perfduck_diff.engine.budget import Budget, Budgets
from perfduck_diff.engine.moderated_t import Design, ModeratedTTest, NodeRates, given
from perfduck_diff.engine.noise import Noise, whole
from perfduck_diff.engine.power import detectable, raised, upper
from perfduck_diff.engine.rates import NoiseClasses, StackRates
from perfduck_diff.engine.run_matrix import RunMatrix, gathered
from perfduck_diff.filters import Filters
from perfduck_diff.history import noise_of
from perfduck_diff.like_runs import Like, like_runs
from perfduck_diff.selection import Group
from perfduck_model.arrays import Bool, Float64
from perfduck_model.errors import PerfduckError
from perfduck_model.words import did_you_mean
from perfduck_store.protocol import Store
from perfduck_store.selector import select
from perfduck_tags import catalogue, rule_file

SIZES = (3, 5, 10)  # runs a side that the power is given for
LEVEL = 0.05  # of the gate
DRAWS = 2000
LEAST_SHARE = 0.02  # of the total, for a subsystem to get a budget
MOST_SUBSYSTEMS = 6
MOST_GROWTH = 10.0  # of the total, times base
STEPS = 14  # of halving: a limit is found to a thousandth


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedBudget:
    """`limit` is a part of base for the total, an amount in the unit for a subsystem."""

    kind: str  # total, subsystem
    name: str
    base: float
    limit: float
    finds: tuple[float, ...]  # growth found in 8 of 10, per size, as a part of base


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Budgets, the probability that like runs keep all of them, for `runs` a side and each size."""

    kind: str  # of runs: their labels
    profiles: tuple[str, ...]
    unit: str
    runs: int
    keep: float
    kept: tuple[float, ...]  # per size
    sizes: tuple[int, ...]
    budgets: tuple[SuggestedBudget, ...]
    left_out: int = 0  # subsystems without a budget
    notes: tuple[str, ...] = ()  # what is chosen, and why they are not per unit of work


def suggest(
    store: Store, selector: str, keep: float, runs: int, filters: Filters | None = None
) -> Suggestion:
    """Budgets for what the selected runs are, which must be runs of one thing.

    Raises PerfduckError if they are not, or if even a growth of ten times is not excluded.
    """
    filters = filters or Filters()
    labels, profiles = _one_kind(store, selector, filters.where)
    model = _measured(load_input(store, {"runs": profiles}, filters))
    limits = _limits(_Comparisons(model, runs), keep)
    more = [_Comparisons(model, size) for size in SIZES]
    return Suggestion(
        kind=" ".join(f"{key}={value}" for key, value in labels) or selector,
        profiles=tuple(profiles.values()),
        unit=model.unit,
        runs=runs,
        keep=keep,
        kept=tuple(float(each.keeps(limits).all(axis=0).mean()) for each in more),
        sizes=SIZES,
        budgets=tuple(
            SuggestedBudget(
                kind="subsystem" if row else "total",
                name=name,
                base=float(model.mean[row]),
                limit=float(limits[row]),
                finds=tuple(each.finds(row, float(limits[row])) for each in more),
            )
            for row, name in enumerate(model.names)
        ),
        left_out=model.left_out,
        notes=model.notes,
    )


def _one_kind(store: Store, selector: str, where: tuple[str, ...]) -> tuple[Like, Group]:
    groups = like_runs(store, select(store, selector, where))
    if len(groups) != 1:
        kinds = "; ".join(sorted(" ".join(value for _, value in kind) for kind in groups))
        raise PerfduckError.at(
            selector, expected="runs of the same thing", got=f"{len(groups)}: {kinds}"
        )
    [(labels, profiles)] = groups.items()
    if len(profiles) < 2:
        raise PerfduckError.at(
            selector, expected="two runs or more", got=", ".join(profiles.values())
        )
    return labels, profiles


@dataclass(frozen=True, slots=True)
class _Model:
    """The total and its main subsystems, row 0 the total."""

    names: tuple[str, ...]
    unit: str
    mean: Float64
    grain: float
    mix: Float64  # of the subsystems: row x noise class
    noise: Noise
    left_out: int
    notes: tuple[str, ...]

    def own(self) -> tuple[Float64, Float64]:
        """Relative spread of each row beyond what whole runs share, and its freedom."""
        apart = self.noise.with_runs(0.0)
        return np.r_[0.0, apart.of(self.mix)], np.r_[1.0, apart.certainty(self.mix)]


def _measured(question: Question) -> _Model:
    runs = question.runs
    raw = StackRates.of(runs)
    mean = gathered(runs.blame, len(runs.subsystems), raw.rate).mean(axis=1)
    main = [
        row
        for row in np.argsort(-mean, kind="stable").tolist()
        if mean[row] >= LEAST_SHARE * mean.sum() and runs.area.get(runs.subsystems[row]) != "user"
    ][:MOST_SUBSYSTEMS]
    return _Model(
        names=("total", *(runs.subsystems[row] for row in main)),
        unit=raw.unit.unit,
        mean=np.r_[mean.sum(), mean[main]],
        grain=float(np.mean(raw.weight_per_sample)),
        mix=NoiseClasses.of_stacks(runs).mix(runs.blame, len(runs.subsystems), raw.rate)[main],
        noise=noise_of(question),
        left_out=int(np.count_nonzero(mean)) - len(main),
        notes=tuple(reason.text for reason in (*question.reasons, *raw.unit.reasons)),
    )


class _Comparisons:
    """Drawn comparisons of N like runs a side."""

    def __init__(self, model: _Model, n: int) -> None:
        self.model = model
        self.design = Design(np.arange(n), np.arange(n, 2 * n), np.full(2 * n, model.grain))
        random = np.random.default_rng(n)
        common = _normal(random, model.noise.run, model.noise.run_freedom, 2 * n)
        own = [_normal(random, *row, 2 * n) for row in zip(*model.own(), strict=True)]
        factor = np.exp(common + np.array(own))
        hits = random.poisson(model.mean[:, None, None] / model.grain * factor)
        self.rates = hits * model.grain  # row x draw x run
        self.upper = [upper(test(rows)) for test, rows in map(self._test, range(len(own)))]

    def keeps(self, limits: Float64) -> Bool:
        """Which budgets each comparison keeps: row x draw."""
        return np.array([self._keeps(row, limit) for row, limit in enumerate(limits.tolist())])

    def limit(self, row: int, part: float) -> float:
        """The smallest limit that this part of the comparisons keeps."""
        if row:
            return max(float(np.quantile(self.upper[row], part)), 0.0)
        low, high = 0.0, MOST_GROWTH
        if self._keeps(row, high).mean() < part:
            message = (
                f"expected runs that differ less: no budget of the total is kept by {part:.0%}"
            )
            raise PerfduckError(message)
        for _ in range(STEPS):
            middle = (low + high) / 2
            is_enough = self._keeps(row, middle).mean() >= part
            low, high = (low, middle) if is_enough else (middle, high)
        return high

    def finds(self, row: int, limit: float) -> float:
        """The growth beyond LIMIT that is shown in 8 of 10 comparisons, as a part of base."""
        model, rows = self._test(row)
        part = limit if row == 0 else 0.0
        smallest = float(np.median(detectable(raised(model, rows, part), LEVEL)))
        base = float(self.model.mean[row])
        return (limit if row == 0 else limit / base) + smallest / base

    def _keeps(self, row: int, limit: float) -> Bool:
        if row:
            return np.asarray(self.upper[row] <= limit)
        return np.asarray(upper(raised(*self._test(row), limit)) <= 0)

    def _test(self, row: int) -> tuple[ModeratedTTest, NodeRates]:
        rates_of, draws = self.rates[row], len(self.rates[row])
        if row == 0:
            return given(self.design, whole(self.model.noise)), NodeRates(
                rates_of, np.ones((draws, 1))
            )
        mix = np.repeat(self.model.mix[[row - 1]], draws, axis=0)
        return given(self.design, self.model.noise), NodeRates(rates_of, mix)


def _normal(random: np.random.Generator, spread: float, freedom: float, runs: int) -> Float64:
    """Deviations of runs, draw x run, with a spread that is known with so many degrees."""
    square = spread**2 * freedom / random.chisquare(freedom, (DRAWS, 1))
    return np.asarray(random.normal(0, 1, (DRAWS, runs)) * np.sqrt(square))


def _limits(drawn: _Comparisons, keep: float) -> Float64:
    """One limit per row, all at the quantile at which KEEP of the comparisons keep all of them."""
    low, high = keep, 1.0
    best = np.zeros(len(drawn.model.names))
    for _ in range(6):
        middle = (low + high) / 2
        limits = np.array([drawn.limit(row, middle) for row in range(len(best))])
        if drawn.keeps(limits).all(axis=0).mean() >= keep:
            high, best = middle, limits
        else:
            low = middle
    return best if best.any() else limits


def check_names(budgets: Budgets, runs: RunMatrix) -> None:
    """Raise PerfduckError for a subsystem or a function of a budget that there is not."""
    for budget in budgets.budgets:
        if budget.kind == "subsystem":
            subsystems = {*runs.area, *(rule.subsystem for rule in rule_file.shipped())}
            if budget.name not in subsystems:
                raise _unknown(budget, budget.name, subsystems)
        if budget.kind == "path":
            names = {frame.name for frame in runs.frames}
            for part in budget.name.split(";"):
                if not _is_function(part, names):
                    raise _unknown(budget, part, names)


def _is_function(pattern: str, names: set[str]) -> bool:
    if any(fnmatchcase(name, pattern) for name in names):
        return True
    functions = catalogue.shipped().functions["name"]
    return bool(functions.str.contains(f"^(?:{_regex(pattern)})$").any())


def _regex(pattern: str) -> str:
    """fnmatch's, without what polars' regular expressions do not have."""
    return translate(pattern).removeprefix("(?s:").removesuffix(")\\Z").replace("(?>", "(?:")


def _unknown(budget: Budget, name: str, known: set[str]) -> PerfduckError:
    meant = did_you_mean(name, sorted(known)).strip()
    got = name or "an empty one"
    message = f"{budget.where}: [budget.{budget.kind}]: expected a name that exists, got {got}"
    return PerfduckError(f"{message}: {meant}" if meant else message)
