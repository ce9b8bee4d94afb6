"""The figures of the pages are those of their commands, as far as the demo's recordings go: they
are a part of the recordings that the pages are about."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from recordings import FIXTURES, ROOT

import perfduck

pytestmark = pytest.mark.slow

PAGES = ("is-it-nat", "breakdowns")
IN_DEMO = set(pl.read_csv(FIXTURES / "demo" / "recordings.csv")["scenario"])
NS = {"ns": 1.0, "us": 1000.0}


def breakdowns() -> ModuleType:
    spec = importlib.util.spec_from_file_location("breakdowns", ROOT / "bench" / "breakdowns.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Table:
    """A table of a page and the command that stands above it."""

    page: str
    command: list[str]
    unit: str
    scenarios: list[str]
    rows: dict[str, list[str]]

    def option(self, name: str, default: str = "") -> str:
        return self.command[self.command.index(name) + 1] if name in self.command else default

    @property
    def id(self) -> str:
        return f"{self.page}-{self.command[2]}-{self.option('--by', 'subsystem')}"


def tables() -> Iterator[Table]:
    """Those of scenarios that the demo has."""
    for page in PAGES:
        text = (ROOT / "docs" / f"{page}.md").read_text()
        pairs = re.findall(r"^    (perfduck compare .*)\n\n((?:\|.*\n)+)", text, re.MULTILINE)
        for command, table in pairs:
            head, _, *rows = (
                [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
            )
            made = Table(
                page, shlex.split(command), head[0][:2], head[1:],
                {name.partition(" (")[0]: cells for name, *cells in rows},
            )  # fmt: skip
            if "kube-nftables" not in made.scenarios:  # recorded another time
                yield made


def number(cell: str) -> float:
    """Of `1,318 ±102`, `134 (3.8 %)`, `0` and `-`."""
    return 0.0 if cell == "-" else float(cell.split()[0].replace(",", ""))


TABLES = list(tables())


def test_the_pages_have_tables_of_every_kind() -> None:
    assert len(TABLES) >= 10
    assert {table.option("--by", "subsystem") for table in TABLES} == {
        "subsystem", "class", "direction", "traversal"
    }  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.id)
def test_a_table_says_what_its_command_prints(table: Table, demo_store: Path) -> None:
    shown = [name for name in table.scenarios if name in IN_DEMO]
    by = table.option("--by", "subsystem")
    with perfduck.open(demo_store) as store:
        compared = store.compare(
            table.command[2],
            table.option("--over"),
            order=shown,
            by=by,  # type: ignore[arg-type]
        ).frame
    if table.page == "breakdowns" and by == "subsystem":
        compared = by_segment(compared)
    found = {(name, group): cells for name, group, *cells in compared[
        [by, "group", "value", "half_width"]].iter_rows()}  # fmt: skip
    for name, cells in table.rows.items():
        for scenario, cell in zip(table.scenarios, cells, strict=True):
            if scenario in shown:
                value, reach = found.get((name, scenario), (0.0, 0.0))
                said = number(cell) * NS[table.unit]
                least = 0.005 * NS[table.unit]  # of the last digit that the page shows
                assert abs(said - value) <= max(reach, least), (name, scenario, cell, value)


def by_segment(compared: pl.DataFrame) -> pl.DataFrame:
    """Sums of the subsystems; half widths of a sum are at most the sum of theirs."""
    summed = [
        breakdowns().segments(compared.pivot("group", index="subsystem", values=value))
        .unpivot(index="subsystem", variable_name="group", value_name=value)
        for value in ("value", "half_width")
    ]  # fmt: skip
    return summed[0].join(summed[1], on=["subsystem", "group"])


def test_what_is_not_in_the_page_is_not_left_out_of_a_split() -> None:
    """The rows of a class, a direction and all segments are the whole."""
    for table in TABLES:
        if table.page == "breakdowns":
            for place in range(len(table.scenarios)):
                parts = [number(c[place]) for name, c in table.rows.items() if name != "total"]
                assert sum(parts) == pytest.approx(number(table.rows["total"][place]), rel=0.005)
