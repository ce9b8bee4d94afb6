"""What a recording holds that could not be read, or what its names lack: said with every answer.

code           samples  text
dwarf-callers    7,944  user callers were recorded as DWARF stacks and are not unwound
no-names                48 % of the weight has no name: give --kallsyms or --symbols

7,944 of 71,200 samples: user callers were recorded as DWARF stacks and are not unwound
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limitation:
    """`text` in words, without the number of `samples` that it concerns: None where that is not
    counted."""

    text: str
    samples: int | None = None

    def words(self, total: int) -> str:
        """The text behind its number, of the `total` of samples."""
        return said(self.text, self.samples, total)


def said(text: str, samples: int | None, total: int) -> str:
    """A limitation in words."""
    return text if samples is None else f"{samples:,} of {total:,} samples: {text}"


def merged(old: Mapping[str, Limitation], new: Mapping[str, Limitation]) -> dict[str, Limitation]:
    """Limitations by code, of two batches of a recording: their samples add up."""
    both = {code: _sum(old[code], new[code]) for code in old.keys() & new.keys()}
    return {**old, **new, **both}


def _sum(old: Limitation, new: Limitation) -> Limitation:
    counts = [each.samples for each in (old, new) if each.samples is not None]
    return Limitation(new.text, sum(counts) if counts else None)
