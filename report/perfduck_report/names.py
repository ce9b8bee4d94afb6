r"""Recorded names as text: the one place that makes them harmless, for each kind of answer.

A recording says what a symbol, a command or a label is called, and may say anything:

    evil\x1b]0;title\x07    would set the title of the terminal
    =cmd()                  is a formula to a spreadsheet
    a`|<b>                  leaves a cell of a Markdown table
    a;b                     is two frames of a folded stack

`visible` comes first everywhere. What it returns has no control, bidirectional or invisible
character and no newline, and is valid XML and UTF-8. CSV, Markdown and folded stacks add their own
rule. HTML is escaped by jinja2 and `html_flame.payload`.
"""

import dataclasses
import json
import re
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from operator import is_
from typing import Any, TypeVar

from msgspec import Struct, structs

from perfduck_model.words import unnamed_code

# Printable to Python, but without a width of their own: Default_Ignorable_Code_Point of Unicode 15.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what OWASP lists for "CSV injection"
_WORDS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 .,/()%+-]*[A-Za-z0-9)%])?")
Answer = TypeVar("Answer")


@lru_cache(maxsize=65_536)
def visible(text: str) -> str:
    r"""One printable line: `\n`, `\x1b`, `\u202e` in place of what has no shape of its own.

    A byte that was not UTF-8 (a lone surrogate of Python) is shown as `\xff`.
    """
    if text.isascii() and text.isprintable():
        return text
    return _NOT_PLAIN.sub(lambda match: _shape(match[0]), text)


def _shape(character: str) -> str:
    if character.isprintable() and not _INVISIBLE.match(character):
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("ascii", "backslashreplace").decode() if code > 0x7F else _SHORT[code]


_SHORT = {code: repr(chr(code))[1:-1] for code in (*range(0x20), 0x7F)}


def visible_lines(text: str) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


def all_visible(answer: Answer) -> Answer:
    """Any dataclass, struct, tuple, list or dict with every string in it visible."""
    return _each(answer)  # type: ignore[no-any-return]


def _each(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, tuple | list):
        entries = [_each(entry) for entry in value]
        return value if all(map(is_, entries, value)) else type(value)(entries)
    if isinstance(value, dict):
        return {_each(key): _each(entry) for key, entry in value.items()}
    return _fields(value)


def _fields(value: Any) -> Any:
    changes = {}
    for name in _field_names(value.__class__):
        entry = getattr(value, name)
        if (shown := _each(entry)) is not entry:
            changes[name] = shown
    if not changes:
        return value
    return (structs if isinstance(value, Struct) else dataclasses).replace(value, **changes)


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    """Of a dataclass or struct; none of other types."""
    if issubclass(kind, Struct):
        return kind.__struct_fields__
    return (
        tuple(each.name for each in dataclasses.fields(kind))
        if dataclasses.is_dataclass(kind)
        else ()
    )


def csv(text: str) -> str:
    """A cell that no spreadsheet takes for a formula. Lines and tabs stay: CSV quotes them."""
    shown = "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def markdown(text: str) -> str:
    """Words as they are; everything else as code, in which GitHub finds no markup, mention, link or
    emoji. A bar is escaped, as in a cell of a table."""
    shown = visible(text)
    return shown if not shown or _WORDS.fullmatch(shown) else markdown_code(shown)


def markdown_code(text: str) -> str:
    """Code in a cell of a table: the fence is longer than any run of backticks in it."""
    shown = visible(text)
    if not shown:
        return ""
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest or shown != shown.strip() else ""
    return f"{fence}{space}{shown.replace('|', _BAR)}{space}{fence}"


_BAR = r"\|"


def markdown_text(text: str) -> str:
    """Our own sentences with names in them: no character of markup keeps its meaning."""
    return re.sub(r"([\\`*_{}\[\]<>|~#!&@])", r"\\\1", visible(text))


@lru_cache(maxsize=65_536)
def folded(text: str) -> str:
    r"""A frame of a folded stack: one line, `;` as `\x3b` and `\` as `\x5c`, which can be read back
    as in a string of Python. So are the characters that mean something else in such a line: of the
    end of `f_[k]`, of `-` alone, of `[f]`, of `#` and blanks at an end."""
    return visible(_NO_FRAME.sub(lambda match: "".join(map(_hexadecimal, match[0])), text))


def folded_binary(dso: str) -> str:
    """A frame of code without a name: the last part of its dso, in brackets."""
    return f"[{folded(unnamed_code(dso)[1:-1])}]"


_NO_FRAME = re.compile(r"[;\\]|\A[ #]| \Z|\A--?\Z|(?<=_\[[kji])\]\Z|\A\[(?=.+\]\Z)", re.DOTALL)


def _hexadecimal(character: str) -> str:
    return f"\\x{ord(character):02x}"


def toml_key(text: str) -> str:
    """A key of a TOML file that reads back as the name; nothing in the file is invisible."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", text):
        return text
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return '"' + _NOT_PLAIN.sub(lambda match: _toml_escape(match[0]), escaped) + '"'


def _toml_escape(character: str) -> str:
    return character if _shape(character) == character else f"\\U{ord(character):08X}"


def as_json(value: object, *, indent: int | None = 1) -> str:
    """Valid JSON in valid UTF-8: nothing invisible, no infinity or nan; names are not changed."""
    text = json.dumps(
        _finite(value), indent=indent, ensure_ascii=False, allow_nan=False, default=_plain
    )
    return re.sub(r"[^\x20-\x7e\n]", _json_escape, text) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(entry) for entry in value]
    return value


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _json_escape(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable() and not _INVISIBLE.match(character):
        return character
    if 0xD800 <= ord(character) <= 0xDFFF:  # no JSON reader has to take a lone surrogate
        return visible(character).replace("\\", "\\\\")
    return json.dumps(character)[1:-1]
