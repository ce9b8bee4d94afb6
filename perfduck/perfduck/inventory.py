"""What is stored, and looking after it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from perfduck.opening import StoreFile
from perfduck.store_results import EditResult, MergeResult, RemoveResult
from perfduck.tables import Table
from perfduck_ingest.labels import checked_name
from perfduck_ingest.work import Work
from perfduck_model.errors import PerfduckError
from perfduck_model.suggestion import did_you_mean, listed
from perfduck_report.profiles import as_text
from perfduck_store.edit import Edit
from perfduck_store.protocol import Store
from perfduck_store.records import Content
from perfduck_store.selector import select


def names(file: StoreFile) -> tuple[str, ...]:
    """The names of all profiles, sorted."""
    with file.read() as store:
        return tuple(each.name for each in store.profiles.all())


def profiles(file: StoreFile, selector: str) -> Table:
    """The profiles that the selector means; `*` means those that there are, if any."""
    with file.read() as store:
        is_empty = selector == "*" and not store.profiles.all()
        chosen = {} if is_empty else select(store, selector)
        return Table(store.profiles.listing(chosen), as_text)


def edit(
    file: StoreFile,
    selector: str,
    name: str | None,
    work: Work | None,
    labels: dict[str, str],
    unlabel: tuple[str, ...],
) -> EditResult:
    """Change what is said of profiles, in one transaction."""
    wanted = Edit(
        name=None if name is None else checked_name(name, "--name"),
        work=work.amount if work else None,
        work_unit=work.unit if work else None,
        labels=labels,
        unlabel=unlabel,
    )
    with file.write() as store:
        chosen = select(store, selector)
        _check(store, wanted, chosen)
        with store.transaction():
            changes = {
                wanted.name or old: store.profiles.edit(key, wanted) for key, old in chosen.items()
            }
    return EditResult(changes)


def _check(store: Store, edit: Edit, chosen: Mapping[int, str]) -> None:
    """Raise PerfduckError where a part of the edit would mean nothing."""
    if edit == Edit():
        message = "expected something to change: --name, --work, --label or --unlabel"
        raise PerfduckError(message)
    if edit.name is not None and len(chosen) > 1:
        raise PerfduckError.at(
            where=f"--name {edit.name}", expected="one profile", got=listed(list(chosen.values()))
        )
    keys = sorted({key for each in store.profiles.of(chosen) for key in each.labels})
    for key in edit.unlabel:
        if key in edit.labels:
            message = f"--unlabel {key}: expected a label that --label does not give"
            raise PerfduckError(message)
        if key not in keys:
            known = f"{did_you_mean(key, keys)}labels: {listed(keys) or 'none'}"
            raise PerfduckError.at(
                where=f"--unlabel {key}",
                expected="a label of these profiles",
                got=f"none ({known})",
            )


def remove(file: StoreFile, selector: str, *, dry_run: bool) -> RemoveResult:
    """Remove the profiles, and make the file smaller."""
    with _to_remove(file, dry_run=dry_run) as store:
        return _removed(store, store.profiles.contents(select(store, selector)), dry_run=dry_run)


def prune(
    file: StoreFile, selector: str, age: timedelta, in_words: str, *, dry_run: bool
) -> RemoveResult:
    """Remove those of the profiles that are older."""
    oldest = datetime.now(UTC).replace(tzinfo=None) - age
    with _to_remove(file, dry_run=dry_run) as store:
        chosen = store.profiles.contents(select(store, selector))
        ageless = tuple(each.name for each in chosen if each.age_from is None)
        old = [each for each in chosen if each.age_from is not None and each.age_from < oldest]
        if not old:
            return RemoveResult((), ageless=ageless, kept=len(chosen), older_than=in_words)
        return _removed(store, old, dry_run=dry_run, ageless=ageless)


def _to_remove(file: StoreFile, *, dry_run: bool) -> Store:
    return file.read() if dry_run else file.write()


def _removed(
    store: Store, profiles: Iterable[Content], *, dry_run: bool, **said: Any
) -> RemoveResult:
    listed = tuple(profiles)
    if dry_run:
        return RemoveResult(listed, is_dry_run=True, **said)
    store.profiles.remove([each.profile_id for each in listed])
    return RemoveResult(listed, saved=store.close_and_compact(), **said)


def merge(file: StoreFile, other: Path) -> MergeResult:
    """Take over what another store has."""
    with file.write(create=True) as store:
        return MergeResult(other, store.merge(other, file.wait_s))
