"""Takes over what a lake has in folders of older schema versions.

Each schema version has a folder of its own, so machines with an older perfduck go on writing theirs
while others have the new one. A slot that is taken over keeps the time and the hash of the commit
that set it: the last writer wins across versions, and what was taken over is not taken again. What
is interrupted goes on where it is begun again: each group of parts is a commit of its own.
"""

from collections.abc import Iterator
from pathlib import Path

from perfduck_store.duckdb import schema
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.duckdb.store_file import Engine
from perfduck_store.lake.files import COMMITS, FIRST_VERSION, LakeFiles
from perfduck_store.lake.kinds import KIND_OF, KINDS
from perfduck_store.lake.left_out import fingerprint, not_taken, taken
from perfduck_store.lake.log import (
    Entry,
    Group,
    LakeState,
    LogFile,
    Setting,
    Slot,
    read_state,
)
from perfduck_store.lake.parts import in_quotes, lake_text
from perfduck_store.lake.publish import publish_log, write_part


def take_over(files: LakeFiles, state: LakeState) -> int:
    """Take over what is new in older versions; how many recordings."""
    before = len(state.live("recording"))
    for version in not_taken(files, state):
        old = LakeFiles(files.root, version)
        seen = fingerprint(old)  # before it is read: what is written meanwhile comes next
        for log in _logs(files, old, version, _newer(read_state(old), state)):
            _commit(files, state, log.entries, log.groups)
        _commit(files, state, [Entry(taken(version), seen)], [])
    return len(state.live("recording")) - before


def _newer(old: LakeState, state: LakeState) -> dict[Slot, Setting]:
    """What was set later than it was here."""
    return {
        slot: setting
        for slot, setting in old.settings.items()
        if (here := state.settings.get(slot)) is None
        or (here.at, here.by) < (setting.at, setting.by)
    }


def _commit(files: LakeFiles, state: LakeState, entries: list[Entry], groups: list[Group]) -> None:
    log = LogFile(state.time_of_next(), entries, groups)
    with files.scratch() as folder:
        name = publish_log(files, folder, COMMITS, log)
    state.commits.append(name)
    state.add(log, name)


def _logs(
    files: LakeFiles, old: LakeFiles, version: int, settings: dict[Slot, Setting]
) -> Iterator[LogFile]:
    """The commits that take settings over: one for all values, and one for each group."""
    by_group: dict[Group, list[Slot]] = {}
    for slot, setting in settings.items():
        if setting.group is not None:
            by_group.setdefault(setting.group, []).append(slot)
    values = [_entry(slot, each) for slot, each in settings.items() if each.group is None]
    if values:
        yield LogFile(0, values)
    for group, slots in by_group.items():
        with files.scratch() as folder:
            parts = _upgraded(files, old, version, group, folder)
        kind = KINDS[str(slots[0][0])]
        own = {table: parts.pop(table) for table in (*kind.tables, *kind.names) if table in parts}
        entries = [_entry(slot, settings[slot], 0) for slot in slots]
        # Tables that were of these slots, and have slots of their own now.
        for number, table in enumerate(parts, 1):
            moved = [(KIND_OF[table], *slot[1:]) for slot in slots]
            entries += [
                _entry(new, settings[slot], number)
                for new, slot in zip(moved, slots, strict=True)
                if new not in settings
            ]
        others = [Group({table: part}, group.slots) for table, part in parts.items()]
        yield LogFile(0, entries, [Group(own, group.slots), *others])


def _entry(slot: Slot, setting: Setting, group: int | None = None) -> Entry:
    return Entry(slot, setting.value, group, setting.at, setting.by)


def _upgraded(
    files: LakeFiles, old: LakeFiles, version: int, group: Group, folder: Path
) -> dict[str, tuple[str, int]]:
    """The parts of a group as parts of this version: read into a store of the older one, upgraded
    as a file is."""
    path = folder / "group.duckdb"
    engine = Engine(path)
    connection = engine.connection()
    connection.execute(f"attach {in_quotes(path)} as store; use store")
    connection.execute(lake_text(f"schema_{FIRST_VERSION}.sql"))
    connection.execute(schema.upgrade(FIRST_VERSION, version))
    for table, (name, size) in group.parts.items():
        [part] = old.parts(table, [(name, size)])
        connection.execute(f"insert into {table} by name from read_parquet({in_quotes(part)})")
    engine.close()
    with DuckDbStore(path, write=True) as store:
        tables = [table for (table,) in store.rows("select table_name from duckdb_tables()")]
        parts = {
            table: write_part(store, files, folder, table, f"select * from {table}")
            for table in tables
            if table in KIND_OF
        }
    return {table: part for table, part in parts.items() if part}
