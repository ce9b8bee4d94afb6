"""How far a node's cost varies from run to run, with few runs: variance shared between nodes.

Two or three runs a side say next to nothing about the variance of one node, but something about
that of a thousand. As limma and edgeR do it: an expected variance per cell (noise.py: sampling
plus the spread of its subsystems); a node's own variance is drawn towards it, the more the less
the nodes differ from what was expected; never below Poisson. Smyth 2004,
doi:10.2202/1544-6115.1027; Lund et al. 2012, doi:10.1515/1544-6115.1826.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from perfduck_diff.engine.noise import CERTAIN, Noise, trigamma_inverse, whole
from perfduck_model.arrays import Float64, Int64

LEAST_SCALE = 0.5  # of the expected variance that rows may be found to have
LEAST_ROWS = 30  # of which most have not changed: fewer show the changes, not the noise
LEAST_FREEDOM = 4.0  # what is assumed of the spread counts for so much, however the nodes differ
LEAST_COUNT = 0.5  # Poisson variance of a node that one side has not seen, in samples of all runs


@dataclass(frozen=True, slots=True)
class Design:
    """Which column of a rate matrix is on which side.

    `grain` is what one sample is worth in units of rate, per column: the Poisson variance of a
    rate is rate x grain. In paired form column i of base belongs to column i of new.
    """

    base: Int64
    new: Int64
    grain: Float64
    paired: bool = False

    @property
    def freedom(self) -> int:
        """Degrees of freedom of a node's own variance."""
        if self.paired:
            return len(self.base) - 1
        return len(self.base) + len(self.new) - 2

    @property
    def sides(self) -> tuple[Int64, Int64]:
        """Base, new."""
        return self.base, self.new


@dataclass(frozen=True, slots=True)
class Test:
    """Differences of rows of a rate matrix, new minus base, and how sure they are."""

    delta: Float64
    error: Float64  # standard error of delta
    freedom: Float64

    @property
    def z(self) -> Float64:
        """Delta in standard errors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(self.error > 0, self.delta / self.error, 0.0))

    @property
    def growth(self) -> Float64:
        """One-sided p of growth."""
        return np.asarray(special.stdtr(self.freedom, -self.z))

    @property
    def shrinkage(self) -> Float64:
        """One-sided p of shrinkage."""
        return np.asarray(special.stdtr(self.freedom, self.z))

    def limits(self, level: float = 0.95) -> tuple[Float64, Float64]:
        """The two-sided interval of delta."""
        reach = special.stdtrit(self.freedom, (1 + level) / 2) * self.error
        return np.asarray(self.delta - reach), np.asarray(self.delta + reach)


@dataclass(frozen=True, slots=True)
class NodeRates:
    """Nodes to test: their rate in every run, and what they consist of (node x subsystem)."""

    rates: Float64
    mix: Float64

    def __getitem__(self, which: Int64) -> "NodeRates":
        """Some of the rows."""
        return NodeRates(self.rates[which], self.mix[which])


@dataclass(frozen=True, slots=True)
class ModeratedTTest:
    """The t-test with moderated variance. With one run a side it rests on `noise` alone."""

    design: Design
    noise: Noise
    prior_freedom: float
    prior_scale: float

    def __call__(self, rows: NodeRates) -> Test:
        """Test each row."""
        own, within, between = _own_variance(rows, self.design, self.noise)
        prior = self._certainty(rows, within, between)
        freedom = self.design.freedom + prior
        scale = (prior * self.prior_scale + self.design.freedom * own) / freedom
        poisson = _delta_variance(within, self.design) / self.noise.phi
        variance = np.maximum(scale * _delta_variance(within + between, self.design), poisson)
        return Test(_delta(rows.rates, self.design), np.sqrt(variance), freedom)

    def _certainty(self, rows: NodeRates, within: Float64, between: Float64) -> Float64:
        """Degrees of freedom of the expected variance: sampling is certain, spread is not."""
        sampling, spread = within.mean(axis=1), between.mean(axis=1)
        parts = sampling**2 / CERTAIN + spread**2 / self.noise.certainty(rows.mix)
        return np.asarray(np.minimum((sampling + spread) ** 2 / parts, self.prior_freedom))


def fit(rows: NodeRates, design: Design, noise: Noise) -> ModeratedTTest:
    """Learn from all rows how far a node's own variance may be trusted against `noise`."""
    if design.freedom < 1:
        return _from_differences(rows, given(design, noise))
    own, _, _ = _own_variance(rows, design, noise)
    freedom, scale = fit_prior(own, design.freedom)
    return ModeratedTTest(design, noise, max(freedom, LEAST_FREEDOM), max(scale, LEAST_SCALE))


