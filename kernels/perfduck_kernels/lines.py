"""Lines of a text, one behind the other."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from perfduck_model.arrays import Int32, Int64, UInt8

if TYPE_CHECKING:  # what reads perf.data needs no polars: 0.15 s of its start
    import polars as pl


@dataclass(frozen=True)
class TextLines:
    """Whole lines: line i is content[starts[i] : starts[i + 1]], with its end."""

    content: UInt8
    starts: Int32 | Int64

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def column(self) -> "pl.Series":
        """The lines as Binary. To make it takes as long as to hash them."""
        from perfduck_model.arrow import binaries

        return binaries(self.content, self.starts)
