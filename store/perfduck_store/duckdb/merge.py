"""Takes over what another store has and this one has not.

Ids are made from content, so the same recording, stack or symbol has the same id in both: what is
here stays, and merging again changes nothing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb import store_file
from perfduck_store.duckdb.schema import named
from perfduck_store.edit import Edit, ProfileFacts
from perfduck_store.records import KIND_OF_TABLE, Merged

if TYPE_CHECKING:
    from perfduck_store.duckdb.store import DuckDbStore

# Tables of a profile that are taken over by kinds of attachments, and the profiles themselves.
_APART = ("attachment", *KIND_OF_TABLE, "profile")


def merge(store: "DuckDbStore", other: Path, opened: "Callable[[], DuckDbStore]") -> Merged:
    """Add what the other store has, in one transaction; `opened` opens it to read. PerfduckError
    where it is this store, no store, or of a newer schema version; one of an older version is
    upgraded, as by any reader."""
    if store_file.identity(other) == store_file.identity(store.path):
        raise PerfduckError.at(
            other, expected="another store to merge", got="the one to merge into"
        )
    with opened() as theirs:
        [(stacks,)] = theirs.rows(named("count_stacks"))
    store.make_room(stacks)
    with store.other(other), store.transaction():
        return merge_attached(store)


def merge_attached(store: "DuckDbStore", profiles: Sequence[int] | None = None) -> Merged:
    """Add what database `other` has, in a transaction of the caller; of recordings that are not
    here only `profiles`, where they are given."""
    store.execute(named("merge_added"), {"profiles": profiles})
    both = [
        (row[0], ProfileFacts(*row[1:6]), ProfileFacts(*row[6:]))
        for row in store.rows(named("merge_both"))
    ]
    added = store.rows(named("merge_renamed"))
    kept = [
        f"{number:,} {what}: those of this store are kept"
        for what, number in store.rows(named("merge_differences"))
        if number
    ]
    store.execute(named("merge_shared"))
    store.execute(named("merge_profiles"))
    for (table,) in store.rows(named("profile_tables")):
        if table not in _APART:
            store.execute(
                f"insert into {table} by name"
                f" select theirs.* from other.{table} as theirs semi join added using (profile_id)"
            )
    kept += [
        f"{name}: attachment {kind} differs, the one of this store is kept"
        for name, kind in store.rows(named("merge_kept_attachments"))
    ]
    store.execute(named("merge_attachments"))
    for table, kind in KIND_OF_TABLE.items():
        store.execute(
            f"insert into {table} by name select theirs.* from other.{table} as theirs"
            " join attached on attached.profile_id = theirs.profile_id and attached.kind = $kind",
            {"kind": kind},
        )
    changes = [line for key, ours, theirs in both for line in _completed(store, key, ours, theirs)]
    changes += [
        f"{name}: another recording is stored as '{old}', so this one is called {name}"
        for old, name in added
        if old != name
    ]
    kept += [line for _, ours, theirs in both for line in _conflicts(ours, theirs)]
    return Merged(len(added), len(both), tuple(changes), tuple(kept))


def _completed(
    store: "DuckDbStore", key: int, ours: ProfileFacts, theirs: ProfileFacts
) -> list[str]:
    """Take over what is said there alone."""
    labels = {name: value for name, value in theirs.labels.items() if name not in ours.labels}
    takes_work = ours.work is None
    edit = Edit(
        work=theirs.work if takes_work else None,
        work_unit=theirs.work_unit if takes_work else None,
        kernel_release=theirs.kernel_release if ours.kernel_release is None else None,
        labels=labels,
    )
    return [f"{ours.name}: {change}" for change in store.profiles.edit(key, edit)]


def _conflicts(ours: ProfileFacts, theirs: ProfileFacts) -> list[str]:
    """What is said otherwise there."""
    lines = []
    if theirs.name != ours.name:
        lines.append(f"{ours.name}: is called {theirs.name} there, this name is kept")
    same_work = (theirs.work, theirs.work_unit) == (ours.work, ours.work_unit)
    if None not in (theirs.work, ours.work) and not same_work:
        words = f"{theirs.work_in_words} there, {ours.work_in_words} is kept"
        lines.append(f"{ours.name}: work is {words}")
    kernels = (ours.kernel_release, theirs.kernel_release)
    if None not in kernels and kernels[0] != kernels[1]:
        lines.append(f"{ours.name}: kernel is {kernels[1]} there, {kernels[0]} is kept")
    lines += [
        f"{ours.name}: label {key}={theirs.labels[key]} there, {key}={value} is kept"
        for key, value in sorted(ours.labels.items())
        if theirs.labels.get(key, value) != value
    ]
    return lines
