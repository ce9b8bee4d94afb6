"""What may have been meant by a word that is not known, and what there is."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def did_you_mean(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """'did you mean native? ', or nothing where no known word is like it: difflib's ratio."""
    close = get_close_matches(word, known, n=1, cutoff=cutoff)
    return f"did you mean {close[0]}? " if close else ""


def listed(words: Sequence[str], most: int = 8) -> str:
    """The words, or the first of them and how many more there are."""
    more = len(words) - most
    return f"{', '.join(words[:most])} and {more} more" if more > 0 else ", ".join(words)


def number_ranges(numbers: Iterable[int]) -> str:
    """'0-3,7', as a list of CPUs is written."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in found)
