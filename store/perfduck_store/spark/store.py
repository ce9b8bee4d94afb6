"""A lake whose samples Spark reads: questions about samples run there, the same queries as in
DuckDB; what is said of recordings is read here, as of any lake."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfduck_store.choice import Choice
from perfduck_store.duckdb.schema import named
from perfduck_store.lake.changes import LakeProfiles, LakeSymbols
from perfduck_store.lake.log import Setting, Slot
from perfduck_store.lake.parts import lake_query
from perfduck_store.lake.samples import LakeSamples
from perfduck_store.lake.store import LakeStore
from perfduck_store.records import LikeRun
from perfduck_store.spark import user_sql
from perfduck_store.spark.address import EngineAddress
from perfduck_store.spark.session import EngineSession
from perfduck_store.spark.tables import SparkTables

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.choice import SqlLimits


class SparkStore(LakeStore):
    """A lake as it was when it was opened, to ask; close it, or use it as a context manager."""

    def __init__(self, root: Path | str, engine: EngineAddress) -> None:
        """PerfduckError where there is no lake, or no engine."""
        super().__init__(root)
        try:
            self.spark = SparkTables(self, EngineSession(engine))
        except BaseException:
            super().close()
            raise
        self.profiles, self.symbols = SparkProfiles(self), SparkSymbols(self)

    def close(self) -> None:
        """Forget what was read, here and there."""
        self.spark.session.close()
        super().close()

    def interrupt(self) -> None:
        """Stop the statement that runs now, from another thread."""
        self.spark.session.interrupt()
        super().interrupt()

    def samples(self, choice: Choice) -> "SparkSamples":
        """The samples of the choice, to ask about."""
        return SparkSamples(self, choice)

    def user_sql(
        self, text: str, parameters: Mapping[str, Any], limits: "SqlLimits"
    ) -> "pl.DataFrame":
        """The rows of a statement that somebody typed: see user_sql.py."""
        return user_sql.run(self.spark, text, parameters, limits)

    def settings_of(self, table: str) -> dict[Slot, Setting]:
        """The slots of the recordings that statements are about."""
        if table == "profile" and self._about is not None:
            wanted = set(self._about)
            return {slot: each for slot, each in self._settings(table).items() if slot[1] in wanted}
        return self._settings(table)

    def profiles_of(self, slots: Iterable[Slot]) -> "pl.DataFrame":
        """Rows of table profile, with what is said of them now."""
        profiles = [slot[1] for slot in slots]
        return self.frame(
            "select * from profile where list_contains($profiles::bigint[], profile_id)",
            {"profiles": profiles},
        )

    def rows_here(self, sql: str) -> "pl.DataFrame":
        """The answer of the DuckDB in this process, from what it has read."""
        return super(LakeStore, self).frame(sql)

    def columns_of(self, table: str) -> list[str]:
        """The columns of a table, in their order."""
        return self.rows_here(f"select * from {table} limit 0").columns


class SparkSamples(LakeSamples):
    """See protocol.PickedSamples."""

    def __init__(self, store: SparkStore, choice: Choice) -> None:
        super().__init__(store, choice)
        self._store = self._spark = store.spark

    def like_runs(self, most: int) -> list[LikeRun]:
        """Up to so many other profiles with the same event, unit of work, CPUs and architecture."""
        chosen = list(self._choice.profiles)
        keys = {"profiles": chosen, "most": most}
        alike = [row[0] for row in self._lake.rows(lake_query("like_profiles"), keys)]
        with self._lake.about([*chosen, *alike]):
            self._spark.show("profile", "rollup", "stack_blame")
        return super(LakeSamples, self).like_runs(most)

    def _pick(self) -> None:
        is_new = self._spark.picked != self._choice
        super()._pick()
        if is_new:  # all queries of an answer read it
            self._spark.session.keep("picked")


class SparkProfiles(LakeProfiles):
    """What is said of profiles, but for what their samples tell."""

    def __init__(self, store: SparkStore) -> None:
        super().__init__(store)
        self._spark = store.spark

    def first_ns(self, profiles: Iterable[int]) -> dict[int, int | None]:
        """The time of the first sample of each, on the clock of its recording; None without one."""
        with self._lake.about(profiles := list(profiles)):
            return dict(self._spark.rows(named("diff_begun"), {"profiles": profiles}))


class SparkSymbols(LakeSymbols):
    """The functions that stacks of the lake have."""

    def __init__(self, store: SparkStore) -> None:
        super().__init__(store)
        self._spark = store.spark

    def tagged(self) -> "pl.DataFrame":
        """[symbol_id, name, dso, canonical, area, subsystem, role, class] of all, by symbol_id."""
        return self._spark.frame(named("tagged_symbols"))
