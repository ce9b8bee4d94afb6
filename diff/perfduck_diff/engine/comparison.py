"""Two sides, measured: rates, tree and the test that fits them. Everything else asks this."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from perfduck_diff.engine import rates
from perfduck_diff.engine.alignment import Aligned, align
from perfduck_diff.engine.budget import Budgets
from perfduck_diff.engine.checks import Bounds
from perfduck_diff.engine.moderated_t import (
    Design,
    ModeratedTTest,
    NodeRates,
    fit,
    given,
    run_spread,
)
from perfduck_diff.engine.noise import (
    Noise,
    assumed,
    from_logs,
    learn,
    log_mean,
    log_variance,
    only_sampling,
    whole,
)
from perfduck_diff.engine.rates import NoiseClasses, StackRates
from perfduck_diff.engine.renaming import StackWeights, renamed
from perfduck_diff.engine.result import Change, Reason
from perfduck_diff.engine.run_matrix import RunMatrix, gathered
from perfduck_diff.engine.shared import Shared, shared
from perfduck_diff.engine.stacks import Stacks
from perfduck_diff.engine.tree import Tree, grow
from perfduck_model.arrays import Float64, Int32, Int64

# Part of the variance of whole runs that is left within pairs until pairs say otherwise, and how
# far that may be wrong: variance of its log. Neighbouring runs correlate by .16 to .84.
UNSHARED_BY_PAIRS = 0.8
PAIRS_DIFFER = 0.5

TreeName = Literal["path", "rerooted", "subsystem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """How to compare."""

    tree: TreeName = "rerooted"
    per: rates.Per | None = None
    paired: bool = False
    # At which a change has to be shown by the exact test of pairs in random order; None: they are
    # not known to be.
    exact_level: float | None = None
    tolerance: float = 0.05  # growth of the total, as a part of base, that does not matter
    least: float = 5.0  # samples a run that a node needs to be tested,
    smallest_share: float = 1e-4  # and of all samples: to test more nodes only raises the bar
    smallest: float = 0.0  # growth below this is not claimed, in the unit of the answer
    noise: Noise | None = None  # learned from stored runs
    like: tuple[float, float] = (0.0, 0.0)  # squared spread of whole like runs, its freedom
    bounds: Bounds = field(default_factory=Bounds)
    budgets: Budgets | None = None
    functions: int = 200
    doubts: tuple[Reason, ...] = ()  # about the runs, known before they were measured


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything the answer is computed from."""

    runs: RunMatrix
    design: Design
    options: DiffOptions
    raw: Float64  # stack x run, as measured
    rate: Float64  # the same without what all paths of a run share: at the speed of base
    shared: Shared
    unit: rates.Rates
    classes: NoiseClasses
    noise: Noise
    model: ModeratedTTest  # of `rate`
    screen: ModeratedTTest  # what the scan goes by: the model, but never without any spread
    plain: ModeratedTTest  # of `raw`: also knows how far whole runs differ
    whole: ModeratedTTest  # of the total
    names: Int32  # per frame: the frame by whose name it goes
    aligned: Aligned  # what the tree was grown from
    tree: Tree
    rows: NodeRates
    least: float  # samples a run that a node needs to be tested

    @property
    def unreplicated(self) -> bool:
        """One run a side, and nothing is known of the spread between runs."""
        return self.design.freedom < 1 and self.options.noise is None

    def grouped(self, keys: Int64, size: int) -> NodeRates:
        """Rows for stacks summed by any key."""
        return self._grouped(keys, size, self.rate)

    def measured(self, keys: Int64, size: int) -> NodeRates:
        """The same as measured: for `plain`."""
        return self._grouped(keys, size, self.raw)

    def total(self) -> NodeRates:
        """The total of every run as measured: for `whole`."""
        return NodeRates(self.raw.sum(axis=0)[None, :], np.ones((1, 1)))

    def _grouped(self, keys: Int64, size: int, rate: Float64) -> NodeRates:
        return NodeRates(gathered(keys, size, rate), self.classes.mix(keys, size, rate))


