"""What `perfduck top` prints."""

import polars as pl

from perfduck_diff.top import Top
from perfduck_report import tables
from perfduck_report.numbers import amount


def report(top: Top, format: str) -> str:
    """The ranking; as text and markdown with a heading that says what the numbers are."""
    if format not in ("text", "markdown"):
        return tables.FORMATS[format](top.rows)
    rows = top.rows.with_columns(pl.col("share").map_elements(_percent, pl.String))
    return f"{heading(top)}\n\n{tables.FORMATS[format](rows)}"


def heading(top: Top) -> str:
    """Profiles, event, total and idle in a line; lines more on what is missing or unsure."""
    runs = top.profiles[0] if len(top.profiles) == 1 else f"{len(top.profiles)} profiles"
    lines = [
        f"{runs}: {top.event}, {amount(top.total)} {top.unit} in all"
        f" (idle left out: {amount(top.idle)})"
    ]
    lines += [
        f"{name} lists {listed:,} of {raw:,} samples: the rest is in no row"
        for name, listed, raw in top.partial
    ]
    return "\n".join((*lines, *top.provenance))


def _percent(value: float) -> str:
    return f"{value:.2f} %"
