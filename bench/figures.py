"""The figures of docs/is-it-nat.md and docs/breakdowns.md beside what their recordings say.

    perfduck ingest --manifest recordings/recordings.csv --kallsyms recordings/kallsyms.gz
    python bench/figures.py perfduck.duckdb [--scenarios scenarios.duckdb]

STORE has the 56 recordings of is-it-nat.md, --scenarios those of "More scenarios". Each number of a
table, and each of FIGURES in the text, is held against the answer to the last digit that the page
shows. A line for each that differs; exit status 1 where any does. tests/test_figures.py holds the
same tables against a part of the recordings, within their intervals.
"""

import argparse
import importlib.util
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import polars as pl

import perfduck

ROOT = Path(__file__).parents[1]
PAGES = ("is-it-nat", "breakdowns")
NS = {"ns": 1.0, "us": 1000.0}
MORE_SCENARIOS = "kube-nftables"  # of recordings made another time


@dataclass(frozen=True)
class Table:
    """A table of a page and the command above it."""

    page: str
    command: list[str]
    unit: str
    scenarios: list[str]
    rows: dict[str, list[str]]

    def option(self, name: str, default: str = "") -> str:
        """What is typed of an option."""
        return self.command[self.command.index(name) + 1] if name in self.command else default

    @property
    def by(self) -> str:
        """What its rows are."""
        return self.option("--by", "subsystem")

    @property
    def id(self) -> str:
        """Page, workload and rows."""
        more = "-more" if self.is_of_more_scenarios else ""
        return f"{self.page}-{self.command[2]}-{self.by}{more}"

    @property
    def is_of_more_scenarios(self) -> bool:
        """Whether it was recorded with them."""
        return MORE_SCENARIOS in self.scenarios