def measure(runs: RunMatrix, base: Int64, new: Int64, options: DiffOptions) -> Comparison:
    """Learn the noise and test every node of the tree."""
    raw = StackRates.of(runs, options.per)
    plain = Design(base, new, raw.weight_per_sample, options.paired)
    least = max(options.least, options.smallest_share * runs.hits.sum(axis=0).mean())
    sides = _sides(runs, raw.rate, plain, least)
    called = renamed(runs.stacks, runs.frames, sides)
    rerooted = _rerooted(runs, called)
    classes = NoiseClasses.of_stacks(runs, rerooted)
    aligned = align(_shape(runs, rerooted, called, options.tree), sides)
    tree = grow(aligned.stacks, runs.hits.sum(axis=1), least * len(runs.runs))
    common = shared(tree.own(raw.rate), plain)
    alike = raw.without(common.factor)
    design = replace(plain, grain=alike.weight_per_sample)
    mix = classes.mix(tree.leaf, tree.size, alike.rate)
    rows = NodeRates(tree.inclusive(alike.rate), tree.upward(mix))
    prior = _prior(classes.names, design, options)
    run = run_spread(raw.totals, plain, prior)
    own = learn(prior, classes.groups(alike, design.sides)) if prior.spread.any() else prior
    noise = own.with_runs(common.error**2) if common.units else own.with_runs(*run)
    model = fit(rows, design, noise)
    # sampling alone is sure of everything: the sum of all change would be claimed as one
    screen = fit(rows, design, assumed(classes.names)) if noise.spread.sum() == 0 else model
    return Comparison(
        runs, design, options, raw.rate, alike.rate, common, raw.unit, classes, noise, model,
        screen, given(plain, own.with_runs(*run)), given(plain, whole(prior)), called, aligned,
        tree, rows, least,
    )  # fmt: skip


def _prior(names: tuple[str, ...], design: Design, options: DiffOptions) -> Noise:
    if design.freedom < 1 and options.noise is None:
        return only_sampling(names)
    prior = options.noise.over(names) if options.noise else assumed(names).informed(*options.like)
    if not design.paired or not prior.run:
        return prior
    log = log_mean(UNSHARED_BY_PAIRS * prior.run**2, prior.run_freedom)
    return prior.with_runs(*from_logs([(log, log_variance(prior.run_freedom) + PAIRS_DIFFER)]))


def _sides(runs: RunMatrix, rate: Float64, design: Design, least: float) -> StackWeights:
    base, new = design.sides
    return StackWeights(
        np.stack([rate[:, side].mean(axis=1) for side in (base, new)], axis=1),
        np.stack([runs.hits[:, side].sum(axis=1) for side in (base, new)], axis=1),
        (least * len(base), least * len(new)),
    )


def unaligned(runs: RunMatrix, tree: TreeName) -> Stacks:
    """What a tree is grown from, by the names that frames have: blind to which side is which."""
    names = np.arange(len(runs.frames), dtype=np.int32)
    return _shape(runs, _rerooted(runs, names), names, tree)


def _rerooted(runs: RunMatrix, called: Int32) -> Stacks:
    """Cut at entries, and at functions that are entries by another name."""
    entry = runs.entry()
    by_name = np.zeros(len(entry), dtype=np.bool_)
    by_name[called[entry]] = True
    return runs.stacks.mapped(called).rerooted(by_name)


def _shape(runs: RunMatrix, rerooted: Stacks, called: Int32, tree: TreeName) -> Stacks:
    if tree != "subsystem":
        return (runs.stacks.mapped(called) if tree == "path" else rerooted).collapsed()
    return rerooted.mapped(subsystem_codes(runs))


def subsystem_codes(runs: RunMatrix) -> Int32:
    """For every frame the first frame of its subsystem; -1 for helpers, which pass through."""
    first: dict[str, int] = {}
    codes = [
        first.setdefault(frame.subsystem, number) if frame.role != "helper" else -1
        for number, frame in enumerate(runs.frames)
    ]
    return np.array(codes, dtype=np.int32)


def changes(work: Comparison, model: ModeratedTTest, rows: NodeRates) -> list[Change]:
    """Base, new and delta of rows that `model` is of, with interval and p of growth."""
    test = model(rows)
    low, high = test.limits()
    means = [rows.rates[:, side].mean(axis=1) for side in work.design.sides]
    return [
        Change(base=b, new=n, delta=d, low=lo, high=hi, p=None if work.unreplicated else p)
        for b, n, d, lo, hi, p in zip(
            *(column.tolist() for column in (*means, test.delta, low, high, test.growth)),
            strict=True,
        )
    ]