def _from_differences(rows: NodeRates, model: ModeratedTTest) -> ModeratedTTest:
    """One run a side: most rows did not change, so their differences show how far `noise` is right
    of rows like these, and how heavy its tails are (an empirical null, Efron 2004,
    doi:10.1198/016214504000000089)."""
    if not model.noise.spread.any() or len(rows.rates) < LEAST_ROWS:
        return model
    freedom, scale = fit_prior(model(rows).z ** 2, 1)
    return replace(model, prior_freedom=max(freedom, LEAST_FREEDOM), prior_scale=max(scale, 1.0))


def given(design: Design, noise: Noise) -> ModeratedTTest:
    """A row's own variance against `noise` as it is, with nothing learned from other rows."""
    return ModeratedTTest(design, noise, CERTAIN, 1.0)


def run_spread(totals: Float64, design: Design, prior: Noise) -> tuple[float, float]:
    """Squared spread between whole runs and its degrees of freedom, after seeing these totals."""
    if not prior.run:
        return 0.0, CERTAIN
    noise, rows = whole(prior), NodeRates(totals[None, :], np.ones((1, 1)))
    own, within, between = _own_variance(rows, design, noise)
    sampling = within.sum() / (within + between).sum()
    excess = max(float(own[0]) - float(sampling), 0.0) / (1 - float(sampling)) * prior.run**2
    freedom = prior.run_freedom + design.freedom
    square = (prior.run_freedom * prior.run**2 + design.freedom * excess) / freedom
    return square, freedom


def _delta(rates: Float64, design: Design) -> Float64:
    return np.asarray(rates[:, design.new].mean(axis=1) - rates[:, design.base].mean(axis=1))


def _cells(rows: NodeRates, design: Design, noise: Noise) -> tuple[Float64, Float64]:
    """Expected variance of every cell from the mean of its side: within runs, between runs."""
    within, between = np.zeros_like(rows.rates), np.zeros_like(rows.rates)
    for side in design.sides:
        grain = design.grain[side]
        least = LEAST_COUNT * grain.mean() / len(side)
        mean = np.maximum(rows.rates[:, side].mean(axis=1, keepdims=True), least)
        within[:, side], between[:, side] = noise.variance(mean, grain, rows.mix)
    return within, between


def _own_variance(
    rows: NodeRates, design: Design, noise: Noise
) -> tuple[Float64, Float64, Float64]:
    """Each row's variance over what is expected of it, and the expectation per cell."""
    within, between = _cells(rows, design, noise)
    cells, rates = within + between, rows.rates
    own, expected = np.zeros(len(rates)), np.full(len(rates), 1e-300)
    if design.paired:
        difference = rates[:, design.new] - rates[:, design.base]
        own += difference.var(axis=1) * len(design.base)
        expected += (cells[:, design.new] + cells[:, design.base]).mean(axis=1) * design.freedom
        return own / expected, within, between
    for side in design.sides:
        own += rates[:, side].var(axis=1) * len(side)
        expected += cells[:, side].mean(axis=1) * (len(side) - 1)
    return own / expected, within, between


def _delta_variance(cells: Float64, design: Design) -> Float64:
    parts = [cells[:, side].mean(axis=1) / len(side) for side in design.sides]
    return np.asarray(parts[0] + parts[1])


def fit_prior(own: Float64, freedom: float) -> tuple[float, float]:
    """Smyth's fitFDist: own ~ scale x F(freedom, prior freedom); prior freedom and scale."""
    logs = np.log(np.maximum(own, 1e-5 * np.median(own) + 1e-300))
    half = freedom / 2
    centred = logs - special.digamma(half) + np.log(half)
    excess = float(centred.var(ddof=1) - special.polygamma(1, half)) if len(own) > 1 else 0.0
    if excess <= 0:
        return CERTAIN, float(np.exp(centred.mean()))
    prior = min(2 * trigamma_inverse(excess), CERTAIN)
    scale = np.exp(centred.mean() + special.digamma(prior / 2) - np.log(prior / 2))
    return prior, float(scale)


def benjamini_hochberg(p: Float64, tested: int | None = None) -> Float64:
    """The q value of each p: the false discovery rate at which it is still significant. `p` may be
    the smallest of `tested` values."""
    order = np.argsort(p, kind="stable")
    raw = p[order] * (len(p) if tested is None else tested) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return q
