"""Takes profiles out of the store, with the stacks and symbols that no other profile has."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from perfduck_store.query import named
from perfduck_store.records import Content as Content

if TYPE_CHECKING:
    from perfduck_store.store import Store


def contents(store: "Store", profiles: Iterable[int]) -> list[Content]:
    """The profiles with these ids, by name."""
    return [Content(*row) for row in store.rows(named("contents"), {"profiles": list(profiles)})]


def remove(store: "Store", profiles: Iterable[int]) -> None:
    """Remove the profiles with these ids and all that was stored for them alone. What was learned
    from them (noise) and functions of binaries stay."""
    with store.transaction():
        store.execute(named("removed"), {"profiles": list(profiles)})
        for (table,) in store.rows(named("profile_tables")):
            store.execute(
                f"delete from {table} where profile_id in (select profile_id from removed)"
            )
        store.execute(named("remove_orphans"))
