"""Copies some recordings of a store to a store of their own, with what is of no recording: the
rules, functions and noise that a merge takes over as well.

By way of Parquet files: a reader of a held store, which sees one state while others write, may not
write another database.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from perfduck_model.errors import room_on_disk
from perfduck_store.duckdb.schema import named
from perfduck_store.duckdb.store import DuckDbStore

if TYPE_CHECKING:
    from perfduck_store.duckdb.shared import SharedReader

_USED = {"stack": "stack", "stack_symbol": "stack", "stack_blame": "stack", "symbol": "symbol"}


def extract(store: "SharedReader", profiles: Iterable[int], to: Path) -> None:
    """Write a new store. DiskIsFull where there is no room for it."""
    chosen = f"profile_id in ({', '.join(map(str, profiles))})"
    with (
        room_on_disk(to),
        TemporaryDirectory(prefix=".perfduck-extract-", dir=to.parent) as folder,
        DuckDbStore(to, write=True) as new,
        new.transaction(),
    ):
        part = Path(folder) / "part.parquet"
        place = "'" + str(part).replace("'", "''") + "'"
        store.execute(named("used_of_profiles").format(profiles=chosen))
        for table, condition in _tables(store, chosen):
            rows = f"select * from {table} where {condition}"
            store.execute(f"copy ({rows}) to {place} (format parquet)")
            new.execute(f"insert into {table} by name select * from read_parquet({place})")


def _tables(store: "SharedReader", chosen: str) -> Iterator[tuple[str, str]]:
    """Each table with the condition of its rows."""
    of_profiles = {table for (table,) in store.rows(named("profile_tables"))}
    for (table,) in store.rows(named("tables")):
        if table in of_profiles:
            yield table, chosen
        elif table in _USED:
            key = f"{_USED[table]}_id"
            yield table, f"{key} in (select {key} from used_{_USED[table]})"
        else:
            yield table, "true"
