"""Limitations of stored profiles: see perfduck_model.limitation."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from perfduck_model.limitation import Limitation, said
from perfduck_store.protocol import Store
from perfduck_store.query import named
from perfduck_store.records import SharedLimitation

if TYPE_CHECKING:
    from perfduck_store.store import DuckDbStore


def limitations(
    store: Store, profiles: Iterable[int], *, of_whole: bool = False
) -> tuple[str, ...]:
    """Limitations of the profiles with these ids in words, those of most samples first. `of_whole`:
    say that they are of whole recordings, as where an answer is not. Missing names are left to the
    answer, which knows what it is about."""
    return tuple(
        f"{said(each.text, each.samples, each.total)} ({_profiles(each, of_whole=of_whole)})"
        for each in store.profiles.limitations(profiles)
    )


def _profiles(found: SharedLimitation, *, of_whole: bool) -> str:
    is_one = found.profiles == 1
    profiles = found.first_profile if is_one else f"{found.profiles} profiles"
    return f"{profiles}, whole recording{'' if is_one else 's'}" if of_whole else profiles


def keep(store: "DuckDbStore", profile_id: int, found: Mapping[str, Limitation]) -> None:
    """Store what limits a profile, in a transaction of the caller."""
    for code, each in sorted(found.items()):
        row = {"code": code, "samples": each.samples, "text": each.text}
        store.execute(named("insert_limitation"), {"profile_id": profile_id, **row})
