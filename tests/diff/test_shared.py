"""What whole runs share, distinguished from what paths do by themselves."""

from dataclasses import replace

import numpy as np
import pytest
from made_runs import PERIOD, answer, runs_of
from scipy import stats

from perfduck_diff.engine.comparison import DiffOptions, measure
from perfduck_diff.engine.moderated_t import Design
from perfduck_diff.engine.result import Reason
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.engine.shared import shared
from perfduck_report.diff_words import everything

PATHS = 60


def _runs(speed: list[float], seed: int = 1, **grown: float) -> RunMatrix:
    """Poisson counts of 60 paths in runs of this speed; the second half of the runs is new."""
    random = np.random.default_rng(seed)
    mean = np.exp(random.normal(4, 1, PATHS))
    new = np.arange(len(speed)) >= len(speed) / 2
    hits = {}
    for path in range(PATHS):
        rate = mean[path] * np.array(speed) * np.where(new, grown.get(f"f{path}", 1.0), 1.0)
        hits[f"do_syscall_64;k{path % 8}/g{path % 8};k{path % 8}/f{path}"] = random.poisson(rate)
    return runs_of(hits)


def test_a_run_has_the_factor_that_it_was_made_with() -> None:
    speed = [1.0, 1.3, 0.8, 1.1, 0.9, 1.25]
    runs = _runs(speed)
    design = Design(np.arange(3), np.arange(3, 6), np.full(6, PERIOD / 1e4))
    found = shared(runs.weight / 1e4, design)
    true = np.array(speed) / stats.gmean(speed[:3])
    assert found.factor == pytest.approx(true, rel=0.05)
    assert found.shift == pytest.approx(stats.gmean(speed[3:]) / stats.gmean(speed[:3]), rel=0.04)
    assert 0.005 < found.error < 0.05


def test_paths_that_grew_do_not_move_the_factor() -> None:
    grown = {f"f{path}": 2.5 for path in range(0, PATHS, 6)}
    design = Design(np.arange(3), np.arange(3, 6), np.full(6, PERIOD / 1e4))
    found = shared(_runs([1.0] * 6, **grown).weight / 1e4, design)
    assert found.shift == pytest.approx(1, abs=0.02)


def test_with_few_paths_nothing_is_taken_off() -> None:
    runs = runs_of({"a": [100, 100, 300, 300], "b": [80, 90, 240, 250]})
    design = Design(np.arange(2), np.arange(2, 4), np.full(4, PERIOD / 1e4))
    found = shared(runs.weight / 1e4, design)
    assert (found.units, found.shift, found.factor.tolist()) == (0, 1.0, [1.0] * 4)


def test_a_path_is_found_beside_runs_that_differ_as_a_whole() -> None:
    found = answer(_runs([0.8, 1.2, 1.0, 1.25, 0.85, 1.1], f7=2.0), 3)
    assert [claim.function for claim in found.claims] == ["f7"]
    assert found.total.p > 0.025
    assert found.base.shared == pytest.approx(1, abs=0.05)
    assert found.common.low < 0 < found.common.high


def test_growth_of_everything_is_no_claim_of_a_path() -> None:
    found = answer(_runs([1, 1.02, 0.98, 1.5, 1.52, 1.48]), 3)
    assert found.claims == found.shrunk == ()
    assert found.common.delta / found.common.base == pytest.approx(0.5, abs=0.03)
    assert (found.verdict, found.total.p < 0.01) == ("regression", True)


def test_growth_of_everything_is_not_judged_where_the_sides_do_not_compare() -> None:
    """Such as a side per packet and one per request."""
    found = answer(_runs([1, 1.02, 0.98, 1.5, 1.52, 1.48]), 3)
    assert " (significant); " in everything(found)
    unlike = Reason(code="unit", text="work is in packet and request", blocks=True)
    assert " (not judged: see what blocks); " in everything(replace(found, reasons=(unlike,)))


def test_claims_and_the_common_part_add_up() -> None:
    found = answer(_runs([1, 1.02, 0.98, 1.2, 1.22, 1.18], f7=3.0), 3)
    claimed = sum(claim.delta for claim in found.claims)
    assert claimed + found.unattributed.delta == pytest.approx(found.total.delta)
    # a claim is at the speed of base; the same at the speed of new is the rest
    assert found.unattributed.delta > found.common.delta > 0


def test_what_is_shared_is_taken_off_the_variance_of_paths() -> None:
    """Detection no longer hangs on how far whole runs differ."""
    steady, shaky = _runs([1.0] * 6), _runs([0.8, 1.2, 1.0, 1.1, 0.85, 1.05])
    errors = []
    for runs in (steady, shaky):
        work = measure(runs, np.arange(3), np.arange(3, 6), DiffOptions())
        errors.append(np.median(work.model(work.rows).error / work.rows.rates.mean(axis=1)))
    assert errors[1] < 1.2 * errors[0]
    assert answer(shaky, 3).total.high > 2 * answer(steady, 3).total.high
