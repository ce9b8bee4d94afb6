"""By what a ranking is made. Apart from the queries: the command line needs it to print its help,
and must not load polars for that."""

from typing import Literal

from perfduck_store.records import By as By

# Of one function: who called it, and what it called.
Side = Literal["callers", "callees"]
Key = Literal[By, Side]
# What a diff is shown by: claims, charge, self weight by class, charge by program of eBPF, by pod,
# self weight by function.
View = Literal["path", "subsystem", "class", "program", "pod", "function"]
# The rows of a comparison: what is blamed, self weight by class, the program or the pod that is
# blamed.
MatrixKey = Literal["subsystem", "class", "program", "pod"]
# The series of a trend: what is blamed on a subsystem, self weight by class, weight below a path.
SeriesKey = Literal["total", "subsystem", "class", "path"]
