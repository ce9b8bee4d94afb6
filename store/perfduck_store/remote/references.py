"""Ids of one answer of a server that another has to have: functions of stacks, stacks of samples.

Both are asked for one by one, in any order; whoever joins them takes for granted that they fit.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from perfduck_store.records import Choice
from perfduck_store.remote.services import StoreMethod

if TYPE_CHECKING:
    import polars as pl

# Method -> its column, and the method whose first column has all of these.
_REFERENCES: Mapping[str, tuple[str, str]] = {
    "samples.chains": ("symbol_ids", "samples.functions"),
    "samples.stacks": ("symbol_ids", "symbols.tagged"),
    "samples.samples": ("stack_id", "samples.chains"),
    "samples.stack_weights": ("stack_id", "samples.chains"),
    "symbols.stacks": ("symbol_ids", "symbols.all"),
}
_REFERRED = {parent for _, parent in _REFERENCES.values()}


class References:
    """Those of one session, of the choice that was asked about last."""

    def __init__(self) -> None:
        self._choice: Choice | None = None
        self._ids: dict[str, pl.Series] = {}  # that a method has
        self._referring: dict[str, list[pl.Series]] = {}  # ids that its answers refer to

    def check(self, method: StoreMethod, answer: Any, choice: Choice | None) -> None:
        """Raise ValueError for an answer that refers to what another lacks, or lacks it itself."""
        if choice is not None and choice is not self._choice:
            self._choice, self._ids, self._referring = choice, {}, {}
        name = f"{method.service}.{method.name}"
        if name in _REFERRED:
            self._ids[name] = answer.to_series(0)
            for ids in self._referring.get(name, ()):
                self._expect(name, ids)
        if name in _REFERENCES:
            column, parent = _REFERENCES[name]
            ids = _distinct(answer, column)
            self._referring.setdefault(parent, []).append(ids)
            self._expect(parent, ids)

    def _expect(self, parent: str, ids: "pl.Series") -> None:
        if parent in self._ids and not ids.is_in(self._ids[parent].implode()).all():
            message = f"expected ids that {parent} has, got others"
            raise ValueError(message)


def _distinct(answer: Any, column: str) -> "pl.Series":
    import polars as pl

    if isinstance(answer, list):  # rows
        return pl.Series([getattr(row, column) for row in answer], dtype=pl.Int64).unique()
    ids: pl.Series = answer[column]
    return (ids.explode() if ids.dtype == pl.List else ids).unique()
