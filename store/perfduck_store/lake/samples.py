"""The samples that an answer is about, of a lake: those of the recordings that were chosen are read
from their parts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from perfduck_store.choice import Choice
from perfduck_store.duckdb.samples import DuckDbSamples
from perfduck_store.lake.parts import lake_query
from perfduck_store.records import LikeRun

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.lake.store import LakeStore


class LakeSamples(DuckDbSamples):
    """See protocol.PickedSamples."""

    def __init__(self, store: "LakeStore", choice: Choice) -> None:
        super().__init__(store, choice)
        self._lake = store

    def like_runs(self, most: int) -> list[LikeRun]:
        """Up to so many other profiles with the same event, unit of work, CPUs and architecture."""
        chosen = list(self._choice.profiles)
        keys = {"profiles": chosen, "most": most}
        alike = [row[0] for row in self._lake.rows(lake_query("like_profiles"), keys)]
        with self._lake.about([*chosen, *alike]):
            self._lake.load("rollup", "stack_blame")
        return super().like_runs(most)

    def _rows(self, query: str, keys: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with self._lake.about(self._choice.profiles):
            return super()._rows(query, keys)

    def _frame(self, query: str, keys: Mapping[str, Any] | None = None) -> "pl.DataFrame":
        with self._lake.about(self._choice.profiles):
            return super()._frame(query, keys)

    def _of_programs(self, query: str, keys: Mapping[str, Any] | None = None) -> "pl.DataFrame":
        with self._lake.about(self._choice.profiles):
            return super()._of_programs(query, keys)

    def _pick(self) -> None:
        with self._lake.about(self._choice.profiles):
            super()._pick()
