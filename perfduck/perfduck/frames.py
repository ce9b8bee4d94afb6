"""Answers as polars frames, and frames in a notebook. Apart: a command that prints a few rows must
not load polars."""

import polars as pl

from perfduck_report import html_table
from perfduck_report.tables import Answer


def frame_of(answer: Answer) -> pl.DataFrame:
    """The rows as columns; maps are structs."""
    if isinstance(answer, pl.DataFrame):
        return answer
    columns = list(answer.columns)
    return pl.DataFrame(answer.rows(), schema=columns, orient="row", infer_schema_length=None)


def html(answer: Answer) -> str:
    """The rows as a table of HTML."""
    return html_table.table(answer)
