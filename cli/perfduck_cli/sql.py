"""What is typed for `perfduck sql`: the query and its parameters."""

from pathlib import Path
from typing import Any

from perfduck_model.errors import PerfduckError
from perfduck_model.limits import MOST_SQL_BYTES
from perfduck_model.small_file import reason
from perfduck_model.small_file import text_of as read_text
from perfduck_model.typed_numbers import number, whole_number


def text_of(query: str | None, file: Path | None) -> str:
    """The query: given, or in a file."""
    if (query is None) == (file is None):
        message = "sql: expected a query or -f FILE, got " + ("both" if query else "neither")
        raise PerfduckError(message)
    if file is None:
        return query or ""
    try:
        return read_text(file, MOST_SQL_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file}: expected a file with SQL, got {reason(error)}"
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
    for read in (whole_number, number):
        try:
            return read(value)
        except ValueError:
            continue
    return value
