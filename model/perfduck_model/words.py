"""Words of messages: numbers of things, lists, what a misspelled word may have meant, what has no
name; and numbers that somebody typed, in ASCII digits: 30, 0.5, 1.5e6.

float() and int() also read 1_000, nan, infinity and the digits of other scripts, which are taken
for what was not meant.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def counted(number: float, thing: str) -> str:
    """'1 line', '1,200 lines'; what is no English word, such as kB, stays as it is."""
    return f"{number:,.15g} {noun(thing, number)}"


def noun(thing: str, number: float) -> str:
    """'line' of one, 'lines' of others; what is no English word, such as kB, stays as it is."""
    is_word = thing.islower() and thing.isalpha() and len(thing) > 2 and not thing.endswith("s")
    return f"{thing}s" if is_word and number != 1 else thing


def did_you_mean(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """'did you mean native? ', or nothing where no known word is like it: difflib's ratio."""
    close = get_close_matches(word, [each for each in known if each], n=1, cutoff=cutoff)
    return f"did you mean {close[0]}? " if close else ""


def unnamed_code(dso: str) -> str:
    """What code of a binary without a name is called in exports: the last part of the binary's
    name, in brackets."""
    return f"[{dso.rsplit('/', 1)[-1].strip('[]')}]"


def listed(words: Sequence[str], most: int = 8) -> str:
    """The words, or the first of them and how many more there are."""
    more = len(words) - most
    return f"{', '.join(words[:most])} and {more} more" if more > 0 else ", ".join(words)


def number_ranges(numbers: Iterable[int]) -> str:
    """'0-3,7', as a list of CPUs is written."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in ranges)


_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")  # 63 bits


def number(text: str) -> float:
    """The finite number that the text is; ValueError where it is none."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        message = f"expected a number, got {text}"
        raise ValueError(message)
    return value


def whole_number(text: str) -> int:
    """The whole number of at most 18 digits that the text is; ValueError where it is none."""
    if not _WHOLE.fullmatch(text):
        message = f"expected a whole number, got {text}"
        raise ValueError(message)
    return int(text)


def in_units(units: Counter[str]) -> str:
    """In what the work of how many runs is, where that is not one unit."""
    parts = [f"{unit} ({n} {'run' if n == 1 else 'runs'})" for unit, n in sorted(units.items())]
    return f"work is in {' and '.join(parts)} (--where KEY=VALUE chooses runs of one)"
