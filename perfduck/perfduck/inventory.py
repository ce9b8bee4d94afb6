"""What is stored, and looking after it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from perfduck import parts
from perfduck.opening import StoreFile, StoreLake, StorePlace, StoreServer, place_of
from perfduck.store_results import CompactResult, MergeResult, RemoveResult
from perfduck.tables import Table
from perfduck_model.errors import PerfduckError
from perfduck_report.profiles import as_text
from perfduck_store.protocol import Store
from perfduck_store.records import Content, Merged
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
    """Take over what another store has: a file, a lake, or that of a server."""
    source = place_of(other)
    if str(source) == str(file):
        expected = "another store to merge"
        raise PerfduckError.at(other, expected=expected, got="the one to merge into")
    return _merged(file, source, "*", other)


def pull(file: StorePlace, selector: str, lake: str) -> MergeResult:
    """Take over some recordings of a lake."""
    return _merged(file, _as_lake(place_of(lake), lake, "to pull from"), selector, lake)


def _merged(
    file: StorePlace, source: StoreFile | StoreServer | StoreLake, selector: str, other: str
) -> MergeResult:
    with file.write(create=True) as store:
        with _as_files(source, store.folder, selector) as paths:
            done = [store.merge(path, file.wait_s) for path in paths]
        return MergeResult(other, Merged.in_all(done))


def compact(file: StorePlace, keep: timedelta) -> CompactResult:
    """Make few large parts of the many small ones of a lake."""
    with _as_lake(file, file, "to compact").to_compact() as lake:
        return CompactResult(parts.compaction.compact(lake, keep.total_seconds()))


def _as_lake(place: StorePlace, where: object, purpose: str) -> StoreLake:
    """The place, which was typed as `where`. PerfduckError where it is no lake."""
    if isinstance(place, StoreLake):
        return place
    expected = f"lake:DIRECTORY or lake:s3://BUCKET/PREFIX {purpose}"
    raise PerfduckError.at(where, expected=expected, got="a store of another kind")


@contextmanager
def _as_files(
    place: StoreFile | StoreServer | StoreLake, folder: Path, selector: str
) -> Iterator[Iterator[Path]]:
    """The file of a store; of a server's a copy of it, and of a lake copies of some recordings
    each, in the folder."""
    if isinstance(place, StoreFile):
        yield iter([place.path])
        return
    with TemporaryDirectory(prefix=".perfduck-merge-", dir=folder) as copies:
        path = Path(copies) / "copy.duckdb"
        if isinstance(place, StoreLake):
            with place.read() as lake:
                yield lake.copies(path, list(_selected(lake, selector)))
        else:
            place.copy_to(path)
            yield iter([path])


def _selected(lake: Store, selector: str) -> Iterable[int]:
    """Of an empty lake there is nothing to take over."""
    return select(lake, selector) if selector != "*" or lake.profiles.all() else ()
