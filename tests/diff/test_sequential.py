"""More runs until sure: how often that cries wolf, and how much it saves."""

import numpy as np
import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from perfduck_diff.engine.moderated_t import Design, NodeRates, given
from perfduck_diff.engine.noise import assumed, whole
from perfduck_diff.engine.power import raised
from perfduck_diff.engine.sequential import FIRST, Plan, Step, decide

TRIALS = 1500
MOST = 10
SPREAD = 0.06
TOLERANCE = 0.1


def _runs_until_sure(growth: float, plan: Plan | None) -> tuple[list[Step], list[int]]:
    """The end and the runs of many sequences at once; without a plan: 5 % at every look."""
    random = np.random.default_rng(5)
    totals = 1000 * np.exp(random.normal(0, SPREAD, (TRIALS, 2, MOST)))
    totals[:, 1] *= 1 + growth
    ends: list[Step] = ["inconclusive"] * TRIALS
    used, running = np.full(TRIALS, MOST), np.ones(TRIALS, np.bool_)
    for runs in range(FIRST, MOST + 1):
        design = Design(np.arange(runs), np.arange(runs, 2 * runs), np.full(2 * runs, 0.1))
        model = given(design, whole(assumed(("a",))))
        rows = NodeRates(totals[:, :, :runs].reshape(TRIALS, -1), np.ones((TRIALS, 1)))
        p, excess = model(rows).growth, raised(model, rows, TOLERANCE).shrinkage
        looks = plan or Plan(MOST, 0.05)
        for trial in np.flatnonzero(running):
            if plan is None:
                step: Step = "regression" if p[trial] <= 0.05 else "go on"
            else:
                before = 0 if runs == FIRST else runs - 1
                step = decide(looks, runs, before, growth=p[trial], excess=excess[trial])
            if step in ("regression", "pass"):
                ends[trial], used[trial], running[trial] = step, runs, False
    return ends, used.tolist()


def _part(ends: list[Step], step: Step) -> float:
    return ends.count(step) / len(ends)


def test_looking_after_every_run_cries_wolf_without_a_rule_and_not_with_it() -> None:
    naive, _ = _runs_until_sure(0.0, None)
    ruled, _ = _runs_until_sure(0.0, Plan(MOST, 0.05))
    assert _part(naive, "regression") > 0.08
    assert _part(ruled, "regression") <= 0.05


def test_a_growth_beyond_the_tolerance_is_passed_in_one_of_twenty_at_most() -> None:
    ends, _ = _runs_until_sure(TOLERANCE, Plan(MOST, 0.05))
    assert _part(ends, "pass") <= 0.05


def test_a_clear_growth_is_found_with_fewer_runs() -> None:
    ends, used = _runs_until_sure(0.3, Plan(MOST, 0.05))
    assert _part(ends, "regression") > 0.95
    assert np.mean(used) < 0.6 * MOST


@each(st.integers(FIRST, 40), st.floats(0.001, 0.2), st.data())
def test_the_looks_together_spend_the_level(most: int, level: float, data: st.DataObject) -> None:
    looks = sorted(data.draw(st.sets(st.integers(FIRST, most), min_size=1)) | {most})
    plan = Plan(most, level)
    spent = [plan.level_at(now, before) for before, now in zip([0, *looks], looks, strict=False)]
    assert min(spent) > 0
    assert sum(spent) == pytest.approx(level)


@pytest.mark.parametrize(("runs", "before"), [(1, 0), (3, 3), (11, 3), (4, -1)])
def test_a_look_that_the_plan_does_not_have_is_refused(runs: int, before: int) -> None:
    with pytest.raises(ValueError, match="expected 2 to 10 runs"):
        Plan(10, 0.05).level_at(runs, before)
