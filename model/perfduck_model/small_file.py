"""Files that are read whole: reports, rules, lists, budgets; never recordings.

    text = text_of(path, limits.most_rules_bytes)           bounded in bytes, lines, encoding
    report = json_of(text, Report)                   bounded in depth and digits, of a schema

Schemas are types that msgspec understands. What is wrong is a ValueError of one line that says
where: "end.sum_sent: expected an object, got a number".
"""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from perfduck_model.limits import limits
from perfduck_model.special_files import opened_to_read

_T = TypeVar("_T")
_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]*)`, got `(?P<got>[^`]*)`")
_PLACE = re.compile(r" - at `\$\.?(?P<place>.*)`$")


class SchemaError(ValueError):
    """What a file says is of another kind than it should be."""


class UserFile:
    """A file that the user names and that several ask for. It is read once: a pipe, as
    `<(zcat kallsyms.gz)` is one, has its content only then."""

    def __init__(self, path: Path, most: int, content: bytes | None = None) -> None:
        """`most`: bytes; `content`: where it was read before."""
        self.path = path
        self._most = most
        self._content = content

    @property
    def content(self) -> bytes:
        """As it is, packed or not. OSError for what cannot be read or is larger than `most`."""
        if self._content is None:
            self._content = bytes_of(self.path, self._most)
        return self._content


def text_of(
    path: Path,
    most: int = limits.most_small_bytes,
    most_lines: int | None = None,
    *,
    encoding: str = "utf-8",
    errors: str = "strict",
) -> str:
    """The text of the file. OSError and UnicodeDecodeError as Path.read_text raises them; OSError
    for a file that is larger or longer than such files are, as /dev/zero is."""
    return decoded(bytes_of(path, most), most_lines, encoding=encoding, errors=errors)


def bytes_of(path: Path, most: int) -> bytes:
    """The bytes of the file; OSError for more than `most`."""
    with opened_to_read(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(None, f"more than {most >> 20} MB")
    return content


def decoded(
    content: bytes, most_lines: int | None, *, encoding: str = "utf-8", errors: str = "strict"
) -> str:
    """The text of what was read, as text_of has it."""
    if most_lines is not None and content.count(b"\n") > most_lines:
        raise OSError(None, f"more than {most_lines:,} lines")
    return content.decode(encoding, errors)


def reason(error: Exception) -> str:
    """Why a file could not be read, in a line, without its name."""
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


def json_of(text: str, schema: type[_T]) -> _T:
    """What the JSON says, of the schema; SchemaError, and ValueError where it is no JSON. Keys that
    the schema does not have are skipped and never built."""
    try:
        return msgspec.json.decode(text, type=schema)
    except msgspec.ValidationError as error:
        raise SchemaError(_words(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(_words(error)) from error


def toml_of(text: str, schema: type[_T]) -> _T:
    """What the TOML says, of the schema; SchemaError, and ValueError where it is no TOML."""
    try:
        content = tomllib.loads(text)
        _check_depth(content)
        return msgspec.convert(content, schema)
    except msgspec.ValidationError as error:
        raise SchemaError(_words(error)) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(_words(error)) from error


def _check_depth(value: object) -> None:
    """Raise ValueError for tables in tables in tables, which `a.a.a.a = 1` writes in a line."""
    level = [value]
    for _ in range(limits.most_depth):
        level = [child for one in level for child in _children(one)]
        if not level:
            return
    message = f"tables nested more than {limits.most_depth} deep"
    raise ValueError(message)


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _words(error: Exception) -> str:
    """As messages are worded here: `$.rule[1].area` is `rule[1].area`."""
    words = _EXPECTED.sub(r"expected \g<expected>, got \g<got>", str(error).splitlines()[0])
    words = words.replace("Expected `str`", "expected text")  # of a length, or matching a pattern
    place = _PLACE.search(words)
    return f"{place['place']}: {words[: place.start()]}" if place else words