def tables() -> Iterator[Table]:
    """All tables below a `perfduck compare`."""
    for page in PAGES:
        pairs = re.findall(
            r"^    (perfduck compare .*)\n\n((?:\|.*\n)+)", _text(page), re.MULTILINE
        )
        for command, table in pairs:
            head, _, *rows = (
                [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
            )
            cells = {name.partition(" (")[0]: cells for name, *cells in rows}
            if head[0][:2] in NS:  # else of steps
                yield Table(page, shlex.split(command), head[0][:2], head[1:], cells)


def number(cell: str) -> float:
    """Of `1,318 ±102`, `134 (3.8 %)`, `0` and `-`."""
    return 0.0 if cell == "-" else float(cell.split()[0].replace(",", ""))


def compared(store: perfduck.ProfileStore, table: Table, scenarios: list[str]) -> pl.DataFrame:
    """[by, group, value, half_width]: what the command of a table answers."""
    answer = store.compare(
        table.command[2],
        table.option("--over"),
        order=scenarios,
        by=table.by,  # type: ignore[arg-type]
    ).frame
    if table.page == "breakdowns" and table.by == "subsystem":
        answer = _by_segment(answer)
    return answer.select(table.by, "group", "value", "half_width")


def _by_segment(answer: pl.DataFrame) -> pl.DataFrame:
    """Sums of the subsystems; half widths of a sum are at most the sum of theirs."""
    summed = [
        breakdowns().segments(answer.pivot("group", index="subsystem", values=value))
        .unpivot(index="subsystem", variable_name="group", value_name=value)
        for value in ("value", "half_width")
    ]  # fmt: skip
    return summed[0].join(summed[1], on=["subsystem", "group"])


@cache
def breakdowns() -> ModuleType:
    """bench/breakdowns.py."""
    spec = importlib.util.spec_from_file_location("breakdowns", ROOT / "bench" / "breakdowns.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wrong_cells(store: perfduck.ProfileStore, table: Table) -> Iterator[str]:
    """Cells of a table that the answer does not round to."""
    answer = compared(store, table, table.scenarios)
    known = {(name, group): value for name, group, value, _ in answer.iter_rows()}
    for name, cells in table.rows.items():
        for scenario, cell in zip(table.scenarios, cells, strict=True):
            value = known.get((name, scenario), 0.0) / NS[table.unit]
            if not _is_rounded(cell.split()[0], value):
                yield f"{table.id}: {name}, {scenario}: {cell} on the page, {value:,.4g} here"


def _is_rounded(shown: str, value: float) -> bool:
    digits = shown.replace(",", "").lstrip("+")
    if digits == "-":
        return value == 0
    decimals = len(digits.partition(".")[2])
    return abs(float(digits) - value) <= 0.5001 * 10**-decimals


@dataclass(frozen=True)
class Figure:
    """Numbers of the text: `said` has a group for each, `values` are theirs in order."""

    page: str
    said: str
    values: Callable[["Answers"], list[float]]


class Answers:
    """What the figures of the text are taken from."""

    def __init__(self, store: perfduck.ProfileStore) -> None:
        self._store = store

    @cache  # noqa: B019 (one object, until the process ends)
    def cost(self, workload: str, scenario: str, *names: str, by: str = "subsystem") -> float:
        """ns per unit of work of some rows of a comparison, `total` as well."""
        order = [
            "native",
            "docker0-plain",
            "docker0-ct",
            "docker0-nat",
            "kube-svc",
            "flannel-vxlan",
        ]
        answer = self._compared(workload, by, tuple(order))
        rows = answer.filter(pl.col(by).is_in(names), pl.col("group") == scenario)
        return float(rows["value"].sum())

    @cache  # noqa: B019
    def _compared(self, workload: str, by: str, order: tuple[str, ...]) -> pl.DataFrame:
        return self._store.compare(
            f"workload={workload}",
            "scenario",
            order=list(order),
            by=by,  # type: ignore[arg-type]
        ).frame

    @cache  # noqa: B019
    def paths(self, base: str, new: str, workload: str) -> dict[str, float]:
        """The growth of each path that a diff claims, by its last function."""
        diff = self._store.diff(f"scenario={base}", f"scenario={new}", where=f"workload={workload}")
        return {claim.path[-1]: claim.delta for claim in diff.claims}

    def growth(self, workload: str, base: str, new: str, *names: str) -> float:
        """By how much some rows cost more."""
        return self.cost(workload, new, *names) - self.cost(workload, base, *names)


def _nat(of: Answers) -> float:
    return sum(of.paths("docker0-ct", "docker0-nat", "udp64").values())


FIGURES = (
    Figure(
        "is-it-nat",
        r"Of the ([\d,]+) ns of CPU .* NAT is (\d+) \((\d+) %\), connection\s+tracking and its",
        lambda of: [
            of.growth("udp64", "native", "docker0-nat", "total"),
            _nat(of),
            100 * _nat(of) / of.growth("udp64", "native", "docker0-nat", "total"),
        ],
    ),
    Figure(
        "is-it-nat",
        r"the subsystem `nat` is blamed for (\d+) of",
        lambda of: [of.cost("udp64", "docker0-nat", "nat")],
    ),
    Figure(
        "is-it-nat",
        r"the largest single item: ([\d.]+) of (\d+) us per request",
        lambda of: [
            of.cost("crr", "docker0-nat", "conntrack") / 1000,
            of.growth("crr", "native", "docker0-nat", "total") / 1000,
        ],
    ),
    *(
        Figure(
            "is-it-nat",
            rf"\| {step}[^|]*\| \+([\d,]+) \(",
            lambda of, base=base, new=new: [of.growth("udp64", base, new, "total")],  # type: ignore[misc]
        )
        for step, base, new in (
            ("native → docker0-plain", "native", "docker0-plain"),
            ("→ docker0-ct", "docker0-plain", "docker0-ct"),
            ("→ docker0-nat", "docker0-ct", "docker0-nat"),
            ("→ kube-svc", "docker0-nat", "kube-svc"),
            ("→ flannel-vxlan", "kube-svc", "flannel-vxlan"),
        )
    ),
    *(
        Figure(
            "is-it-nat",
            rf"{path}` \| \+(\d+) \(",
            lambda of, path=path: [of.paths("docker0-ct", "docker0-nat", "udp64")[path]],  # type: ignore[misc]
        )
        for path in ("nf_nat_ipv4_out", "nf_nat_ipv4_pre_routing", "dst_release")
    ),
    Figure(
        "breakdowns",
        r"overlay packet costs ([\d.]+) times what .* bare host costs, a request ([\d.]+) times",
        lambda of: [
            of.cost(workload, "flannel-vxlan", "total") / of.cost(workload, "native", "total")
            for workload in ("udp64", "crr")
        ],
    ),
    Figure(
        "breakdowns",
        r"\(`socket`: (\d+) to ([\d,]+)\)",
        lambda of: [of.cost("udp64", name, "socket") for name in ("native", "flannel-vxlan")],
    ),
    Figure(
        "breakdowns",
        r"Egress stays what it is \((\d+) to (\d+) ns\)",
        lambda of: [
            of.cost("udp64", name, "egress", by="direction") for name in ("native", "flannel-vxlan")
        ],
    ),
)  # fmt: skip


def wrong_figures(store: perfduck.ProfileStore) -> Iterator[str]:
    """Numbers of the text that the answers do not round to."""
    answers = Answers(store)
    for figure in FIGURES:
        found = re.search(figure.said, _text(figure.page))
        if found is None:
            yield f"{figure.page}: no such text: {figure.said}"
            continue
        for shown, value in zip(found.groups(), figure.values(answers), strict=True):
            if not _is_rounded(shown, value):
                yield f"{figure.page}: {found[0]}: {shown} on the page, {value:,.4g} here"


def _text(page: str) -> str:
    return (ROOT / "docs" / f"{page}.md").read_text()


def main() -> int:
    """Exit status 1 where a figure differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store")
    parser.add_argument("--scenarios", help="a store of the recordings of more scenarios")
    asked = parser.parse_args()
    wrong, count = [], 0
    for path, is_more in ((asked.store, False), (asked.scenarios, True)):
        if path is None:
            continue
        with perfduck.open(path) as store:
            for table in tables():
                if table.is_of_more_scenarios == is_more:
                    count += sum(map(len, table.rows.values()))
                    wrong += wrong_cells(store, table)
            if not is_more:
                count += sum(re.compile(figure.said).groups for figure in FIGURES)
                wrong += wrong_figures(store)
    print("\n".join([*wrong, f"{count} figures, {len(wrong)} differ"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
