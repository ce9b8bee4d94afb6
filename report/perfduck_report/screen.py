"""Where a text answer is read, and sentences, call chains and lists in lines of its width. A part
is never broken: names stay whole.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len

NARROWEST, WIDEST = 80, 250
PROSE = 100  # columns of sentences and call chains that are for no terminal


@dataclass(frozen=True, slots=True)
class Screen:
    """Columns of the terminal, or None for a pipe or a file, where no line of a table is broken or
    shortened: grep finds every name."""

    width: int | None = None
    colour: bool = False

    @property
    def prose(self) -> int:
        """Columns of sentences and call chains."""
        return self.width or PROSE


PIPE = Screen()


def terminal(width: int, *, colour: bool = False) -> Screen:
    """A terminal, taken as 80 to 250 columns wide."""
    return Screen(min(max(width, NARROWEST), WIDEST), colour)


def flow(
    parts: Iterable[str], width: int, *, separator: str, first: str = "", rest: str = ""
) -> list[str]:
    """Lines of at most WIDTH columns, unless a part alone is longer; each begins with FIRST or
    REST."""
    lines: list[str] = []
    line = ""
    for part in parts:
        longer = f"{line}{separator}{part}" if line else part
        start = rest if lines else first
        if line and cell_len(start) + cell_len(longer) + len(separator.rstrip()) > width:
            lines.append(f"{start}{line}{separator}".rstrip())
            line = part
        else:
            line = longer
    return [*lines, f"{rest if lines else first}{line}"] if line else lines


def sentence(text: str, width: int, indent: str = "") -> list[str]:
    """Words of a sentence, which keeps the blanks that it begins with; the second line and the next
    begin with INDENT more. A `%` stays with its number."""
    words = text.lstrip(" ")
    start = text[: len(text) - len(words)]
    return flow(re.split(" (?!%)", words), width, separator=" ", first=start, rest=start + indent)
