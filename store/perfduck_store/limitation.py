"""Limitations of stored profiles: see perfduck_model.limitation."""

from collections.abc import Iterable, Mapping

from perfduck_model.limitation import Limitation, said
from perfduck_store.store import Store, named


def limitations(store: Store, profiles: Iterable[int]) -> tuple[str, ...]:
    """Limitations of the profiles with these ids in words, those of most samples first."""
    rows = store.rows(named("limitations"), {"profiles": list(profiles)})
    return tuple(
        f"{said(text, samples, total)} ({name if count == 1 else f'{count} profiles'})"
        for text, samples, total, count, name in rows
    )


def keep(store: Store, profile_id: int, found: Mapping[str, Limitation]) -> None:
    """Store what limits a profile, in a transaction of the caller."""
    for code, each in sorted(found.items()):
        row = {"code": code, "samples": each.samples, "text": each.text}
        store.execute(named("insert_limitation"), {"profile_id": profile_id, **row})
