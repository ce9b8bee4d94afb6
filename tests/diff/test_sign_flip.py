"""The exact test of pairs in random order: p is what it says, for any numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import noisy, runs_of
from scipy.stats import permutation_test

from perfduck_diff.engine.budget import parse
from perfduck_diff.engine.comparison import DiffOptions, measure
from perfduck_diff.engine.result import Diff
from perfduck_diff.engine.run_diff import run_diff
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.engine.sign_flip import (
    exact_test,
    flips,
    least_pairs,
    p_of,
    p_of_either,
    relative,
    signs,
    standardised,
)
from perfduck_report.diff_words import exact_test as in_words
from perfduck_report.diff_words import verdict

AMOUNTS = st.lists(st.floats(0, 1e9), min_size=12, max_size=12)
CLEAR = {f"do_syscall_64;s{at}/f{at}": (20000, 24000) for at in range(12)}
NOTHING = {stack: (base, base) for stack, (base, _) in CLEAR.items()}


def judged(runs: RunMatrix, pairs: int, level: float = 0.05, **options: object) -> Diff:
    columns = np.arange(2 * pairs)
    given = DiffOptions(paired=True, exact_level=level, **options)  # type: ignore[arg-type]
    return run_diff(runs, columns[:pairs], columns[pairs:], given)


@given(AMOUNTS)
def test_p_is_that_of_scipy(amounts: list[float]) -> None:
    base, new = np.array(amounts[:6]), np.array(amounts[6:])
    growth, shrinkage = p_of(base, new)
    for p, alternative in ((growth, "greater"), (shrinkage, "less")):
        oracle = permutation_test(
            (new, base),
            lambda one, other, axis: np.round(relative(other, one), 9).sum(axis=axis),
            permutation_type="samples",
            vectorized=True,
            alternative=alternative,
        )
        assert p == pytest.approx(oracle.pvalue, abs=1e-12) or _is_tied(base, new)


def _is_tied(base: np.ndarray, new: np.ndarray) -> bool:
    """Sums within rounding of the observed one, which either may take for equal."""
    sums = signs(len(base)) @ relative(base, new)
    return bool((np.abs(sums[1:] - sums[0]) < 1e-7).any())


@pytest.mark.parametrize("pairs", [1, 5, 14, 15, 20])
def test_the_flips_are_a_group(pairs: int) -> None:
    rows = signs(pairs)
    assert rows.shape == (flips(pairs), pairs)
    assert (rows[0] == 1).all()
    known = {row.tobytes() for row in rows}
    assert len(known) == flips(pairs)
    random = np.random.default_rng(1)
    some = random.integers(0, len(rows), (50, 2))
    assert all((rows[one] * rows[other]).tobytes() in known for one, other in some)
    assert (rows.sum(axis=0) == 0).all()  # each pair is flipped in half of them


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [4, 5])
def test_of_all_ways_to_assign_the_runs_no_more_have_a_small_p_than_it_says(pairs: int) -> None:
    """Runs of very different noise, the same in every assignment: regardless of the sides, the tree
    and the factors do not see them."""
    random = np.random.default_rng(2)
    names = [f"do_syscall_64;s{at % 4}/f{at};s{at % 3}/g{at}" for at in range(30)]
    speed = np.exp(random.standard_t(2, 2 * pairs) * 0.3)
    hits = {name: (random.gamma(1.5, 60, 2 * pairs) * speed).round().tolist() for name in names}
    runs = runs_of(hits)
    ps = []
    for flipped in signs(pairs) < 0:
        base = np.where(flipped, np.arange(pairs) + pairs, np.arange(pairs))
        new = np.where(flipped, np.arange(pairs), np.arange(pairs) + pairs)
        work = measure(runs, base, new, DiffOptions(paired=True))
        test = exact_test(work, 0.05)
        ps.append((test.growth, test.shrinkage))
    for each in np.array(ps).T:
        assert all((each <= p).mean() <= p for p in each)
        assert (each <= 2 / flips(pairs)).any()  # some assignment is extreme


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(AMOUNTS, st.integers(0, 2**32 - 1))
def test_the_smaller_p_of_total_and_paths_is_a_p_as_well(amounts: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    total = relative(np.array(amounts[:6]), np.array(amounts[6:]))
    paths = standardised(random.uniform(-1, 1, (20, 6)), np.full(20, 30.0))
    ps = np.array([p_of_either(total * flip, paths * flip) for flip in signs(6)])
    for each in ps.T:
        assert all((each <= p).mean() <= p for p in each)


def test_clear_growth_is_shown_and_nothing_is_claimed_where_nothing_differs() -> None:
    grown = judged(noisy(CLEAR, 6), 6)
    assert grown.verdict == "regression"
    assert grown.exact is not None
    assert grown.exact.growth == 1 / 64
    assert "exact sign-flip test of 6 pairs in random order: growth p 0.016" in in_words(grown)
    like = judged(noisy(NOTHING, 6), 6)
    assert like.verdict != "regression"
    assert like.claims == ()


def test_what_a_t_test_is_sure_of_is_no_regression_by_four_pairs() -> None:
    """Of 16 ways to assign four pairs each has a p of 6 %."""
    hits = {"do_syscall_64;a/f": [20000, 20100, 20050, 20070, 40000, 40100, 40050, 40070]}
    found = judged(runs_of(hits), 4)
    assert judged(runs_of(hits), 4, level=0.07).verdict == "regression"
    assert found.verdict == "inconclusive"
    assert found.claims == ()
    assert verdict(found) == "inconclusive: cannot tell: 4 pairs can have no p below 0.062"


def test_growth_below_the_tolerance_is_a_pass_where_the_test_excludes_more() -> None:
    like = noisy({stack: (200000, 200000) for stack in CLEAR}, 6)
    assert judged(like, 6).verdict == "pass"
    found = judged(like, 6, level=1 / 128)
    assert found.verdict == "inconclusive"
    assert "can have no p below" in verdict(found)


def test_a_budget_is_exceeded_or_kept_by_the_same_test() -> None:
    budgets = parse({"budget": {"total": "10 %", "subsystem": {"s1": "90 %"}}}, "b")
    assert [row.verdict for row in judged(noisy(CLEAR, 6), 6, budgets=budgets).budgets] == [
        "regression",
        "pass",
    ]
    few = judged(noisy(CLEAR, 4), 4, budgets=budgets)
    assert {row.verdict for row in few.budgets} == {"inconclusive"}
    assert few.budgets[0].p == 1 / 16


def test_shrinkage_is_claimed_by_the_same_test() -> None:
    shrunk = {stack: (new, base) for stack, (base, new) in CLEAR.items()}
    shrunk["do_syscall_64;s0/f0"] = (30000, 3000)
    assert judged(noisy(shrunk, 6), 6).shrunk
    assert not judged(noisy(shrunk, 4), 4).shrunk


def test_one_pair_shows_nothing() -> None:
    runs = noisy(CLEAR, 1)
    found = run_diff(runs, np.array([0]), np.array([1]), DiffOptions(exact_level=0.05))
    assert found.exact is not None
    assert not found.exact.is_able
    assert found.verdict == "inconclusive"


def test_runs_without_a_sample_are_no_difference() -> None:
    assert relative(np.zeros(2), np.array([0.0, 3.0])).tolist() == [0.0, 1.0]
    runs = noisy(CLEAR, 6)
    empty = replace(runs, weight=runs.weight * 0, hits=runs.hits * 0)
    assert judged(empty, 6).verdict == "inconclusive"


def test_how_many_pairs_a_level_takes() -> None:
    assert [least_pairs(level) for level in (0.5, 0.05, 0.01, 0.001)] == [1, 5, 7, 10]
    with pytest.raises(ValueError, match="expected a level of"):
        least_pairs(1e-6)
