"""Takes over into a lake what another store, attached as `other`, has and the lake has not."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from perfduck_store.duckdb.merge import merge_attached
from perfduck_store.edit import Edit
from perfduck_store.lake.kinds import KINDS
from perfduck_store.lake.parts import lake_query
from perfduck_store.lake.said import slots_of_new
from perfduck_store.records import Merged

if TYPE_CHECKING:
    from perfduck_store.lake.store import LakeStore

_RECORDINGS_AT_ONCE = 20
_SHARED = ("elf_function", "noise", "tag_input")


def merge(store: "LakeStore") -> Merged:
    """Add recordings, some a commit, and what is of no recording with the first."""
    theirs = [row[0] for row in store.rows(lake_query("other_profiles"))]
    here = {slot[1] for slot in store.state.live("recording")}
    store.load("symbol")  # of all recordings: what is known keeps its tags
    with store.about([key for key in theirs if key in here]):
        store.load("attachment")
    new = [key for key in theirs if key not in here]
    done = [_added(store, new[:_RECORDINGS_AT_ONCE])]
    for first in range(_RECORDINGS_AT_ONCE, len(new), _RECORDINGS_AT_ONCE):
        more = _added(store, new[first : first + _RECORDINGS_AT_ONCE])
        done.append(replace(more, here=0))  # the same as before, and what was added since
    return Merged.in_all(done)


def _added(store: "LakeStore", profiles: list[int]) -> Merged:
    """One commit. Rows of recordings that are here are not needed."""
    with store.transaction():
        before = {kind: _keys(store, kind) for kind in _SHARED}
        with store.about([]):
            done = merge_attached(store, profiles)
        changes = store.changes
        changes.set_rows(*((kind, key) for kind in ("recording", "limitation") for key in profiles))
        for key in profiles:
            said = store.profiles.said(key)
            facts = Edit(labels=said.labels, kernel_release=said.kernel_release)
            changes.set_values(slots_of_new(key, facts))
            if said.work is not None:  # a copy without it may be merged on another machine
                changes.set_values({("work", key): [said.work, said.work_unit]})
        attached = store.rows(lake_query("merged_attachments"))
        changes.set_rows(*(("attachment", *row) for row in attached))
        for kind, known in before.items():
            changes.set_rows(*((kind, *key) for key in _keys(store, kind) if key not in known))
        return done


def _keys(store: "LakeStore", kind: str) -> list[tuple[str, ...]]:
    """The keys that a table has rows of."""
    return store.rows(f"select distinct {', '.join(KINDS[kind].keys)} from {kind} order by all")
