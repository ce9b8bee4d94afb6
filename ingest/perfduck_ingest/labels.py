"""Labels and names as users give them."""

from collections.abc import Iterable

from perfduck_ingest.source import printable
from perfduck_model.errors import PerfduckError

# What the columns of a manifest and options say; a label of that name would be a mistake.
RESERVED = ("file", "name", "work", "unit", "work_from", "kernel")
ATTACH = "attach."
LABEL = "label."  # of any other name, as a column of a manifest


def labels(pairs: Iterable[str]) -> dict[str, str]:
    """Labels by key. PerfduckError for what is no key=value, a reserved key, and for two values of
    one key."""
    by_key: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            message = f"--label {pair}: expected key=value"
            raise PerfduckError(message)
        where = f"--label {pair}"
        key, value = checked(printable(key), where), checked_value(printable(value), where)
        if by_key.setdefault(key, value) != value:
            raise PerfduckError.at(
                where, expected=f"one value of {key}", got=f"{by_key[key]} before"
            )
    return by_key


def checked(key: str, where: str) -> str:
    """A key that may be one of a label."""
    if key in RESERVED or key.startswith(ATTACH):
        raise PerfduckError.at(
            where, expected="a label", got=f"{key}, which cannot be a label: {_instead(key)}"
        )
    if not key.isprintable() or key != key.strip():
        raise PerfduckError.at(where, expected="a label of printable characters", got=f"{key!r}")
    return key


def checked_value(value: str, where: str) -> str:
    """A value that may be one of a label: it is printed in lines, and typed in selectors."""
    if not value.isprintable():
        raise PerfduckError.at(where, expected="a value of printable characters", got=f"{value!r}")
    return value


def checked_name(name: str, where: str) -> str:
    """A name for a profile; PerfduckError where it could not be shown in a line."""
    name = printable(name)
    if not name.strip() or not name.isprintable():
        raise PerfduckError.at(where, expected="a name of printable characters", got=f"{name!r}")
    return name


def _instead(key: str) -> str:
    if key.startswith(ATTACH):
        return f"give --attach {key.removeprefix(ATTACH)}=FILE"
    return "give FILE" if key == "file" else f"give --{key.replace('_', '-')}"
