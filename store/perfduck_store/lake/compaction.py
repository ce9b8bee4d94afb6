"""Makes few large parts of many small ones, and deletes what nobody needs any more.

A new generation is a manifest: all slots with the time of their commits, in new parts, and the
names of the commits that it replaces. It is valid from the moment in which its number is taken;
until then a reader sees the one before, and a process that is killed leaves parts that nobody
reads. What only earlier generations need is deleted by a later compaction, when nobody can read it.
"""

from pathlib import Path

from perfduck_model.errors import PerfduckError
from perfduck_store.lake import garbage
from perfduck_store.lake.files import COMMITS, MANIFESTS
from perfduck_store.lake.kinds import KINDS, NAMES
from perfduck_store.lake.log import Entry, Group, LogFile, Setting, Slot, generation_name
from perfduck_store.lake.migration import take_over
from perfduck_store.lake.parts import lake_query, source_of
from perfduck_store.lake.publish import publish_log, write_part
from perfduck_store.lake.store import LakeStore
from perfduck_store.records import Compacted

_ENOUGH_BYTES = 128 << 20  # of the parts of a group: it stays as it is
_KEYS = {"stack": "symbol_ids", "symbol": "(name, dso, address)"}


def compact(store: LakeStore, keep_s: float) -> Compacted:
    """Compact a lake; `keep_s`: seconds that readers and writers may take, for which what they may
    need is kept. PerfduckError where another compaction was faster."""
    taken = take_over(store.files, store.state)
    store.load("profile")  # refuses parts of other recordings: their rows would be lost
    before = {each.group for each in store.state.settings.values() if each.group}
    conflicts = _conflicts(store)
    with store.files.scratch() as folder:
        manifest = _manifest(store, folder)
        generation = store.state.generation
        if len(manifest.groups) < len(before) or store.state.commits:
            generation = _publish(store, folder, manifest)
    deleted, size = garbage.collect(store.files, keep_s)
    counts = (len(before), len(manifest.groups), deleted, size)
    return Compacted(generation, *counts, conflicts, taken)


def _publish(store: LakeStore, folder: Path, manifest: LogFile) -> int:
    """Make the manifest that of the next generation."""
    pointer = folder / "generation"
    pointer.write_text(publish_log(store.files, folder, MANIFESTS, manifest) + "\n")
    generation = store.state.generation + 1
    if not store.files.create_pointer(pointer, generation_name(generation)):
        where, expected = store.files.root, "one compaction at a time"
        raise PerfduckError.at(where, expected=expected, got="another one, which was faster")
    return generation


def _manifest(store: LakeStore, folder: Path) -> LogFile:
    """All slots, in groups of which none is small."""
    state = store.state
    groups: list[Group] = []
    numbers: dict[Slot, int] = {}
    for kind in KINDS:
        for settings in _together(state.live(kind)):
            numbers |= dict.fromkeys(settings, len(groups))
            groups.append(_merged(store, folder, kind, settings))
    entries = [
        Entry(slot, each.value, numbers.get(slot), each.at, each.by)
        for slot, each in state.settings.items()
    ]
    there = {name.removesuffix(".json") for name in store.files.names(COMMITS)}
    folded = sorted(there & {*state.commits, *state.folded})
    return LogFile(state.time_of_next(), entries, groups, folded)


def _together(live: dict[Slot, Setting]) -> list[dict[Slot, Setting]]:
    """Slots by the group in which they are to be: of small groups as many as are enough."""
    by_group: dict[Group, dict[Slot, Setting]] = {}
    for slot, setting in live.items():
        if setting.group is not None:
            by_group.setdefault(setting.group, {})[slot] = setting
    bins: list[dict[Slot, Setting]] = []
    room = 0
    for group, settings in by_group.items():
        if not bins or group.size > room:
            bins.append({})
            room = _ENOUGH_BYTES
        bins[-1] |= settings
        room -= group.size
    return bins


def _merged(store: LakeStore, folder: Path, kind: str, settings: dict[Slot, Setting]) -> Group:
    """A group with the rows of these slots: the one that has them, where it has no others."""
    [first, *rest] = {each.group for each in settings.values() if each.group}
    if not rest and first.slots == len(settings):
        return first
    parts = {}
    for table in (*KINDS[kind].tables, *KINDS[kind].names):
        if source := store.source(table, settings):
            parts[table] = write_part(store, store.files, folder, table, source)
    return Group({table: part for table, part in parts.items() if part}, len(settings))


def _conflicts(store: LakeStore) -> tuple[str, ...]:
    """Ids of stacks and functions that have two contents: hashes that collide, or a writer that
    made them otherwise."""
    lines: list[str] = []
    for table, content in _KEYS.items():
        source = source_of(store.files, table, store.state.live("recording"))
        if table in NAMES and source:
            query = lake_query("conflicts").format(
                key=f"{table}_id", content=content, source=source
            )
            lines += [f"{table} {key:d}: {count} contents" for key, count in store.rows(query)]
    return tuple(lines)
