"""Parts of a lake as the source of a query: only those that have rows of the slots that are meant.

A part that compaction made has rows of many recordings, of which some may be removed or replaced
since: then the rows of the others alone are read.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import resources

from perfduck_store.lake.files import LakeFiles
from perfduck_store.lake.kinds import NAMES, columns_of
from perfduck_store.lake.log import Group, Setting, Slot
from perfduck_store.records import KIND_OF_TABLE, AttachedTable

Settings = Mapping[Slot, Setting]
# What has the rows of the parts of a table, as a source of SQL, with the table's columns in order.
Read = Callable[[LakeFiles, str, Iterable[Group]], str]


def lake_query(name: str) -> str:
    """The text of queries/NAME.sql."""
    return lake_text(f"queries/{name}.sql")


def lake_text(path: str) -> str:
    """The text of a file of this package."""
    return (resources.files(__package__) / path).read_text()


def read_here(files: LakeFiles, table: str, groups: Iterable[Group]) -> str:
    """Parts as DuckDB reads them, each checked to be whole."""
    paths = sorted(map(in_quotes, files.parts(table, {group.parts[table] for group in groups})))
    return f"read_parquet([{', '.join(paths)}], hive_partitioning = false)"


def source_of(
    files: LakeFiles, table: str, settings: Settings, read: Read = read_here
) -> str | None:
    """What to select from for the rows that these slots have of a table; None for no rows. Rows of
    functions and stacks come as often as recordings have them."""
    chosen = _of_table(table, settings)
    by_group: dict[Group, list[Slot]] = {}
    for slot, setting in chosen.items():
        if setting.group is not None and table in setting.group.parts:
            by_group.setdefault(setting.group, []).append(slot)
    whole = [group for group, slots in by_group.items() if len(slots) == group.slots]
    some = [(group, slots) for group, slots in by_group.items() if len(slots) < group.slots]
    sources = [read(files, table, whole)] if whole else []
    sources += [_some(files, table, group, slots, read) for group, slots in some]
    return f"(select * from {' union all select * from '.join(sources)})" if sources else None


def _of_table(table: str, settings: Settings) -> Settings:
    """What was read off attachments is of those of one kind."""
    if table not in KIND_OF_TABLE:
        return settings
    kind = KIND_OF_TABLE[_attached(table)]
    return {slot: setting for slot, setting in settings.items() if slot[2] == kind}


def _attached(table: str) -> AttachedTable:
    return next(each for each in KIND_OF_TABLE if each == table)


def _some(files: LakeFiles, table: str, group: Group, slots: list[Slot], read: Read) -> str:
    """The rows of some slots of a part."""
    part = read(files, table, [group])
    if table not in NAMES:
        return f"{part} where {slots_in(columns_of(table), slots)}"
    parts = {
        name: read(files, name, [group])
        for name in ("rollup", "edge", "stack_symbol")
        if name in group.parts
    }
    profiles = slots_in(("profile_id",), slots)
    stacks = f"select stack_id from {parts['rollup']} where {profiles}" if "rollup" in parts else ""
    if table != "symbol":
        return f"{part} where stack_id in ({stacks})"
    used = []
    if "stack_symbol" in parts:
        used.append(f"select symbol_id from {parts['stack_symbol']} where stack_id in ({stacks})")
    if "edge" in parts:
        used += [f"select {end} from {parts['edge']} where {profiles}"
                 for end in ("caller_id", "callee_id")]  # fmt: skip
    return f"{part} where symbol_id in ({' union all '.join(used)})"


def slots_in(columns: tuple[str, ...], slots: list[Slot]) -> str:
    """A condition: the row is of one of these slots."""
    keys = [slot[1 : 1 + len(columns)] for slot in slots]
    values = ", ".join(f"({', '.join(map(_literal, key))})" for key in keys)
    return f"({', '.join(columns)}) in ({values})"


def _literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else in_quotes(value)


def in_quotes(text: object) -> str:
    """A string of SQL."""
    return "'" + str(text).replace("'", "''") + "'"
