"""What `perfduck top SELECTOR FUNCTION --by callers|callees` prints."""

import polars as pl

from perfduck_diff.calls import Calls
from perfduck_report import tables


def report(calls: Calls, format: str) -> str:
    """The callers or callees; as text and markdown with a heading."""
    if format not in ("text", "markdown"):
        return tables.FORMATS[format](calls.rows)
    runs = calls.profiles[0] if len(calls.profiles) == 1 else f"{len(calls.profiles)} profiles"
    heading = f"{runs}: {calls.event}, {calls.unit}, {calls.side} of {calls.function}"
    if calls.rows.is_empty():
        return f"{heading}: none recorded\n"
    rows = calls.rows.with_columns(pl.col("share").map_elements(_percent, pl.String))
    return f"{heading}\n\n{tables.FORMATS[format](rows)}"


def _percent(value: float) -> str:
    return f"{value:.2f} %"
