"""Text of statements for Spark: the .sql files of DuckDB, in two places written otherwise.

    $name                                          :name
    string_agg(x, ';' order by y)                  string_agg(x, ';') within group (order by y)

All else that differs is a function of queries/dialect.sql.
"""

import re
from functools import cache
from importlib import resources

# What has no parameter in it, or one.
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|\$(?P<name>\w+)", re.DOTALL
)
_ORDERED = re.compile(r"string_agg\(([^()]+?) order by ([^()]+)\)")


@cache
def spark_text(text: str) -> str:
    """A query of DuckDB's files for Spark."""
    return with_colons(_ORDERED.sub(r"string_agg(\1) within group (order by \2)", text))


def with_colons(text: str) -> str:
    """Named parameters as Spark has them."""
    return _TOKEN.sub(lambda token: f":{token['name']}" if token["name"] else token[0], text)


def parameters_of(text: str) -> set[str]:
    """The names of the parameters in a statement, with $."""
    return {token["name"] for token in _TOKEN.finditer(text) if token["name"]}


@cache
def statements(name: str) -> list[str]:
    """The statements of queries/NAME.sql."""
    return spark_query(name).split(";\n")


def spark_query(name: str) -> str:
    """The text of queries/NAME.sql."""
    return (resources.files(__package__) / "queries" / f"{name}.sql").read_text()
