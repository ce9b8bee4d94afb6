"""What a DuckDB store has learned of the spread between runs: table noise."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from perfduck_store.duckdb.schema import named
from perfduck_store.records import ClassNoise

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.duckdb.store import DuckDbStore


class DuckDbNoise:
    """See protocol.LearnedNoise."""

    def __init__(self, store: "DuckDbStore") -> None:
        self._store = store

    def all(self) -> "pl.DataFrame":
        """The columns of table noise; by host, workload and unit, the largest spread first."""
        return self._store.frame(named("noise_learned"))

    def recall(self, workload: str, unit: str, host_class: str) -> list[ClassNoise]:
        """What was learned for a workload and unit, by subsystem: on such a host, else on any."""
        keys = {"workload": workload, "unit": unit, "host": host_class}
        return [ClassNoise(*row) for row in self._store.rows(named("noise_recalled"), keys)]

    def replace(self, learned: "pl.DataFrame") -> None:
        """Store rows of table noise in place of all of the same hosts, workloads and units."""
        keys = learned.select("host_class", "workload", "unit").unique()
        with self._store.transaction():
            self._store.execute_on(keys, named("noise_replaced"))
            self._store.insert("noise", learned)

    def forget(self, profiles: Iterable[int] | None) -> None:
        """Forget what was learned for the workloads of these profiles; None: all."""
        keys = {"profiles": None if profiles is None else list(profiles)}
        self._store.execute(named("noise_forget"), keys)
