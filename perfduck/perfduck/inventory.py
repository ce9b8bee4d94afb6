"""What is stored, and looking after it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from perfduck.opening import StoreFile, StorePlace, StoreServer, place_of
from perfduck.store_results import MergeResult, RemoveResult
from perfduck.tables import Table
from perfduck_report.profiles import as_text
from perfduck_store.protocol import Store
from perfduck_store.records import Content
from perfduck_store.selector import select


def names(file: StorePlace) -> tuple[str, ...]:
    """The names of all profiles, sorted."""
    with file.read() as store:
        return tuple(each.name for each in store.profiles.all())


def profiles(file: StorePlace, selector: str) -> Table:
    """The profiles that the selector means; `*` means those that there are, if any."""
    with file.read() as store:
        is_empty = selector == "*" and not store.profiles.all()
        chosen = {} if is_empty else select(store, selector)
        return Table(store.profiles.listing(chosen), as_text)


def remove(file: StorePlace, selector: str, *, dry_run: bool) -> RemoveResult:
    """Remove the profiles, and make the file smaller."""
    with _to_remove(file, dry_run=dry_run) as store:
        return _removed(store, store.profiles.contents(select(store, selector)), dry_run=dry_run)


def prune(
    file: StorePlace, selector: str, age: timedelta, in_words: str, *, dry_run: bool
) -> RemoveResult:
    """Remove those of the profiles that are older."""
    oldest = datetime.now(UTC).replace(tzinfo=None) - age
    with _to_remove(file, dry_run=dry_run) as store:
        contents = store.profiles.contents(select(store, selector))
        ageless = tuple(each.name for each in contents if each.age_from is None)
        old = [each for each in contents if each.age_from is not None and each.age_from < oldest]
        if not old:
            return RemoveResult((), ageless=ageless, kept=len(contents), older_than=in_words)
        return _removed(store, old, dry_run=dry_run, ageless=ageless)


def _to_remove(file: StorePlace, *, dry_run: bool) -> Store:
    return file.read() if dry_run else file.write()


def _removed(
    store: Store, profiles: Iterable[Content], *, dry_run: bool, **said: Any
) -> RemoveResult:
    listed = tuple(profiles)
    if dry_run:
        return RemoveResult(listed, is_dry_run=True, **said)
    store.profiles.remove([each.profile_id for each in listed])
    return RemoveResult(listed, saved=store.close_and_compact(), **said)


def merge(file: StorePlace, other: str) -> MergeResult:
    """Take over what another store has: a file, or that of a server."""
    with file.write(create=True) as store, _as_file(place_of(other), store.folder) as path:
        return MergeResult(other, store.merge(path, file.wait_s))


@contextmanager
def _as_file(place: StoreFile | StoreServer, folder: Path) -> Iterator[Path]:
    """The file of a store; of a server's a copy of it, in the folder."""
    if isinstance(place, StoreFile):
        yield place.path
        return
    with TemporaryDirectory(prefix=".perfduck-merge-", dir=folder) as copies:
        path = Path(copies) / "copy.duckdb"
        place.copy_to(path)
        yield path
