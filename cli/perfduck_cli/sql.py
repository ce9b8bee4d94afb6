"""The user's own SQL: read-only, with mistakes told in a line."""

import re
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from perfduck_store.errors import PerfduckError
from perfduck_store.store import Store

_LINE = re.compile(r"^LINE (?P<line>\d+):", re.MULTILINE)


def text_of(query: str | None, file: Path | None) -> str:
    """The query: given, or in a file."""
    if (query is None) == (file is None):
        message = "sql: expected a query or -f FILE, got " + ("both" if query else "neither")
        raise PerfduckError(message)
    if file is None:
        return query or ""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file}: expected a file with SQL, got {error}"
        raise PerfduckError(message) from error


def parameters(pairs: list[str]) -> dict[str, Any]:
    """name=value; a value that is a number is one."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            message = f"--param {pair}: expected name=value"
            raise PerfduckError(message)
        found[name] = _number(value)
    return found


def _number(value: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def answer(store: Store, query: str, values: dict[str, Any]) -> pl.DataFrame:
    """The rows of the query. It may neither change the store nor touch other files."""
    store.execute("set enable_external_access = false")
    try:
        return store.frame(query, values or None)
    except duckdb.Error as error:
        raise PerfduckError(_in_a_line(str(error))) from error


def _in_a_line(message: str) -> str:
    """DuckDB's message with what it suggests, without the drawing of the query."""
    line = _LINE.search(message)
    where = f"sql:{line['line']}" if line else "sql"
    text = message.split("\n\nLINE ")[0].split("\nLINE ")[0]
    return f"{where}: {' '.join(text.split())}"
