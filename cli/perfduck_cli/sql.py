"""What is typed for `perfduck sql`: the query and its parameters."""

from pathlib import Path
from typing import Any

from perfduck import PerfduckError
from perfduck.typed import number, whole_number


def text_of(query: str | None, file: Path | None) -> str | Path:
    """The query, or the file that it is in."""
    if (query is None) == (file is None):
        message = "sql: expected a query or -f FILE, got " + (
            "neither" if query is None else "both"
        )
        raise PerfduckError(message)
    return file or query or ""


def parameters(pairs: list[str]) -> dict[str, Any]:
    """name=value; a value that is a number is one."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            message = f"--param {pair}: expected name=value"
            raise PerfduckError(message)
        if name in values:
            message = f"--param {pair}: expected one value of {name}, got {values[name]} before"
            raise PerfduckError(message)
        values[name] = _number(value)
    return values


def _number(value: str) -> int | float | str:
    for read in (whole_number, number):
        try:
            return read(value)
        except ValueError:
            continue
    return value
