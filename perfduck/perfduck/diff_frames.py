"""Rows of a diff and of a comparison as polars frames."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import polars as pl

from perfduck_diff.compare_groups import Matrix
from perfduck_diff.engine.result import Diff
from perfduck_diff.keys import MatrixKey
from perfduck_report.diff_words import interval, place

CHANGE = ("base", "new", "delta", "low", "high", "p")


def of_rows(rows: Iterable[Any], columns: list[str]) -> pl.DataFrame:
    """These fields of dataclasses as columns; those that hold text are listed first."""
    picked = [{name: each[name] for name in columns} for each in map(asdict, rows)]
    texts = ("subsystem", "area", "name", "function", "dso")
    schema = {name: pl.String if name in texts else pl.Float64 for name in columns}
    return pl.DataFrame(picked, schema=schema)


def of_split(diff: Diff, by: MatrixKey) -> pl.DataFrame:
    """[by, base, new, delta, low, high, p, q, detectable] of a dimension."""
    columns = ["name", *CHANGE, "q", "detectable"]
    return of_rows(diff.split(by), columns).rename({"name": by})


def claims(diff: Diff) -> pl.DataFrame:
    """What grew, then what shrank, as people read it."""
    rows = [
        (place(claim.path), claim.subsystem, claim.base, claim.new, claim.delta, interval(claim))
        for claim in (*diff.claims, *diff.shrunk)
    ]
    names = ["path", "subsystem", "base", "new", f"delta, {diff.unit}", "95 % interval"]
    return pl.DataFrame(rows, schema=names, orient="row")


def shown_subsystems(diff: Diff) -> pl.DataFrame:
    """The subsystems, as people read them."""
    rows = [(row.subsystem, row.base, row.new, row.delta, interval(row)) for row in diff.subsystems]
    names = ["subsystem", "base", "new", f"delta, {diff.unit}", "95 % interval"]
    return pl.DataFrame(rows, schema=names, orient="row")


def of_matrix(matrix: Matrix) -> pl.DataFrame:
    """[subsystem, area, or another dimension; group, value, half_width], the total first."""
    lines = [("total", "", matrix.total), *((r.name, r.area, r.cells) for r in matrix.rows)]
    rows = [
        (name, area, group, cell.value, cell.reach)
        for name, area, cells in lines
        for group, cell in zip(matrix.groups, cells, strict=True)
    ]
    names = [matrix.by, "area", "group", "value", "half_width"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame if matrix.by == "subsystem" else frame.drop("area")


def wide(matrix: Matrix) -> pl.DataFrame:
    """The values, a column for each group."""
    rows = [("total", matrix.total), *((row.name, row.cells) for row in matrix.rows)]
    return pl.DataFrame(
        [(name, *(cell.value for cell in cells)) for name, cells in rows],
        schema=[matrix.by, *matrix.groups],
        orient="row",
    )
