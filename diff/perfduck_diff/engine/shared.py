"""What a whole run shares: a machine that is slow makes every path slow.

Most of what two like runs differ by is common to all their paths (clock, cache, neighbours): in
recordings of request/response loads 17 to 23 % before a run is divided by its common factor, 6 to
10 % after. So each run gets a factor, as the size factor of a library in differential expression
(Anders and Huber 2010, doi:10.1186/gb-2010-11-10-r106), from the paths it spends its time in.

A path that grew must not move the factor of its run. So the factor is not a mean, and not quite a
median: a redescending loss (Welsch) ignores paths far from the rest, and a normal prior holds
the factor where few paths tell of it. Of five injected growths, 7 % of the total, a median over
functions takes 4 to 5 points for common; this over the ends of paths takes 0.5 to 1.
"""

from dataclasses import dataclass

import numpy as np

from perfduck_diff.engine.moderated_t import Design
from perfduck_model.arrays import Float64

LEAST_UNITS = 20  # paths: with fewer a growth cannot be distinguished from what all share
LEAST_SAMPLES = 8.0  # a run, for a path to have a say
OWN_SPREAD = 0.05  # of a path about its run's factor, besides sampling
PRIOR_SPREAD = 0.15  # of the factors
INDEPENDENT = 0.5  # what a path's word counts for: paths of one kind deviate together
CUT = 1.5  # of the loss, in standard deviations
GRID = np.linspace(-1.2, 1.2, 601)


@dataclass(frozen=True, slots=True)
class Shared:
    """The factor of every run, relative to the mean of base, and how far it is sure.

    `shift` is new over base, of what all paths share; it is in the factors of new. `error` is the
    relative standard error of the shift. `units` is 0 where too few paths have enough samples: then
    every factor is 1.
    """

    factor: Float64
    shift: float = 1.0
    error: float = 0.0
    units: int = 0


def shared(units: Float64, design: Design) -> Shared:
    """The factors of the runs from rates that partition them, unit x column.

    First of each run about its side, which a growth between the sides cannot move; then of new
    against base, from the means of the sides, where a growth is most apart from the rest.
    """
    units, samples = _heard(units, design.grain)
    factor = np.ones(units.shape[1])
    if len(units) < LEAST_UNITS:
        return Shared(factor)
    for side in design.sides:
        factor[side] = _within(units[:, side], design.grain[side], samples)
    base, new = ((units / factor)[:, side].mean(axis=1) for side in design.sides)
    least = design.grain.mean() / 2
    parts = sum(1 / len(side) for side in design.sides)
    weight = INDEPENDENT / (parts * (1 / samples + OWN_SPREAD**2))
    logs = np.log(np.maximum(new, least) / np.maximum(base, least))
    shift = np.exp(_common(logs, weight, np.sqrt(parts) * PRIOR_SPREAD))
    factor[design.new] *= shift
    return Shared(factor, float(shift), float(1 / np.sqrt(weight.sum())), len(units))


def of_runs(units: Float64, grain: Float64) -> Float64:
    """The factors of runs of one thing, unit x column; their geometric mean is 1."""
    units, samples = _heard(units, grain)
    return np.ones(units.shape[1]) if len(units) < LEAST_UNITS else _within(units, grain, samples)


def _heard(units: Float64, grain: Float64) -> tuple[Float64, Float64]:
    """The units with enough samples, and these: a run's, whichever side it is on."""
    samples = units.mean(axis=1) / grain.mean()
    heard = samples >= LEAST_SAMPLES
    return units[heard], samples[heard]


def _within(units: Float64, grain: Float64, samples: Float64) -> Float64:
    """The factors of the runs of a side; their geometric mean is 1."""
    logs = np.log(np.maximum(units, grain / 2))
    logs -= logs.mean(axis=1, keepdims=True)
    weight = INDEPENDENT / (1 / samples + OWN_SPREAD**2)
    factors = np.array([_common(column, weight, PRIOR_SPREAD) for column in logs.T])
    return np.asarray(np.exp(factors - factors.mean()))


def _common(logs: Float64, weight: Float64, prior: float) -> float:
    """The common part of deviations: the best point of a grid, then of a parabola."""
    square = weight[:, None] * (logs[:, None] - GRID) ** 2
    limit = 2 * CUT**2 * INDEPENDENT
    loss = (limit * (1 - np.exp(-square / limit))).sum(axis=0) + (GRID / prior) ** 2
    best = int(np.clip(loss.argmin(), 1, len(GRID) - 2))
    left, middle, right = loss[best - 1 : best + 2]
    bend = left - 2 * middle + right
    step = (left - right) / (2 * bend) if bend > 0 else 0.0
    return float(GRID[best] + np.clip(step, -1, 1) * (GRID[1] - GRID[0]))
