"""What may have been meant by a word that is not known, and what there is."""

from collections.abc import Sequence
from difflib import get_close_matches


def did_you_mean(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """'did you mean native? ', or nothing where no known word is like it: difflib's ratio."""
    close = get_close_matches(word, known, n=1, cutoff=cutoff)
    return f"did you mean {close[0]}? " if close else ""


def listed(words: Sequence[str], most: int = 8) -> str:
    """The words, or the first of them and how many more there are."""
    more = len(words) - most
    return f"{', '.join(words[:most])} and {more} more" if more > 0 else ", ".join(words)
