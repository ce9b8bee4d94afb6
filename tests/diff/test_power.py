"""The total: how often it cries wolf, what it excludes, and whether what it promises is true."""

import numpy as np
import pytest
from made_runs import answer, runs_of
from rows import mostly_slow

from perfduck_diff.engine.moderated_t import Design, NodeRates, given
from perfduck_diff.engine.noise import assumed, whole
from perfduck_diff.engine.power import detectable, excluded, sensitivity

TRIALS = 3000


def _totals(random: np.random.Generator, n: int, spread: float, growth: float) -> np.ndarray:
    mean = np.r_[np.ones(n), np.full(n, 1 + growth)]
    return 1000 * mean * np.exp(random.normal(0, spread, 2 * n))


def _tested(n: int, spread: float, growth: float, seed: int = 1, *, paired: bool = False):
    """p and excluded growth of many comparisons at once: a row is a comparison."""
    random = np.random.default_rng(seed)
    totals = np.array([_totals(random, n, spread, growth) for _ in range(TRIALS)])
    design = Design(np.arange(n), np.arange(n, 2 * n), np.full(2 * n, 0.1), paired=paired)
    model = given(design, whole(assumed(("a",))))
    return model, NodeRates(totals, np.ones((TRIALS, 1)))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_like_totals_are_told_apart_as_often_as_the_level_says(n: int) -> None:
    model, rows = _tested(n, 0.06, 0.0)
    assert 0.004 < (model(rows).growth <= 0.025).mean() <= 0.032


@pytest.mark.parametrize(("spread", "least"), [(0.05, 0.8), (0.1, 0.6)])
def test_growth_is_found_nearly_as_often_as_if_the_spread_were_known(
    spread: float, least: float
) -> None:
    model, rows = _tested(5, spread, 0.2)
    found = (model(rows).growth <= 0.025).mean()
    ratio = np.log(rows.rates[:, 5:].mean(axis=1) / rows.rates[:, :5].mean(axis=1))
    known = (ratio > 1.96 * spread * np.sqrt(2 / 5)).mean()
    assert found > 0.9 * known > least


@pytest.mark.slow
@pytest.mark.parametrize("growth", mostly_slow([0.0, 0.1], 2))
def test_growth_that_is_there_is_excluded_in_one_of_twenty(growth: float) -> None:
    model, rows = _tested(3, 0.06, growth)
    some = [excluded(model, rows[np.array([row])]) for row in range(150)]
    assert np.mean(np.array(some) < growth) == pytest.approx(0.05, abs=0.05)


def test_the_smallest_growth_is_found_in_eight_of_ten() -> None:
    model, rows = _tested(4, 0.06, 0.0)
    smallest = float(np.median(detectable(model(rows), 0.025))) / 1000
    model, rows = _tested(4, 0.06, smallest, seed=2)
    assert (model(rows).growth <= 0.025).mean() == pytest.approx(0.75, abs=0.07)


@pytest.mark.slow
def test_as_many_runs_as_it_names_exclude_the_tolerance() -> None:
    model, rows = _tested(3, 0.06, 0.0)
    named = [sensitivity(model, rows[np.array([row])], 0.1, 0.025).runs for row in range(60)]
    n = int(np.median(named))
    model, rows = _tested(n, 0.06, 0.0, seed=3)
    some = [excluded(model, rows[np.array([row])]) < 0.1 for row in range(100)]
    assert np.mean(some) == pytest.approx(0.8, abs=0.1)


def test_longer_runs_help_only_where_samples_are_few() -> None:
    few = answer(runs_of({"a": [90, 100, 110, 105, 95, 100]}), 3).sensitivity
    many = answer(runs_of({"a": [90000, 100000, 110000, 105000, 95000, 100000]}), 3).sensitivity
    assert few.runs_twice_as_long < few.runs
    assert many.runs_twice_as_long == many.runs


def test_pairs_are_as_wide_as_pairs_differ() -> None:
    drift = np.array([0.85, 1.15, 1.0, 0.9, 1.2])
    random = np.random.default_rng(4)
    sides = [drift * np.exp(random.normal(0, 0.02, 5)) for _ in range(2)]
    runs = runs_of({"a": [*(20000 * sides[0]), *(20000 * sides[1])]})
    plain, paired = answer(runs, 5).total, answer(runs, 5, paired=True).total
    assert paired.delta == plain.delta
    assert (paired.high - paired.low) < 0.5 * (plain.high - plain.low)


def test_a_pair_with_a_wild_run_widens_the_interval() -> None:
    base, new = [100000, 101000, 99000, 100500, 400000], [110000, 111000, 109000, 110500, 111000]
    found = answer(runs_of({"a": [*base, *new]}), 5, paired=True)
    assert found.total.delta < 0
    assert found.sensitivity.excluded > 0.1
    assert found.verdict == "inconclusive"


def test_growth_beyond_all_tolerance_is_a_regression_and_none_at_all_a_pass() -> None:
    steady = [100000, 100500, 99700, 100200, 99900]
    assert answer(runs_of({"a": [*steady, *steady[::-1]]}), 5, tolerance=0.1).verdict == "pass"
    grown = [1.3 * hits for hits in steady]
    assert answer(runs_of({"a": [*steady, *grown]}), 5).verdict == "regression"
