"""Numbers that somebody typed, in ASCII digits: 30, 0.5, 1.5e6.

float() and int() also read 1_000, nan, infinity and the digits of other scripts, which are taken
for what was not meant.
"""

import math
import re

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
