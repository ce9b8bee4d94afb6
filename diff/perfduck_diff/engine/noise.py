"""How much the cost of a subsystem varies between runs of the same thing.

The variance of a rate is Poisson (the samples) plus spread^2 x mean^2 (the runs). Recordings of one
scenario on a quiet machine differ little in the packet path and much in who wakes whom:

    subsystem    spread, 28 udp64 runs   28 crr runs
    scheduler                   22.6 %        25.6 %
    poll                        14.5 %         0.9 %
    udp                          9.3 %             -
    socket                       8.2 %         5.4 %
    ipv4                         2.7 %     < Poisson
    bridge, br_netfilter     < Poisson         4.0 %

A node's spread is that of the subsystems its samples are charged to, each on its own: what they
share is taken off beforehand (shared.py). So two runs a side can be judged although a scheduler
that happened to repeat itself within both sides would make any t-test sure of a difference. Two
kinds of stack have a class of their own, for any charge: what wakes, sleeps and polls
(`wakeup`), and kernel threads of their own business (`background`). What whole runs differ by is
apart, `run`.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from perfduck_model.arrays import Float64

# What is assumed of a subsystem until runs say otherwise, and for how many runs' worth it counts.
USUAL_SPREAD = 0.06
ASSUMED_SPREAD = {"wakeup": 0.25, "background": 0.35}
ASSUMED_FREEDOM = 4.0
CERTAIN = 200.0
RUN = "run"
# Totals of like runs differ by 0.6 to 17 % (standard deviation), by machine and by load.
RUN_SPREAD = 0.06
RUN_FREEDOM = 3.0


@dataclass(frozen=True, slots=True)
class Noise:
    """Over-dispersion of samples, and spread between runs per subsystem, with its certainty.

    `run` is the spread of what all paths of a run share. It is 0 for rates that were divided by it.
    """

    subsystems: tuple[str, ...]
    phi: float
    spread: Float64
    freedom: Float64  # degrees of freedom behind each spread
    run: float = 0.0
    run_freedom: float = CERTAIN

    def variance(self, mean: Float64, grain: Float64, mix: Float64) -> tuple[Float64, Float64]:
        """Of cells with this mean (node x run): within-run and between-run part.

        `mix` (node x subsystem) says what the nodes consist of, in any unit.
        """
        within = self.phi * mean * grain
        return within, (mean * self.of(mix)[:, None]) ** 2

    def of(self, mix: Float64) -> Float64:
        """The spread of nodes that consist of subsystems in these proportions."""
        return np.asarray(np.sqrt(self._squares(mix).sum(axis=1) + self.run**2))

    def certainty(self, mix: Float64) -> Float64:
        """Degrees of freedom behind `of` (Satterthwaite 1946, doi:10.2307/3002019)."""
        parts = self._squares(mix)
        doubt = (parts**2 / self.freedom).sum(axis=1) + self.run**4 / self.run_freedom
        whole = (parts.sum(axis=1) + self.run**2) ** 2
        return np.where(doubt > 0, whole / np.maximum(doubt, 1e-300), CERTAIN)

    def _squares(self, mix: Float64) -> Float64:
        share = np.maximum(mix, 0) / np.maximum(mix.sum(axis=1, keepdims=True), 1e-300)
        return np.asarray((share * self.spread) ** 2)

    def over(self, subsystems: tuple[str, ...]) -> "Noise":
        """The same for other subsystems: those not learned keep what is assumed."""
        place = dict(zip(self.subsystems, range(len(self.subsystems)), strict=True))
        rest = assumed(subsystems)
        spread, freedom = rest.spread.copy(), rest.freedom.copy()
        for row, name in enumerate(subsystems):
            if name in place:
                spread[row], freedom[row] = self.spread[place[name]], self.freedom[place[name]]
        return replace(self, subsystems=subsystems, spread=spread, freedom=freedom)

    def informed(self, square: float, freedom: float) -> "Noise":
        """The same after other runs have shown this squared spread of whole runs."""
        if not freedom:
            return self
        both = [(self.run**2, self.run_freedom), (square, freedom)]
        logarithms = [(log_mean(spread, df), log_variance(df)) for spread, df in both]
        return self.with_runs(*from_logs(logarithms))

    def with_runs(self, square: float, freedom: float = CERTAIN) -> "Noise":
        """The same for rates that still have in them what a whole run shares."""
        return replace(self, run=float(np.sqrt(square)), run_freedom=freedom)


def log_mean(square: float, freedom: float) -> float:
    """Expected log of a variance that was found so large with so many degrees of freedom."""
    return float(np.log(square) - special.digamma(freedom / 2) + np.log(freedom / 2))


def log_variance(freedom: float) -> float:
    """And the variance of that log."""
    return float(special.polygamma(1, freedom / 2))


def from_logs(known: list[tuple[float, float]]) -> tuple[float, float]:
    """The variance and its degrees of freedom that several (mean, variance) of its log make."""
    precision = sum(1 / variance for _, variance in known)
    mean = sum(log / variance for log, variance in known) / precision
    half = trigamma_inverse(1 / precision)
    return float(np.exp(mean + special.digamma(half) - np.log(half))), 2 * half


def trigamma_inverse(y: float) -> float:
    """Newton's method on 1/trigamma, as in limma."""
    x = 0.5 + 1 / y
    for _ in range(50):
        tri = float(special.polygamma(1, x))
        step = tri * (1 - tri / y) / float(special.polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return x


def assumed(subsystems: tuple[str, ...]) -> Noise:
    """What holds before anything was learned."""
    spread = [ASSUMED_SPREAD.get(name, USUAL_SPREAD) for name in subsystems]
    size = len(subsystems)
    freedom = np.full(size, ASSUMED_FREEDOM)
    return Noise(subsystems, 1.0, np.array(spread), freedom, RUN_SPREAD, RUN_FREEDOM)


def whole(noise: Noise) -> Noise:
    """Of the total, which is one class: only what whole runs differ by."""
    return Noise(("total",), noise.phi, np.zeros(1), np.ones(1), noise.run, noise.run_freedom)


def only_sampling(subsystems: tuple[str, ...]) -> Noise:
    """No spread between runs at all: the least that can be said of one run a side."""
    size = len(subsystems)
    return Noise(subsystems, 1.0, np.zeros(size), np.full(size, CERTAIN))


def learn(prior: Noise, groups: list[tuple[Float64, Float64]]) -> Noise:
    """Update `prior` by groups of like runs: (rates by subsystem x run, grain of each run)."""
    groups = [group for group in groups if group[0].shape[1] > 1]
    if not groups:
        return prior
    parts = [_spread(rates, grain, prior) for rates, grain in groups]
    square = np.array([part[0] for part in parts])
    weight = np.array([part[1] for part in parts])
    gained = weight.sum(axis=0)
    freedom = prior.freedom + gained
    spread = (prior.freedom * prior.spread**2 + (weight * square).sum(axis=0)) / freedom
    return replace(prior, spread=np.sqrt(spread), freedom=np.minimum(freedom, CERTAIN))


def _spread(rates: Float64, grain: Float64, prior: Noise) -> tuple[Float64, Float64]:
    """Squared spread of each subsystem, and the degrees of freedom it is worth.

    Where counting noise drowns the spread, a group says little about it: its degrees of freedom
    count by how much of the variance the spread is expected to make.
    """
    freedom, mean = rates.shape[1] - 1, rates.mean(axis=1)
    within = prior.phi * mean * grain.mean()
    square = np.maximum(mean**2, 1e-300)
    squares = np.maximum(rates.var(axis=1, ddof=1) - within, 0) / square
    expected = prior.spread**2 * square
    part = expected / np.maximum(expected + within, 1e-300)
    return squares, freedom * part**2
