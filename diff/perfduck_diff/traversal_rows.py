"""The rows of `top --by traversal`: what is below each station of a packet's way."""

import numpy as np
import polars as pl

from perfduck_diff.comparison_input import matrix_of
from perfduck_diff.engine.dimensions import DIMENSIONS
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
    names, innermost = DIMENSIONS["traversal"].values(runs)
    passes = station_passes(runs)
    own = np.bincount(innermost, weight, len(names))
    total = np.bincount(passes.number, weight[passes.stack], len(passes.names))
    rows = pl.DataFrame(
        {
            "traversal": names,
            "self": own,
            "total": np.concatenate([own[:1], total]),
            "blamed": own,
        }
    ).filter(pl.col("total") > 0)
    ranked = rows.sort(["self", "total", "traversal"], descending=[True, True, False])
    return ranked.head(limit), len(rows)
