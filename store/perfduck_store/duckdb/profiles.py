"""What a DuckDB store knows of its profiles."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from perfduck_model.errors import NoProfileError, PerfduckError
from perfduck_store.duckdb.schema import named
from perfduck_store.edit import Edit, ProfileFacts, differences
from perfduck_store.records import (
    Content,
    PartlyListed,
    Profile,
    ProfileDetails,
    RecordedEvent,
    ResultRows,
    SharedLimitation,
    SkippedLine,
)

if TYPE_CHECKING:
    from perfduck_store.duckdb.store import DuckDbStore

_EDITABLE = ("name", "work", "work_unit", "kernel_release")


class DuckDbProfiles:
    """See protocol.Profiles."""

    def __init__(self, store: "DuckDbStore") -> None:
        self._store = store

    def all(self) -> list[Profile]:
        """All profiles, by name."""
        return [Profile(*row) for row in self._store.rows(named("stored"), {"profiles": None})]

    def of(self, profiles: Iterable[int]) -> list[Profile]:
        """The profiles with these ids, by name."""
        keys = {"profiles": list(profiles)}
        return [Profile(*row) for row in self._store.rows(named("stored"), keys)]

    def listing(self, profiles: Iterable[int]) -> ResultRows:
        """The columns of profiles.sql, by name."""
        return self._store.table(named("profiles"), {"profiles": list(profiles)})

    def events(self, profiles: Iterable[int]) -> list[RecordedEvent]:
        """Their events, those of most samples first."""
        rows = self._store.rows(named("events"), {"profiles": list(profiles)})
        return [RecordedEvent(*row) for row in rows]

    def first_ns(self, profiles: Iterable[int]) -> dict[int, int | None]:
        """The time of the first sample of each, on the clock of its recording; None without one."""
        return dict(self._store.rows(named("diff_begun"), {"profiles": list(profiles)}))

    def partly_listed(self, profiles: Iterable[int]) -> list[PartlyListed]:
        """Those that list a part of their samples, by name."""
        rows = self._store.rows(named("partial"), {"profiles": list(profiles)})
        return [PartlyListed(*row) for row in rows]

    def limitations(self, profiles: Iterable[int]) -> list[SharedLimitation]:
        """What they hold that could not be read, that of most samples first."""
        rows = self._store.rows(named("limitations"), {"profiles": list(profiles)})
        return [SharedLimitation(*row) for row in rows]

    def contents(self, profiles: Iterable[int]) -> list[Content]:
        """What they hold and how old they are, by name."""
        rows = self._store.rows(named("contents"), {"profiles": list(profiles)})
        return [Content(*row) for row in rows]

    def details(self, profile_id: int) -> ProfileDetails:
        """All that is said of a stored profile. NoProfileError for another id."""
        rows = self._store.rows(named("details"), {"profile_id": profile_id})
        if not rows:
            raise NoProfileError.at(
                where=f"profile {profile_id}", expected="one that is stored", got="none"
            )
        return ProfileDetails(*rows[0])

    def skipped(self, profile_id: int, limit: int) -> list[SkippedLine]:
        """Its input that was not understood, in the order of the recording."""
        keys = {"profile_id": profile_id, "limit": limit}
        return [SkippedLine(*row) for row in self._store.rows(named("skipped"), keys)]

    def edit(self, profile_id: int, wanted: Edit) -> tuple[str, ...]:
        """Change what is said of a profile, in one statement; what that changed, in words.
        PerfduckError where another profile has the new name."""
        before = self.said(profile_id)
        after = before.edited(wanted)
        if after.name != before.name and self.has_name(after.name):
            expected = f"{before.name}: expected a new name"
            message = f"{expected}, but another recording is stored as '{after.name}'"
            raise PerfduckError(message)
        changes = tuple(differences(before, after))
        if changes:
            labels = {"label_names": list(after.labels), "label_values": [*after.labels.values()]}
            facts = {name: getattr(after, name) for name in _EDITABLE}
            keys = {"profile_id": profile_id, **facts, **labels}
            self._store.execute(named("edit_profile"), keys)
        if (before.work, before.work_unit) != (after.work, after.work_unit):
            self._store.execute(named("forget_work"), {"profile_id": profile_id})
        return changes

    def said(self, profile_id: int) -> ProfileFacts:
        """What users may change of a profile that is stored."""
        rows = self._store.rows(named("said"), {"profile_id": profile_id})
        if not rows:
            raise PerfduckError.at(
                where=f"profile {profile_id}", expected="one that is stored", got="none"
            )
        return ProfileFacts(*rows[0])

    def has_name(self, name: str) -> bool:
        """Whether a profile is called so."""
        return bool(self._store.rows(named("id_of_name"), {"name": name}))

    def remove(self, profiles: Iterable[int]) -> None:
        """Remove profiles and all that was stored for them alone, in a transaction. What was
        learned from them (noise) and functions of binaries stay."""
        with self._store.transaction():
            self._store.execute(named("removed"), {"profiles": list(profiles)})
            for (table,) in self._store.rows(named("profile_tables")):
                self._store.execute(
                    f"delete from {table} where profile_id in (select profile_id from removed)"
                )
            self._store.execute(named("remove_orphans"))
