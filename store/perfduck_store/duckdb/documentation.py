"""What schema.sql says of the tables, for pages that show them beside an editor."""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

_TABLE = re.compile(
    r"(?P<about>(?:^--[^\n]*\n)*)^create (?P<kind>table|view) (?P<name>\w+)(?P<body>.*?);$",
    re.M | re.S,
)
_COLUMN = re.compile(
    r'^    "?(?P<name>\w+)"?\s+(?P<type>[a-z]+(?:\[\]|\(.*?\))?).*?,?\s*(?:--\s*(?P<about>.*))?$',
    re.M,
)
_SELECTED = re.compile(r"^    (?:.* as )?(?:\w+\.)?(?P<name>\w+),$", re.M)


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
    described = [_described(table) for table in _TABLE.finditer(text)]
    return tuple(sorted(described, key=lambda table: (table.name != "hit", table.name)))


def _described(table: re.Match[str]) -> TableDescription:
    about = " ".join(line.lstrip("- ") for line in table["about"].splitlines())
    if table["kind"] == "view":
        columns = [
            ColumnDescription(each["name"], "", "") for each in _SELECTED.finditer(table["body"])
        ]
    else:
        columns = [
            ColumnDescription(each["name"], each["type"], each["about"] or "")
            for each in _COLUMN.finditer(table["body"])
            if each["name"] != "primary"
        ]
    return TableDescription(table["name"], about, tuple(columns))
