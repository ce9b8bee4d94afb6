"""What `perfduck compare` prints."""

import json
import math
import textwrap
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TypeVar

from rich import box
from rich.table import Table

from perfduck_diff.matrix import Cell, Matrix, Step
from perfduck_diff.result import Change, SubsystemRow
from perfduck_report.diff_words import interval, percent, reason, signed
from perfduck_report.tables import WIDTH, rendered

AnyChange = TypeVar("AnyChange", bound=Change)

ROWS = 24
SHOWN = 8  # subsystems of a step
SURE = 0.05


def text(matrix: Matrix) -> str:
    """100 columns: the matrix, then the steps."""
    matrix = readable(matrix)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for name, runs in zip(matrix.groups, matrix.runs, strict=True):
        table.add_column(f"{_broken(name)}\n({runs} runs)", justify="right", no_wrap=True)
    for name, cells in _rows(matrix):
        table.add_row(name, *(_cell(cell) for cell in cells))
    parts = [
        f"{matrix.event}, {matrix.unit}, by subsystem that is charged; ± is 95 %\n",
        "".join(f"  {reason(entry)}\n" for entry in matrix.reasons),
        rendered(table),
        "What each step adds\n",
        *(_step(step, matrix.unit) for step in matrix.steps),
        "".join(f"{line}\n" for entry in matrix.context for line in _wrapped(entry)),
    ]
    return "\n".join(part for part in parts if part)


def readable(matrix: Matrix) -> Matrix:
    """In microseconds where nanoseconds would have five digits and more."""
    large = min(cell.value for cell in matrix.total) >= 10_000
    if not (large and matrix.unit.startswith("ns/")):
        return matrix
    rows = [replace(row, cells=_thousandth(row.cells)) for row in matrix.rows]
    steps = [
        replace(
            step,
            total=_change(step.total),
            subsystems=tuple(_change(row) for row in step.subsystems),
        )
        for step in matrix.steps
    ]
    return replace(
        matrix,
        unit=f"us/{matrix.unit.removeprefix('ns/')}",
        total=_thousandth(matrix.total),
        rows=tuple(rows),
        steps=tuple(steps),
    )


def _thousandth(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    return tuple(Cell(value=cell.value / 1000, reach=cell.reach / 1000) for cell in cells)


def _change(change: AnyChange) -> AnyChange:
    names = ("base", "new", "delta", "low", "high")
    return replace(change, **{name: (getattr(change, name) or 0.0) / 1000 for name in names})


def _broken(name: str) -> str:
    """A long name on two lines."""
    head, dash, tail = name.partition("-")
    return f"{head}{dash}\n{tail}" if len(name) > 9 and dash else f"\n{name}"


def _rows(matrix: Matrix) -> list[tuple[str, tuple[Cell, ...]]]:
    return [("total", matrix.total), *((row.subsystem, row.cells) for row in matrix.rows[:ROWS])]


def _cell(cell: Cell) -> str:
    """The value to the digit that its reach leaves sure."""
    if not cell.value:
        return "-"
    places = max(0, min(2, 1 - math.floor(math.log10(max(cell.reach, 1e-9)))))
    return f"{cell.value:,.{places}f} ±{cell.reach:,.{places}f}"


def _step(step: Step, unit: str) -> str:
    total = f"{signed(step.total.delta)} {unit} ({percent(step.total)}, {interval(step.total)})"
    lines = [
        f"  {step.base} -> {step.new}: {total}",
        *_indented("more", _grown(step)),
        *_indented("less", _shrunk(step)),
    ]
    return "".join(f"{line}\n" for line in lines)


def _grown(step: Step) -> list[SubsystemRow]:
    return [row for row in step.subsystems if row.q is not None and row.q <= SURE][:SHOWN]


def _shrunk(step: Step) -> list[SubsystemRow]:
    """Those whose whole interval is below zero."""
    found = [row for row in step.subsystems if row.high is not None and row.high < 0]
    return sorted(found, key=lambda row: row.delta)[: SHOWN // 2]


def _indented(title: str, rows: list[SubsystemRow]) -> list[str]:
    said = ", ".join(f"{row.subsystem} {signed(row.delta)}" for row in rows)
    return textwrap.wrap(
        f"{title}: {said}", WIDTH, initial_indent="    ", subsequent_indent="          "
    ) if said else []  # fmt: skip


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def markdown(matrix: Matrix) -> str:
    """The matrix, the steps and the context as GitHub's markdown."""
    matrix = readable(matrix)
    heads = [f"{matrix.unit}", *matrix.groups]
    rule = ["---", *("---:" for _ in matrix.groups)]
    body = [[name, *(_cell(cell) for cell in cells)] for name, cells in _rows(matrix)]
    steps = [
        f"- {step.base} → {step.new}: **{signed(step.total.delta)}** ({interval(step.total)}): "
        + ", ".join(f"{row.subsystem} {signed(row.delta)}" for row in _grown(step))
        for step in matrix.steps
    ]
    table = "".join(f"| {' | '.join(row)} |\n" for row in [heads, rule, *body])
    context = [f"- `{line}`" for line in matrix.context]
    return "\n".join([table, *steps, "", *context]).rstrip() + "\n"


def as_json(matrix: Matrix) -> str:
    """One object."""
    return json.dumps(asdict(matrix), indent=1, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Matrix], str]] = {
    "text": text,
    "markdown": markdown,
    "json": as_json,
}
