"""By what a ranking is made. Apart from the queries: the command line needs it to print its help,
and must not load polars for that."""

from typing import Literal

from perfduck_store.choice import By as StoredBy

# `traversal` needs the frames of stacks in order (engine/traversals.py).
By = Literal[StoredBy, "traversal"]
# Of one function: who called it, and what it called.
Side = Literal["callers", "callees"]
Key = Literal[By, Side]
# What a cost is split by: each sample counts for one value (engine/dimensions.py).
MatrixKey = Literal["subsystem", "class", "direction", "traversal", "program", "pod", "netns"]
# What a diff is shown by: claims, a dimension, self weight by function.
View = Literal["path", MatrixKey, "function"]
# The series of a trend: all, a dimension, weight below a path.
SeriesKey = Literal["total", MatrixKey, "path"]
