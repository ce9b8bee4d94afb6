"""Ids of one answer of a server that another has to have: functions of stacks, stacks of samples.

Both are asked for one by one, in any order; whoever joins them takes for granted that they fit.
"""

from collections.abc import Mapping
from typing import Any

from perfduck_store.choice import Choice
from perfduck_store.remote.services import StoreMethod

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
        self._ids: dict[str, set[int]] = {}  # that a method has
        self._referring: dict[str, list[set[int]]] = {}  # ids that its answers refer to

    def check(self, method: StoreMethod, answer: Any, choice: Choice | None) -> None:
        """Raise ValueError for an answer that refers to what another lacks, or lacks it itself."""
        if choice is not None and choice is not self._choice:
            self._choice, self._ids, self._referring = choice, {}, {}
        name = f"{method.service}.{method.name}"
        if name in _REFERRED:
            self._ids[name] = set(answer.to_series(0))
            for ids in self._referring.get(name, ()):
                self._expect(name, ids)
        if name in _REFERENCES:
            column, parent = _REFERENCES[name]
            ids = _distinct(answer, column)
            self._referring.setdefault(parent, []).append(ids)
            self._expect(parent, ids)

    def _expect(self, parent: str, ids: set[int]) -> None:
        if parent in self._ids and not ids <= self._ids[parent]:
            message = f"expected ids that {parent} has, got others"
            raise ValueError(message)


def _distinct(answer: Any, column: str) -> set[int]:
    if isinstance(answer, list):  # rows
        return {getattr(row, column) for row in answer}
    ids = answer[column]
    return set((ids.explode() if column == "symbol_ids" else ids).unique())
