"""The rows of `top --by traversal`: what is below each station of a packet's way."""

import numpy as np
import polars as pl

from perfduck_diff.comparison_input import matrix_of
from perfduck_diff.engine.dimensions import NO_STATION
from perfduck_diff.engine.run_matrix import Run
from perfduck_diff.engine.traversals import station_passes
from perfduck_diff.selection import Selection
from perfduck_store.protocol import Store


def traversed(store: Store, selection: Selection, limit: int) -> tuple[pl.DataFrame, int]:
    """[traversal, self, total, blamed], the heaviest by self, and how many there are. self: the
    station is the innermost of the stack; total: it is anywhere in the stack."""
    runs = matrix_of(
        store, selection, tuple(Run(name=name) for name in selection.profiles.values())
    )
    weight = runs.weight.sum(axis=1)
    passes = station_passes(runs)
    size = len(passes.names)
    innermost = np.zeros(len(weight), np.int64)
    innermost[passes.stack] = passes.number + 1
    own = np.bincount(innermost, weight, size + 1)
    total = np.bincount(passes.number, weight[passes.stack], size)
    rows = pl.DataFrame(
        {
            "traversal": [NO_STATION, *passes.names],
            "self": own,
            "total": np.concatenate([own[:1], total]),
            "blamed": own,
        }
    ).filter(pl.col("total") > 0)
    ranked = rows.sort(["self", "total", "traversal"], descending=[True, True, False])
    return ranked.head(limit), len(rows)
