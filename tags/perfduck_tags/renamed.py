"""Kernel functions that changed their name between 4.15 and 7.2.

    old            new              since  kind
    __do_softirq   handle_softirqs  6.10   renamed
    dev_queue_xmit __dev_queue_xmit 4.15   layer    one only calls the other

A diff of two kernels takes the names of one row as one function: `identity` maps each old name to
the last one. Names are canonical (names.py). data/renamed_functions.csv was collected from the
kernel's history; build_renamed.py checks each row against catalogued kernels and writes down in
`checked` which two have shown it, or '' where no catalogued kernel is on both sides of the change.
"""

import csv
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal

from perfduck_model.errors import SymbolError
from perfduck_tags.rules import DATA

RENAMED = DATA / "renamed_functions.csv"


@dataclass(frozen=True, slots=True)
class Renamed:
    """A row of the table; `since` and `backported` are kernel versions."""

    old: str
    new: str
    since: str  # the first version with the new name
    backported: str  # the first stable series that has it too, or ''
    kind: Literal["renamed", "layer"]
    checked: str  # '5.10>6.1': the old name in 5.10, the new one in 6.1
    note: str

    @property
    def first(self) -> str:
        """The oldest version that may have the new name."""
        return self.backported or self.since


COLUMNS = tuple(field.name for field in fields(Renamed))


def read(path: Path = RENAMED) -> tuple[Renamed, ...]:
    """The rows of a table. Raises SymbolError where a line is not of the form above."""
    with path.open(newline="") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        if tuple(header) != COLUMNS:
            raise SymbolError.in_file(
                path, 1, f"expected {','.join(COLUMNS)}, got {','.join(header)}"
            )
        rows = []
        for cells in lines:
            if len(cells) != len(COLUMNS) or cells[4] not in ("renamed", "layer"):
                raise SymbolError.in_file(path, lines.line_num, f"expected a row, got {cells}")
            rows.append(Renamed(*cells))  # type: ignore[arg-type]  # the kind was looked at
    return tuple(rows)


@cache
def identity() -> dict[str, str]:
    """Each old name of the shipped table -> its last name."""
    return last_names(read())


def last_names(rows: tuple[Renamed, ...]) -> dict[str, str]:
    """Each old name -> the end of its chain of names. Raises SymbolError for a circle."""
    following = {row.old: row.new for row in rows}
    return {old: _last(old, following) for old in following}


def _last(name: str, following: dict[str, str]) -> str:
    seen = {name}
    while (later := following.get(name)) is not None:
        if later in seen:
            raise SymbolError.in_file(
                RENAMED, None, f"expected no circle of names, got one at {later}"
            )
        seen.add(later)
        name = later
    return name
