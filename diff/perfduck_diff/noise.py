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

A node's spread is that of the subsystems its samples are charged to, taken as moving together. So
two runs a side can be judged although a scheduler that happened to repeat itself within both
sides would make any t-test sure of a difference. Two kinds of stack have a class of their own,
whatever they are charged to: what wakes, sleeps and polls (`wakeup`), and kernel threads of their
own business (`background`).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# What is assumed of a subsystem until runs say otherwise, and for how many runs' worth it counts.
USUAL_SPREAD = 0.06
ASSUMED_SPREAD = {"wakeup": 0.25, "background": 0.35}
ASSUMED_FREEDOM = 4.0
CERTAIN = 200.0


@dataclass(frozen=True, slots=True)
class Noise:
    """Over-dispersion of samples, and spread between runs per subsystem, with its certainty."""

    subsystems: tuple[str, ...]
    phi: float
    spread: Floats
    freedom: Floats  # degrees of freedom behind each spread

    def variance(self, mean: Floats, grain: Floats, mix: Floats) -> tuple[Floats, Floats]:
        """Of cells with this mean (node x run): within-run and between-run part.

        `mix` (node x subsystem) says what the nodes consist of, in any unit.
        """
        within = self.phi * mean * grain
        return within, (mean * self.of(mix)[:, None]) ** 2

    def of(self, mix: Floats) -> Floats:
        """The spread of nodes that consist of subsystems in these proportions."""
        total = np.maximum(mix.sum(axis=1), 1e-300)
        return np.asarray(np.maximum(mix, 0) @ self.spread / total)

    def certainty(self, mix: Floats) -> Floats:
        """Degrees of freedom behind `of`: the parts weighted by what they contribute."""
        parts = np.maximum(mix, 0) * self.spread
        doubt = (parts**2 / self.freedom).sum(axis=1)
        whole = parts.sum(axis=1) ** 2
        return np.where(doubt > 0, whole / np.maximum(doubt, 1e-300), CERTAIN)

    def over(self, subsystems: tuple[str, ...]) -> "Noise":
        """The same for other subsystems: those not learned keep what is assumed."""
        known = dict(zip(self.subsystems, range(len(self.subsystems)), strict=True))
        rest = assumed(subsystems)
        spread, freedom = rest.spread.copy(), rest.freedom.copy()
        for row, name in enumerate(subsystems):
            if name in known:
                spread[row], freedom[row] = self.spread[known[name]], self.freedom[known[name]]
        return Noise(subsystems, self.phi, spread, freedom)


def assumed(subsystems: tuple[str, ...]) -> Noise:
    """What holds before anything was learned."""
    spread = [ASSUMED_SPREAD.get(name, USUAL_SPREAD) for name in subsystems]
    size = len(subsystems)
    return Noise(subsystems, 1.0, np.array(spread), np.full(size, ASSUMED_FREEDOM))


def only_sampling(subsystems: tuple[str, ...]) -> Noise:
    """No spread between runs at all: the least that can be said of one run a side."""
    size = len(subsystems)
    return Noise(subsystems, 1.0, np.zeros(size), np.full(size, CERTAIN))


def learn(prior: Noise, groups: list[tuple[Floats, Floats]]) -> Noise:
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


def _spread(rates: Floats, grain: Floats, prior: Noise) -> tuple[Floats, Floats]:
    """Squared spread of each subsystem, and the degrees of freedom it is worth.

    Where counting noise drowns the spread, a group says little about it: its degrees of freedom
    count by how much of the variance the spread is expected to make.
    """
    freedom, mean = rates.shape[1] - 1, rates.mean(axis=1)
    within = prior.phi * mean * grain.mean()
    square = np.maximum(mean**2, 1e-300)
    found = np.maximum(rates.var(axis=1, ddof=1) - within, 0) / square
    expected = prior.spread**2 * square
    part = expected / np.maximum(expected + within, 1e-300)
    return found, freedom * part**2
