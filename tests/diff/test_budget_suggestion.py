"""Suggested budgets: like runs keep them, growth does not pass them, README has what is printed."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from perfduck_cli.main import app
from perfduck_diff.budget_suggestion import suggest
from perfduck_diff.comparison_input import load_input
from perfduck_diff.engine.budget import Budgets, parse
from perfduck_diff.engine.comparison import DiffOptions, measure
from perfduck_diff.engine.gate import judge
from perfduck_diff.engine.result import BudgetRow
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.filters import Filters
from perfduck_model.errors import PerfduckError
from perfduck_report import budget_file
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import select

ROOT = Path(__file__).parents[2]
RUNS = "scenario=native,workload=udp64"
SIZE = 5


@pytest.fixture(scope="module")
def printed(demo_store: Path) -> str:
    result = CliRunner().invoke(app, ["budget", "suggest", RUNS, "--store", str(demo_store)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def runs(demo_store: Path) -> RunMatrix:
    with DuckDbStore(demo_store) as store:
        return load_input(store, {"runs": select(store, RUNS)}).runs


def _judged(
    runs: RunMatrix, budgets: Budgets, growth: float, random: np.random.Generator
) -> tuple[BudgetRow, ...]:
    """New runs like those of the demo: their paths, whole runs that differ by 4 %, Poisson."""
    speed = np.exp(random.normal(0, 0.04, 2 * SIZE)) * np.r_[np.ones(SIZE), np.full(SIZE, growth)]
    mean = runs.hits.mean(axis=1, keepdims=True)
    hits = random.poisson(mean * speed).astype(float)
    made = replace(
        runs, runs=(runs.runs[0],) * 2 * SIZE, hits=hits, weight=hits * runs.runs[0].grain
    )
    return judge(measure(made, np.arange(SIZE), np.arange(SIZE, 2 * SIZE), DiffOptions()), budgets)


def _verdicts(runs: RunMatrix, text: str, growth: float, trials: int) -> list[set[str]]:
    budgets, random = parse(tomllib.loads(text), "perfduck.toml"), np.random.default_rng(9)
    return [{row.verdict for row in _judged(runs, budgets, growth, random)} for _ in range(trials)]


@pytest.mark.slow
def test_like_runs_keep_what_was_suggested(runs: RunMatrix, printed: str) -> None:
    green = [verdicts == {"pass"} for verdicts in _verdicts(runs, printed, 1.0, 40)]
    assert np.mean(green) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("growth", [1.25, 1.5])
def test_growth_does_not_pass(runs: RunMatrix, printed: str, growth: float) -> None:
    found = _verdicts(runs, printed, growth, 30)
    assert all(verdicts != {"pass"} for verdicts in found)
    if growth == 1.5:
        assert np.mean(["regression" in verdicts for verdicts in found]) > 0.9


@pytest.mark.slow
def test_the_readme_has_what_the_demo_suggests(printed: str) -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    shown, asked = (parse(tomllib.loads(each), "").budgets for each in (text, printed))
    assert [budget.name for budget in shown[: len(asked)]] == [budget.name for budget in asked]
    for ours, its in zip(asked, shown, strict=False):
        assert its.amount == pytest.approx(ours.amount, rel=0.15)  # drawn: two digits may differ


@pytest.mark.slow
def test_a_looser_wish_gives_tighter_budgets_and_more_runs_do(demo_store: Path) -> None:
    with DuckDbStore(demo_store) as store:
        half, most, many = (
            suggest(store, RUNS, keep, size)
            for keep, size in ((0.5, SIZE), (0.95, SIZE), (0.95, 10))
        )
    limits = [[budget.limit for budget in each.budgets] for each in (half, most, many)]
    assert all(np.less(limits[0], limits[1]))
    assert all(np.less(limits[2], limits[1]))
    assert most.kept[1] == pytest.approx(0.95, abs=0.02)
    for budget in most.budgets:
        assert budget.finds[0] > budget.finds[1] > budget.finds[2] > 0


@pytest.mark.slow
def test_the_limits_are_rounded_up(demo_store: Path) -> None:
    with DuckDbStore(demo_store) as store:
        found = suggest(store, RUNS, 0.95, SIZE)
    parsed = parse(tomllib.loads(budget_file.text(found)), "perfduck.toml").budgets
    for given, written in zip(found.budgets, parsed, strict=True):
        assert given.limit <= written.amount < 1.1 * given.limit


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["workload=udp64"], "expected runs of the same thing, got 3: docker0-nat udp64; flannel"),
        (["native.udp64.1"], "expected two runs or more, got native.udp64.1"),
        ([RUNS, "--keep", "100%"], "less than 100%"),
        ([RUNS, "--keep", "most"], "like 5%"),
    ],
)
def test_what_cannot_be_suggested_is_said_in_a_line(
    demo_store: Path, words: list[str], what: str
) -> None:
    result = CliRunner().invoke(app, ["budget", "suggest", *words, "--store", str(demo_store)])
    assert isinstance(result.exception, PerfduckError)
    assert what in str(result.exception)


@pytest.mark.slow
def test_filters_hold_for_budgets_too(demo_store: Path) -> None:
    with DuckDbStore(demo_store) as store:
        whole, part = (
            suggest(store, RUNS, 0.95, SIZE, Filters(comm=comm)) for comm in ((), ("iperf3",))
        )
    assert part.budgets[0].base < whole.budgets[0].base
