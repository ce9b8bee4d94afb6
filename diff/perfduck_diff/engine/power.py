"""What a comparison can show: the smallest growth it finds, and what it takes to exclude one.

The smallest growth to be found in 80 % of comparisons like this is (t(1 - level) + t(.8)) standard
errors, that of a test with the variance and the degrees of freedom of this one. To exclude a
growth takes an upper limit below it, in 80 % of comparisons in which nothing grew.
"""

from dataclasses import replace

import numpy as np
from scipy import special

from perfduck_diff.engine.moderated_t import ModeratedTTest, NodeRates, Test
from perfduck_diff.engine.result import UNBOUNDED, Sensitivity
from perfduck_model.arrays import Float64

CHANCE = 0.8  # of finding it
LIMIT = 0.05  # one-sided, of what is excluded
MOST_RUNS = 100  # a side: what takes more is not to be had by more runs


def detectable(test: Test, level: float) -> Float64:
    """The smallest growth found with `CHANCE`, in the unit of the rows."""
    return np.asarray(_reach(test.freedom, level) * test.error)


def upper(test: Test) -> Float64:
    """The one-sided upper limit: growth above it is excluded."""
    return np.asarray(test.delta + special.stdtrit(test.freedom, 1 - LIMIT) * test.error)


def excluded(model: ModeratedTTest, total: NodeRates) -> float:
    """The same as a part of base: the least x for which new > (1 + x) base is refuted."""
    low, high = -1.0, 1.0
    while float(upper(raised(model, total, high))[0]) > 0 and high < UNBOUNDED:
        low, high = high, 4 * high
    for _ in range(20):
        middle = (low + high) / 2
        refuted = float(upper(raised(model, total, middle))[0]) <= 0
        low, high = (low, middle) if refuted else (middle, high)
    return high


def raised(model: ModeratedTTest, rows: NodeRates, part: float) -> Test:
    """Test new - (1 + part) x base: a limit in parts of base moves with it and shares its doubt."""
    rates, grain = rows.rates.copy(), model.design.grain.copy()
    rates[:, model.design.base] *= 1 + part
    grain[model.design.base] *= 1 + part
    return replace(model, design=replace(model.design, grain=grain))(replace(rows, rates=rates))


def sensitivity(
    model: ModeratedTTest, total: NodeRates, tolerance: float, level: float
) -> Sensitivity:
    """Of the total: what is excluded, what would be found, what excluding `tolerance` takes.
    `level`: at which growth is found."""
    test, design = model(total), model.design
    base = float(total.rates[0, design.base].mean())
    runs = 1 / len(design.base) + 1 / len(design.new)
    square = (float(test.error[0]) / base) ** 2 / runs
    sampling = min(float((total.rates[0] * design.grain).mean()) / base**2, square)
    prior = float(test.freedom[0]) - design.freedom
    return Sensitivity(
        tolerance=tolerance,
        excluded=excluded(model, total),
        findable=float(detectable(test, level)[0]) / base,
        runs=_needed(square, prior, tolerance, paired=design.paired),
        runs_twice_as_long=_needed(square - sampling / 2, prior, tolerance, paired=design.paired),
    )


def _needed(square: float, prior: float, tolerance: float, *, paired: bool) -> int | None:
    """Runs a side with this squared spread that exclude `tolerance` where nothing grew."""
    runs = np.arange(2, MOST_RUNS + 1)
    freedom = np.asarray(prior + (runs - 1) * (1 if paired else 2), np.float64)
    enough = np.flatnonzero(_reach(freedom, LIMIT) * np.sqrt(2 * square / runs) <= tolerance)
    return int(runs[enough[0]]) if len(enough) else None


def _reach(freedom: Float64, level: float) -> Float64:
    return np.asarray(special.stdtrit(freedom, 1 - level) + special.stdtrit(freedom, CHANCE))
