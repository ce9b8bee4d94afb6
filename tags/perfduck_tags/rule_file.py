"""A file of rules, CSV or TOML.

    # comment
    symbol,source,area,subsystem,role
    "^my_qdisc_",,net/sched,my_qdisc,domain

    [[rule]]
    module = "my_nic*"
    area = "drivers/net"
    subsystem = "my_nic"
    role = "domain"

Conditions: source, module and dso are globs, symbol is a regular expression. At least one must be
there; role may be missing and is then `domain`. A rule may name the `class` of its functions
(classes.py), which they get from their area and name otherwise.
"""

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast

import polars as pl
from msgspec import Struct, field

from perfduck_model.errors import SymbolError
from perfduck_model.limits import limits
from perfduck_model.small_file import SchemaError, UserFile, decoded, reason, toml_of
from perfduck_tags.classes import CLASSES
from perfduck_tags.entries import TAGS
from perfduck_tags.rules import CONDITIONS, DATA, ROLES, Rule


class RuleTables(Struct, frozen=True):
    """A file of rules in TOML."""

    rule: list[dict[str, object]] = field(default_factory=list)


_TABLE = "[[rule]]"
_COLUMNS = (*CONDITIONS, "area", "subsystem", "role", "class")
Row = tuple[int, dict[str, str]]  # the line it begins at, and its cells


def file_of(path: Path) -> UserFile:
    """The file, not read yet."""
    return UserFile(path, limits.most_rules_bytes)


@cache
def shipped() -> tuple[Rule, ...]:
    """The rules that come with perfduck, symbol rules first."""
    entries = (
        Rule(f"entries.py, TAGS {row}", area, subsystem, role, symbol=f"^(?:{names})$")
        for row, (names, area, subsystem, role) in enumerate(TAGS, 1)
    )
    files = ("symbol_rules.csv", "path_rules.csv", "dso_rules.csv")
    return (*entries, *(rule for name in files for rule in _shipped(DATA / name)))


def _shipped(path: Path) -> list[Rule]:
    """The rules of a file that comes with perfduck: explanations call it by its name alone."""
    return _rules(UserFile(Path(path.name), limits.most_rules_bytes, path.read_bytes()))


def read(file: UserFile) -> list[Rule]:
    """The rules of a file of the user's."""
    rules = _rules(file)
    for rule in rules:
        _check_regex(rule)
    return rules


def _rules(file: UserFile) -> list[Rule]:
    path, text = file.path, _text(file)
    rows = _toml(path, text) if _is_toml(path, text) else _csv(path, text)
    return [_rule(path, line, cells, f"{path}:{line}") for line, cells in rows]


def _text(file: UserFile) -> str:
    try:
        # Spreadsheets and editors of Windows write a byte order mark.
        return decoded(file.content, limits.most_rules_lines, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        words = f"expected a file of rules, got: {reason(error)}"
        raise SymbolError.in_file(file.path, None, words) from error


def _is_toml(path: Path, text: str) -> bool:
    """By its ending; a pipe has none, and no CSV begins with a table."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return path.suffix == ".toml" or first == _TABLE


def _csv(path: Path, text: str) -> Iterator[Row]:
    lines = text.splitlines()
    header: list[str] | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = _cells(path, number, line)
        if header is None:
            header = cells
            _check_columns(path, number, header)
        elif len(cells) != len(header):
            words = f"expected {len(header)} cells ({','.join(header)}), got {len(cells)}"
            raise SymbolError.in_file(path, number, words)
        else:
            yield number, dict(zip(header, cells, strict=True))
    if header is None:
        raise SymbolError.in_file(path, None, "expected a header line, got nothing")


def _cells(path: Path, number: int, line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise SymbolError.in_file(path, number, f"expected CSV, got: {error}") from error


def _toml(path: Path, text: str) -> Iterator[Row]:
    try:
        tables = toml_of(text, RuleTables).rule
    except SchemaError as error:
        raise SymbolError.in_file(path, None, f"expected tables [[rule]], got {error}") from error
    except ValueError as error:
        raise SymbolError.in_file(path, None, f"expected TOML, got: {error}") from error
    headers = [n for n, line in enumerate(text.splitlines(), 1) if line.strip() == _TABLE]
    if len(headers) != len(tables):
        raise SymbolError.in_file(path, None, "expected tables [[rule]], each on a line of its own")
    for number, table in zip(headers, tables, strict=True):
        _check_columns(path, number, list(table))
        for key, value in table.items():
            if not isinstance(value, str):
                raise SymbolError.in_file(path, number, f"expected text for {key}, got {value!r}")
        yield number, cast(dict[str, str], table)


def _check_columns(path: Path, number: int, names: list[str]) -> None:
    if odd := [name for name in names if name not in _COLUMNS]:
        words = f"expected columns of {', '.join(_COLUMNS)}, got {odd[0]!r}"
        raise SymbolError.in_file(path, number, words)
    for name in ("area", "subsystem"):
        if name not in names:
            raise SymbolError.in_file(
                path, number, f"expected a column {name}, got {', '.join(names)}"
            )


def _rule(path: Path, line: int, cells: dict[str, str], where: str) -> Rule:
    given = {name: text for name, text in cells.items() if text}
    role = given.setdefault("role", "domain")
    if role not in ROLES:
        raise SymbolError.in_file(
            path, line, f"expected a role of {', '.join(ROLES)}, got {role!r}"
        )
    of_class = given.pop("class", None)
    if of_class is not None and of_class not in CLASSES:
        raise SymbolError.in_file(
            path, line, f"expected a class of {', '.join(CLASSES)}, got {of_class!r}"
        )
    for name in ("area", "subsystem"):
        if name not in given:
            raise SymbolError.in_file(path, line, f"expected text for {name}, got an empty cell")
    if not any(name in given for name in CONDITIONS):
        words = f"expected at least one of {', '.join(CONDITIONS)}, got none"
        raise SymbolError.in_file(path, line, words)
    return Rule(where=where, of_class=of_class, **given)


def _check_regex(rule: Rule) -> None:
    if rule.symbol is None:
        return
    try:
        pl.select(pl.lit("").str.contains(rule.symbol))
    except pl.exceptions.ComputeError as error:
        got = f"{rule.symbol!r}: {str(error).splitlines()[-1]}"
        message = f"{rule.where}: expected a regular expression, got {got}"
        raise SymbolError(message) from error
