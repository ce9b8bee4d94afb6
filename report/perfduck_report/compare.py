"""What `perfduck compare` prints."""

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict

from perfduck_diff.compare_groups import Cell, GroupStep, Matrix
from perfduck_diff.engine.dimensions import DIMENSIONS
from perfduck_diff.keys import MatrixKey
from perfduck_report import names, readable
from perfduck_report.diff_words import cut, interval, percent, reason, signed
from perfduck_report.formats import CompareFormat
from perfduck_report.numbers import per_second, seconds
from perfduck_report.screen import PIPE, Screen, flow, sentence
from perfduck_report.tables import aligned, left_out, markdown_rows

ROWS = 24
SHOWN = 8  # rows of a step
SURE = 0.05


def text(matrix: Matrix, screen: Screen = PIPE) -> str:
    """The matrix, then the steps."""
    matrix = readable.matrix(matrix)
    heads = ["", *matrix.groups]
    rows = [*([name, *map(_cell, cells)] for name, cells in matrix_rows(matrix)), *run_rows(matrix)]
    parts = [
        f"{heading(matrix)}; ± is 95 %\n",
        _lines(f"  {reason(entry)}" for entry in matrix.reasons),
        aligned(heads, rows, [False, *(True for _ in matrix.groups)], screen) + _left_out(matrix),
        "What each step adds\n",
        *(_step(step, matrix.unit, screen) for step in matrix.steps),
        _lines(line for entry in matrix.context for line in sentence(entry, screen.prose, "    ")),
    ]
    return "\n".join(part for part in parts if part)


def heading(matrix: Matrix) -> str:
    """What the numbers are."""
    return f"{matrix.event}, {matrix.unit}, {DIMENSIONS[matrix.by].meaning}"


def _left_out(matrix: Matrix) -> str:
    return left_out(min(len(matrix.rows), ROWS), len(matrix.rows), "--format json has all")


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def run_rows(matrix: Matrix) -> list[list[str]]:
    """What is behind each group: its runs, their length, samples and throughput."""
    per = matrix.unit.partition("/")[2]
    facts = matrix.facts
    rows = [
        ["runs", *(str(runs) for runs in matrix.runs)],
        ["run length", *(seconds(one.duration_s) if one.duration_s else "" for one in facts)],
        ["samples", *(f"{one.samples:,}" for one in facts)],
        ["throughput", *(per_second(one.work, per, one.duration_s) for one in facts)],
    ]
    return [row for row in rows if any(row[1:])]


def matrix_rows(matrix: Matrix) -> list[tuple[str, tuple[Cell, ...]]]:
    """The total, then the rows that differ most: ROWS of them."""
    return [("total", matrix.total), *((row.name, row.cells) for row in matrix.rows[:ROWS])]


def _cell(cell: Cell) -> str:
    """The value to the digit that its reach leaves sure."""
    if not cell.value:
        return "-"
    places = max(0, min(2, 1 - math.floor(math.log10(max(cell.reach, 1e-9)))))
    return f"{cell.value:,.{places}f} ±{cell.reach:,.{places}f}"


def _step(step: GroupStep, unit: str, screen: Screen) -> str:
    total = f"{signed(step.total.delta)} {unit} ({percent(step.total)}, {interval(step.total)})"
    return _lines(
        [
            f"  {step.base} -> {step.new}: {total}",
            *_indented("more", _grown(step), screen),
            *_indented("less", _shrunk(step), screen),
        ]
    )


def _grown(step: GroupStep, name: Callable[[str], str] = str) -> list[str]:
    rows = [row for row in step.rows if row.q <= SURE]
    return cut([f"{name(row.name)} {signed(row.delta)}" for row in rows], SHOWN)


def _shrunk(step: GroupStep) -> list[str]:
    """Those whose whole interval is below zero."""
    rows = [row for row in step.rows if row.high is not None and row.high < 0]
    rows.sort(key=lambda row: row.delta)
    return cut([f"{row.name} {signed(row.delta)}" for row in rows], SHOWN // 2)


def _indented(title: str, changes: list[str], screen: Screen) -> list[str]:
    first = f"    {title}: "
    return flow(changes, screen.prose, separator=", ", first=first, rest=" " * len(first))


def markdown(matrix: Matrix, _: Screen = PIPE) -> str:
    """The matrix, the steps and the context as GitHub's markdown."""
    matrix = readable.matrix(matrix)
    heads = [names.markdown(head) for head in (matrix.unit, *matrix.groups)]
    rule = ["---", *("---:" for _ in matrix.groups)]
    body = [
        [names.markdown(name), *(_cell(cell) for cell in cells)]
        for name, cells in matrix_rows(matrix)
    ]
    steps = [
        f"- {names.markdown(step.base)} → {names.markdown(step.new)}:"
        f" **{signed(step.total.delta)}** ({interval(step.total)}): "
        + ", ".join(_grown(step, names.markdown))
        for step in matrix.steps
    ]
    context = [f"- {names.markdown_code(line)}" for line in matrix.context]
    facts = [[names.markdown(cell) for cell in row] for row in run_rows(matrix)]
    doubts = [f"- {names.markdown(reason(entry))}" for entry in matrix.reasons]
    table = markdown_rows([heads, rule, *body, *facts])
    more = [f"{_left_out(matrix)}"] if _left_out(matrix) else []
    return "\n".join([table, *more, *doubts, *steps, "", *context]).rstrip() + "\n"


def as_json(matrix: Matrix, _: Screen = PIPE) -> str:
    """One object; a row has the key that it is by: subsystem, class, ..."""
    answer = asdict(matrix)
    answer["rows"] = [_keyed(row, matrix.by) for row in answer["rows"]]
    several = DIMENSIONS[matrix.by].several
    for step in answer["steps"]:
        step[several] = [_keyed(row, matrix.by) for row in step.pop("rows")]
    return names.as_json(answer)


def _keyed(row: dict[str, object], by: MatrixKey) -> dict[str, object]:
    rest = {name: value for name, value in row.items() if name not in ("name", "area")}
    area = {"area": row["area"]} if by == "subsystem" else {}
    return {by: row["name"], **area, **rest}


FORMATS: dict[CompareFormat, Callable[[Matrix, Screen], str]] = {
    "text": text,
    "markdown": markdown,
    "json": as_json,
}
