"""An answer as plain rows: for a few of them, loading polars takes longer than the query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class ResultRows:
    """Columns and tuples, under the names that a polars frame has for them."""

    columns: list[str]
    values: list[tuple[Any, ...]]

    def rows(self) -> list[tuple[Any, ...]]:
        """The tuples."""
        return self.values

    def select(self, names: Sequence[str]) -> Self:
        """Some of the columns."""
        places = [self.columns.index(name) for name in names]
        chosen = [tuple(row[place] for place in places) for row in self.values]
        return type(self)(list(names), chosen)
