"""The answers of queries, in plain Python from the Parquet parts of a lake: from each sample, none
from rollups.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Row = dict[str, Any]
RUNS = [f"{side}.udp64.{run}" for side in ("native", "docker0-nat") for run in (1, 2)]


class Oracle:
    """All samples of a lake to which recordings were added, and nothing else."""

    def __init__(self, lake: Path) -> None:
        self._folder = next(lake.glob("v*"))
        self._parts = defaultdict(set)
        for commit in (self._folder / "commits").iterdir():
            for group in json.loads(commit.read_text())["groups"]:
                for table, (name, _) in group["parts"].items():
                    self._parts[table].add(name)
        self.symbols = {row["symbol_id"]: row for row in self.rows("symbol")}
        self.stacks = {row["stack_id"]: row["symbol_ids"] for row in self.rows("stack")}
        self.blame = {row["stack_id"]: row for row in self.rows("stack_blame")}
        self.profiles = {row["name"]: row["profile_id"] for row in self.rows("profile")}

    def rows(self, table: str) -> Iterator[Row]:
        """The rows of a table, of all parts."""
        for name in sorted(self._parts[table]):
            yield from pq.read_table(self._folder / table / f"{name}.parquet").to_pylist()

    def samples(self, names: list[str], event: str, *, idle: bool = False) -> Iterator[Row]:
        """Of these recordings, with `run`, `weight`, and `symbols` of their stacks, leaf first."""
        runs = {self.profiles[name]: run for run, name in enumerate(names)}
        for row in self.rows("sample"):
            is_idle = self.blame[row["stack_id"]]["context"] == "idle"
            if row["profile_id"] in runs and row["event"] == event and (idle or not is_idle):
                weight = row["count"] if row["period"] is None else row["period"]
                symbols = [self.symbols[each] for each in self.stacks[row["stack_id"]]]
                run = runs[row["profile_id"]]
                yield row | {"run": run, "weight": float(weight), "symbols": symbols}

    def ranking(
        self, samples: Iterator[Row], key: Callable[[Row], Any], blamed: Callable[[Row], Any]
    ) -> dict[Any, tuple[float, float, float]]:
        """By value of a key of symbols: self, total, blamed; `blamed`: of a row of stack_blame."""
        found = defaultdict(lambda: [0.0, 0.0, 0.0])
        for sample in samples:
            found[key(sample["symbols"][0])][0] += sample["weight"]
            for value in {key(symbol) for symbol in sample["symbols"]}:
                found[value][1] += sample["weight"]
            found[blamed(self.blame[sample["stack_id"]])][2] += sample["weight"]
        return {value: tuple(sums) for value, sums in found.items()}


def summed(pairs: Iterator[tuple[Any, float]]) -> dict[Any, float]:
    """Sums by key."""
    found: dict[Any, float] = defaultdict(float)
    for key, amount in pairs:
        found[key] += amount
    return dict(found)
