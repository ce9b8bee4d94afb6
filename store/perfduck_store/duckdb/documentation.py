"""What schema.sql says of the tables, for pages that show them beside an editor."""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import takewhile

_CREATE = re.compile(r"^create (?P<kind>table|view) (?P<name>\w+)", re.M)
_COLUMN = re.compile(
    r'^    "?(?P<name>\w+)"?\s+(?P<type>[a-z]+(?:\[\]|\(.*?\))?).*?,?\s*(?:--\s*(?P<about>.*))?$',
    re.M,
)
_SELECTED = re.compile(r"^    (?:.* as )?(?:\w+\.)?(?P<name>\w+),?$", re.M)


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    """A column of a table: its type in SQL, '' in a view, and what it means."""

    name: str
    type: str
    about: str


@dataclass(frozen=True, slots=True)
class TableDescription:
    """A table or view, and what a row is."""

    name: str
    about: str
    columns: tuple[ColumnDescription, ...]


@cache
def tables() -> tuple[TableDescription, ...]:
    """All of them; `hit`, which has most, comes first."""
    text = (resources.files(__package__) / "schema.sql").read_text()
    described = [table for each in text.split(";\n") if (table := _described(each))]
    return tuple(sorted(described, key=lambda table: (table.name != "hit", table.name)))


def _described(statement: str) -> TableDescription | None:
    """The table or view that a statement makes, with the comment right above it."""
    create = _CREATE.search(statement)
    if create is None:
        return None
    lines = reversed(statement[: create.start()].splitlines())
    above = [*takewhile(lambda line: line.startswith("--"), lines)]
    about = " ".join(line.lstrip("- ") for line in reversed(above))
    body = statement[create.end() :]
    if create["kind"] == "view":
        columns = [ColumnDescription(each["name"], "", "") for each in _SELECTED.finditer(body)]
    else:
        columns = [
            ColumnDescription(each["name"], each["type"], each["about"] or "")
            for each in _COLUMN.finditer(body)
            if each["name"] != "primary"
        ]
    return TableDescription(create["name"], about, tuple(columns))
