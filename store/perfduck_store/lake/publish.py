"""The end of a transaction: the rows of the slots that it sets become parts, and one file, the
commit, says so. Without it nobody reads the parts: a writer that is killed leaves the lake as it
was."""

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from perfduck_store.duckdb.schema import named
from perfduck_store.lake.files import COMMITS, LakeFiles
from perfduck_store.lake.kinds import KINDS, columns_of
from perfduck_store.lake.log import Entry, Group, LogFile, Slot, encoded
from perfduck_store.lake.parts import in_quotes, slots_in

if TYPE_CHECKING:
    from perfduck_store.duckdb.store import DuckDbStore
    from perfduck_store.lake.store import LakeStore


def commit(store: "LakeStore") -> None:
    """Publish what the changes of the store are, if any."""
    changes = store.changes
    if not (changes.values or changes.rows):
        return
    groups: list[Group] = []
    entries = [Entry(slot, value) for slot, value in changes.values.items()]
    with store.files.scratch() as folder:
        for slots in _together(changes.rows):
            entries += [Entry(slot, group=len(groups)) for slot in slots]
            with store.about(_profiles(slots)) if _is_of_profiles(slots) else nullcontext():
                groups.append(_exported(store, folder, slots))
        log = LogFile(store.state.time_of_next(), entries, groups)
        publish_log(store.files, folder, COMMITS, log)
    store.state.newest = log.at


def publish_log(files: LakeFiles, folder: Path, place: str, log: LogFile) -> str:
    """Write a commit or manifest, after the parts that it refers to, and say its hash."""
    files.sent()
    written = folder / "log.json"
    written.write_bytes(encoded(log))
    name = files.publish(written, place, "json")
    files.sent()
    return name


def _together(slots: Iterable[Slot]) -> list[list[Slot]]:
    """The slots whose rows become parts together: each recording has its own."""
    kinds: dict[tuple[object, ...], list[Slot]] = {}
    for slot in slots:
        kinds.setdefault(slot if slot[0] == "recording" else slot[:1], []).append(slot)
    return list(kinds.values())


def _is_of_profiles(slots: list[Slot]) -> bool:
    return KINDS[str(slots[0][0])].keys[:1] == ("profile_id",)


def _profiles(slots: list[Slot]) -> list[int]:
    return [int(slot[1]) for slot in slots]


def _exported(store: "LakeStore", folder: Path, slots: list[Slot]) -> Group:
    """Parts with the rows that the tables have of these slots."""
    kind = KINDS[str(slots[0][0])]
    queries = {
        table: f"select * from {table} where {slots_in(columns_of(table), slots)}"
        for table in kind.tables
    }
    if kind.names and kind.keys:
        store.rows(named("used_of_profiles").format(profiles=slots_in(("profile_id",), slots)))
    for table in kind.names:
        key = "symbol_id" if table == "symbol" else "stack_id"
        used = f" where {key} in (select {key} from used_{key[:-3]})" if kind.keys else ""
        queries[table] = f"select * from {table}{used}"
    parts = {
        table: write_part(store, store.files, folder, table, query)
        for table, query in queries.items()
    }
    return Group({table: part for table, part in parts.items() if part}, len(slots))


def write_part(
    store: "DuckDbStore", files: LakeFiles, folder: Path, table: str, query: str
) -> tuple[str, int] | None:
    """Make a part of the rows of a query; None where there are none. The same rows in the same
    order are the same bytes."""
    written = folder / f"{table}.parquet"
    copy = f"copy ({query}) to {in_quotes(written)} (format parquet, compression zstd)"
    [(count,)] = store.rows(copy)
    if not count:
        written.unlink()
        return None
    size = written.stat().st_size
    return files.publish(written, table, "parquet"), size
