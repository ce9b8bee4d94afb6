"""Options that are numbers: what they accept, and what they say to anything else.

limit: Annotated[int, typer.Option(parser=whole(1), help="Rows.")] = 30

perfduck: --limit: expected a whole number of 1 or more, got 0
"""

from collections.abc import Callable
from typing import TypeVar

from perfduck import typed as typed_values

_N = TypeVar("_N", int, float)
_MOST = 10**18
LONGEST_S = 1e6  # of what waits; a thread cannot wait for 1e10


def whole(least: int, most: int = _MOST) -> Callable[[str | int], int]:
    """A parser of whole numbers from `least` to `most`."""

    def parse(typed: str | int) -> int:
        return _checked(typed, typed_values.whole_number, least, most, "whole number")

    return parse


def number(least: float = -_MOST, most: float = _MOST) -> Callable[[str | float], float]:
    """A parser of numbers from `least` to `most`."""

    def parse(typed: str | float) -> float:
        return _checked(typed, typed_values.number, least, most, "number")

    return parse


def _checked(
    typed: str | _N, read: Callable[[str], _N], least: _N, most: _N, kind: str
) -> _N:  # fmt: skip
    """The number; a default is one already. ValueError in the words of a usage error."""
    try:
        found = read(typed) if isinstance(typed, str) else typed
        if least <= found <= most:
            return found
    except ValueError:
        pass
    message = f"expected a {kind}{_within(least, most)}, got {typed or 'nothing'}"
    raise ValueError(message)


def _within(least: float, most: float) -> str:
    if most != _MOST:
        return f" from {least:,} to {most:,.0f}"
    return "" if least == -_MOST else f" of {least:,} or more"
