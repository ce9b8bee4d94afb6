"""The figures of the pages are those of their commands, as far as the demo's recordings go: they
are a part of the recordings that the pages are about."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from command import run
from recordings import FIXTURES, ROOT

import perfduck

pytestmark = pytest.mark.slow


def _figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("figures", ROOT / "bench" / "figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["figures"] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


figures = _figures()


TABLES = list(figures.tables())


def kept(table: figures.Table) -> pl.DataFrame:  # type: ignore[name-defined]
    """The recordings here of the folder that a table is of."""
    folder = "scenarios" if table.is_of_more_scenarios else "demo"
    return pl.read_csv(FIXTURES / folder / "recordings.csv")


def is_kept(table: figures.Table) -> bool:  # type: ignore[name-defined]
    """Whether recordings of its workload are here: else bench/figures.py holds it against them."""
    return table.command[2].partition("=")[2] in set(kept(table)["workload"])


@pytest.fixture(scope="module")
def scenario_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenarios") / "s.duckdb"
    words = ["ingest", "--manifest", FIXTURES / "scenarios" / "recordings.csv", "--store", path]
    assert run(words).returncode == 0
    return path


def test_the_pages_have_tables_of_every_kind() -> None:
    assert len(TABLES) >= 14
    assert {table.by for table in TABLES} == {"subsystem", "class", "direction", "traversal"}


@pytest.mark.parametrize("table", list(filter(is_kept, TABLES)), ids=lambda table: table.id)
def test_a_table_says_what_its_command_prints(
    table: figures.Table,  # type: ignore[name-defined]
    demo_store: Path,
    scenario_store: Path,
) -> None:
    shown = [name for name in table.scenarios if name in set(kept(table)["scenario"])]
    with perfduck.open(scenario_store if table.is_of_more_scenarios else demo_store) as store:
        answer = figures.compared(store, table, shown)
    known = {(name, group): cells for name, group, *cells in answer.iter_rows()}
    for name, cells in table.rows.items():
        for scenario, cell in zip(table.scenarios, cells, strict=True):
            if scenario in shown and name == "unknown":  # the kallsyms of the page names it
                assert known.get((name, scenario), (0.0,))[0] < 0.002 * known["total", scenario][0]
            elif scenario in shown:
                value, reach = known.get((name, scenario), (0.0, 0.0))
                said = figures.number(cell) * figures.NS[table.unit]
                least = 0.005 * figures.NS[table.unit]  # of the last digit that the page shows
                assert abs(said - value) <= max(reach, least), (name, scenario, cell, value)


def test_what_is_not_in_the_page_is_not_left_out_of_a_split() -> None:
    """The rows of a class, a direction and all segments are the whole."""
    for table in TABLES:
        if table.page == "breakdowns":
            for place in range(len(table.scenarios)):
                parts = [
                    figures.number(c[place]) for name, c in table.rows.items() if name != "total"
                ]
                total = figures.number(table.rows["total"][place])
                assert sum(parts) == pytest.approx(total, rel=0.005)


def test_the_figures_of_the_text_are_still_there() -> None:
    """bench/figures.py holds them against the recordings, of which the demo is a part."""
    for figure in figures.FIGURES:
        found = re.search(figure.said, (ROOT / "docs" / f"{figure.page}.md").read_text())
        assert found, figure.said
        assert all(figures.number(group) for group in found.groups())


@pytest.mark.parametrize(
    ("shown", "value", "is_right"),
    [("3,501", 3501.4, True), ("3,501", 3501.6, False), ("0.95", 0.954, True),
     ("0.95", 0.956, False), ("-", 0, True), ("-", 0.01, False), ("+145", 144.6, True)],
)  # fmt: skip
def test_a_figure_is_right_to_its_last_digit(shown: str, value: float, is_right: bool) -> None:
    assert figures._is_rounded(shown, value) is is_right
