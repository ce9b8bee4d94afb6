"""Limitations of stored profiles: see perfduck_model.limitation."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from perfduck_model.limitation import Limitation, said
from perfduck_store.protocol import Store
from perfduck_store.query import named
from perfduck_store.records import SharedLimitation

if TYPE_CHECKING:
    from perfduck_store.store import DuckDbStore


def limitations(store: Store, profiles: Iterable[int]) -> tuple[str, ...]:
    """Limitations of the profiles with these ids in words, those of most samples first."""
    return tuple(
        f"{said(each.text, each.samples, each.total)} ({_profiles(each)})"
        for each in store.profiles.limitations(profiles)
    )


def _profiles(found: SharedLimitation) -> str:
    return found.first_profile if found.profiles == 1 else f"{found.profiles} profiles"


def keep(store: "DuckDbStore", profile_id: int, found: Mapping[str, Limitation]) -> None:
    """Store what limits a profile, in a transaction of the caller."""
    for code, each in sorted(found.items()):
        row = {"code": code, "samples": each.samples, "text": each.text}
        store.execute(named("insert_limitation"), {"profile_id": profile_id, **row})
