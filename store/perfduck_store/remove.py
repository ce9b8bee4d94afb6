"""Takes profiles out of the store, with the stacks and symbols that no other profile has."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from perfduck_store.store import Store, named


@dataclass(frozen=True, slots=True)
class Content:
    """A stored profile; `age_from`: when it was recorded, else when it was stored; UTC."""

    profile_id: int
    name: str
    samples: int
    age_from: datetime | None


def contents(store: Store, profiles: Iterable[int]) -> list[Content]:
    """The profiles with these ids, by name."""
    return [Content(*row) for row in store.rows(named("contents"), {"profiles": list(profiles)})]


def remove(store: Store, profiles: Iterable[int]) -> None:
    """Remove the profiles with these ids and all that was stored for them alone. What was learned
    from them (noise) and functions of binaries stay."""
    with store.transaction():
        store.execute(named("removed"), {"profiles": list(profiles)})
        for (table,) in store.rows(named("profile_tables")):
            store.execute(
                f"delete from {table} where profile_id in (select profile_id from removed)"
            )
        store.execute(named("remove_orphans"))
