"""The rows of a trend: the total, and a cost per subsystem or per path, of every run."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from perfduck_diff.engine.dimensions import cells
from perfduck_diff.engine.rates import NoiseClasses, StackRates
from perfduck_diff.engine.run_matrix import Cells, RunMatrix, gathered, mixed
from perfduck_diff.engine.tree import ROOT, Tree, grow
from perfduck_diff.keys import SeriesKey
from perfduck_model.arrays import Float64, Int64

LEAST_SHARE = 0.01  # of the cost of all runs, for a path to be a row


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Row 0 is the total. `rates`, `hits`: row x run; `mix`: row x noise class; `parent`: of paths
    the row above, -1 where there is none."""

    names: tuple[str, ...]
    areas: tuple[str, ...]
    rates: Float64
    hits: Float64
    mix: Float64
    parent: Int64

    @classmethod
    def of(cls, runs: RunMatrix, raw: StackRates, by: SeriesKey, least: float) -> Self:
        """The rows by a key. `least`: hits of all runs for a path to be a row."""
        classes = NoiseClasses.of_stacks(runs)
        if by == "path":
            return cls._of_paths(runs, raw, classes, least)
        whole = Cells(
            ("total",), runs.blame * 0, np.arange(len(runs.blame)), runs.weight, runs.hits
        )
        parts = [whole] if by == "total" else [whole, cells(runs, by)]
        rows = [classes.rows(part, raw.unit) for part in parts]
        names = [name for part in parts for name in part.names]
        return cls(
            tuple(names),
            ("", *(runs.area.get(name, "") if by == "subsystem" else "" for name in names[1:])),
            np.vstack([part.rates for part in rows]),
            np.vstack([gathered(part.value, len(part.names), part.hits) for part in parts]),
            np.vstack([part.mix for part in rows]),
            np.full(len(names), -1),
        )

    @classmethod
    def _of_paths(
        cls, runs: RunMatrix, raw: StackRates, classes: NoiseClasses, least: float
    ) -> Self:
        rerooted = runs.stacks.rerooted(runs.entry()).collapsed()
        tree = grow(rerooted, runs.hits.sum(axis=1), least)
        rate = tree.inclusive(raw.rate)
        nodes = np.flatnonzero(rate.sum(axis=1) >= LEAST_SHARE * rate[ROOT].sum())
        mix = tree.upward(mixed(tree.leaf, tree.size, classes.of, len(classes.names), raw.rate))
        number = np.full(tree.size, -1)
        number[nodes] = np.arange(len(nodes))
        parent = number[tree.parent[nodes]]
        parent[0] = -1
        names = [_path(runs, tree, node) for node in nodes.tolist()]
        return cls(
            ("total", *(" > ".join(name) for name in names[1:])),
            ("", *(runs.frames[tree.chain[node][-1]].area for node in nodes[1:].tolist())),
            rate[nodes],
            tree.inclusive(runs.hits)[nodes],
            mix[nodes],
            parent,
        )

    @property
    def is_of_paths(self) -> bool:
        """Whether the rows are paths, of which one may be below another."""
        return bool((self.parent >= 0).any())

    def is_within(self, row: int, other: int) -> bool:
        """Whether a path is below another one, or is it."""
        while row != other and row > 0:
            row = int(self.parent[row])
        return row == other


def _path(runs: RunMatrix, tree: Tree, node: int) -> list[str]:
    return [runs.frames[code].name for code in tree.path(node)]
