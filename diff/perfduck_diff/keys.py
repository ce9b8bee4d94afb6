"""By what a ranking is made. Apart from the queries: the command line needs it to print its help,
and must not load polars for that."""

from typing import Literal

from perfduck_store.choice import By as By

# Of one function: who called it, and what it called.
Side = Literal["callers", "callees"]
Key = Literal[By, Side]
# What a diff is shown by: claims, charge, self weight.
View = Literal["path", "subsystem", "function"]
# The series of a trend: what is blamed on a subsystem, or the weight below a path.
SeriesKey = Literal["total", "subsystem", "path"]
