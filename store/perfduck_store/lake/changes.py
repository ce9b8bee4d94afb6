"""What is changed in a lake: in the tables in memory, as in a DuckDB file, and noted as slots of
the next commit."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from perfduck_store.duckdb.kept import DuckDbAttachments, DuckDbNoise, DuckDbTagInputs
from perfduck_store.duckdb.profiles import DuckDbProfiles
from perfduck_store.duckdb.symbols import DuckDbSymbols
from perfduck_store.edit import Edit
from perfduck_store.lake.log import LakeState, Slot
from perfduck_store.lake.parts import lake_query
from perfduck_store.lake.said import slots_of
from perfduck_store.records import (
    AttachedFile,
    AttachedTable,
    Content,
    MetRule,
    NetCount,
    PartlyListed,
    PodName,
    ProfileDetails,
    RecordedEvent,
    ResultRows,
    SharedLimitation,
    SkippedLine,
    TagInputKind,
)

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.lake.store import LakeStore


class Changes:
    """Slots that a commit will set: to `values`, None to remove; or to `rows` of the tables."""

    def __init__(self, state: LakeState) -> None:
        self._state = state
        self.values: dict[Slot, Any] = {}
        self.rows: dict[Slot, None] = {}  # a set that has an order

    def set_values(self, slots: Mapping[Slot, Any]) -> None:
        """Set slots to values."""
        self.values.update(slots)

    def set_rows(self, *slots: Slot) -> None:
        """Set slots to the rows that the tables have at the end of the transaction."""
        self.rows.update(dict.fromkeys(slots))

    def remove(self, slots: Iterable[Slot]) -> None:
        """Set slots to nothing."""
        self.values.update(dict.fromkeys(slots))

    def remove_profiles(self, profiles: set[int]) -> None:
        """Remove all slots of profiles."""
        self.remove(
            slot
            for slot, setting in self._state.settings.items()
            if len(slot) > 1 and slot[1] in profiles and not setting.is_nothing
        )


class LakeProfiles(DuckDbProfiles):
    """See protocol.Profiles."""

    def __init__(self, store: "LakeStore") -> None:
        super().__init__(store)
        self._lake = store

    def listing(self, profiles: Iterable[int]) -> ResultRows:
        """The columns of profiles.sql, by name."""
        with self._lake.about(profiles := list(profiles)):
            return super().listing(profiles)

    def events(self, profiles: Iterable[int]) -> list[RecordedEvent]:
        """Their events, those of most samples first."""
        with self._lake.about(profiles := list(profiles)):
            return super().events(profiles)

    def first_ns(self, profiles: Iterable[int]) -> dict[int, int | None]:
        """The time of the first sample of each, on the clock of its recording; None without one."""
        with self._lake.about(profiles := list(profiles)):
            return super().first_ns(profiles)

    def partly_listed(self, profiles: Iterable[int]) -> list[PartlyListed]:
        """Those that list a part of their samples, by name."""
        with self._lake.about(profiles := list(profiles)):
            return super().partly_listed(profiles)

    def limitations(self, profiles: Iterable[int]) -> list[SharedLimitation]:
        """What they hold that could not be read, that of most samples first."""
        with self._lake.about(profiles := list(profiles)):
            return super().limitations(profiles)

    def contents(self, profiles: Iterable[int]) -> list[Content]:
        """What they hold and how old they are, by name."""
        with self._lake.about(profiles := list(profiles)):
            return super().contents(profiles)

    def details(self, profile_id: int) -> ProfileDetails:
        """All that is said of a stored profile."""
        with self._lake.about([profile_id]):
            return super().details(profile_id)

    def skipped(self, profile_id: int, limit: int) -> list[SkippedLine]:
        """Its input that was not understood, in the order of the recording."""
        with self._lake.about([profile_id]):
            return super().skipped(profile_id, limit)

    def edit(self, profile_id: int, wanted: Edit) -> tuple[str, ...]:
        """Change what is said of a profile; what that changed, in words."""
        before = self.said(profile_id)
        with self._lake.about([profile_id]):
            changes = super().edit(profile_id, wanted)
        slots = slots_of(profile_id, before, self.said(profile_id))
        self._lake.changes.set_values(slots)
        if ("work", profile_id) in slots:  # and what was said of how it was measured
            self._lake.changes.set_rows(("limitation", profile_id))
        return changes

    def remove(self, profiles: Iterable[int]) -> None:
        """Remove profiles: a compaction deletes their rows."""
        with self._lake.transaction():
            self._lake.changes.remove_profiles(set(profiles))


class LakeSymbols(DuckDbSymbols):
    """See protocol.Symbols."""

    def __init__(self, store: "LakeStore") -> None:
        super().__init__(store)
        self._lake = store

    def replace_tags(self, tagged: "pl.DataFrame", blamed: "pl.DataFrame") -> None:
        """Tags of rows of table symbol, and rows of stack_blame, in place of those with the same
        ids."""
        super().replace_tags(tagged, blamed)
        self._lake.changes.set_rows(("tags",))

    def keep_functions(self, functions: "pl.DataFrame") -> None:
        """Store the functions of whole dsos, in place of what was known of them."""
        super().keep_functions(functions)
        dsos = functions["dso"].unique(maintain_order=True)
        self._lake.changes.set_rows(*(("elf_function", dso) for dso in dsos))

    def known_binaries(self, dsos: Iterable[str]) -> set[str]:
        """Those of the dsos whose functions are stored."""
        known = self._lake.state.live("elf_function")
        return {dso for dso in dsos if ("elf_function", dso) in known}

    def leaf_offsets(self, profile_id: int, symbols: Iterable[int]) -> "pl.DataFrame":
        """Rows of table leaf_offset of a profile, of the symbols with these ids."""
        with self._lake.about([profile_id]):
            return super().leaf_offsets(profile_id, symbols)


class LakeAttachments(DuckDbAttachments):
    """See protocol.Attachments."""

    def __init__(self, store: "LakeStore") -> None:
        super().__init__(store)
        self._lake = store

    def keep(
        self,
        profile_id: int,
        kind: str,
        source: str,
        text: str,
        rows: "Mapping[AttachedTable, pl.DataFrame]",
    ) -> str | None:
        """Keep a file of a kind in place of the one before."""
        with self._lake.about([profile_id]):
            change = super().keep(profile_id, kind, source, text, rows)
        if change is not None:
            self._lake.changes.set_rows(("attachment", profile_id, kind))
        return change

    def of(self, profile_id: int) -> list[AttachedFile]:
        """The files kept with a profile, by kind."""
        with self._lake.about([profile_id]):
            return super().of(profile_id)

    def met_rules(self, profiles: Iterable[int], limit: int) -> list[MetRule]:
        """Rules that need conntrack or NAT, those of most packets first."""
        with self._lake.about(profiles := list(profiles)):
            return super().met_rules(profiles, limit)

    def other_rules(self, profiles: Iterable[int]) -> int:
        """How many different rules need neither."""
        with self._lake.about(profiles := list(profiles)):
            return super().other_rules(profiles)

    def conntrack_entries(self, profiles: Iterable[int]) -> int | None:
        """The most entries that an attached conntrack file counted; None without one."""
        with self._lake.about(profiles := list(profiles)):
            return super().conntrack_entries(profiles)

    def pods(self, profiles: Iterable[int]) -> list[PodName]:
        """What attached lists of pods name, those of the newest recording last."""
        with self._lake.about(profiles := list(profiles)):
            return super().pods(profiles)

    def net_counts(self, profiles: Iterable[int]) -> list[NetCount]:
        """What attached counters of the network stack counted, those that counted most first."""
        with self._lake.about(profiles := list(profiles)):
            return super().net_counts(profiles)


class LakeTagInputs(DuckDbTagInputs):
    """See protocol.TagInputs."""

    def __init__(self, store: "LakeStore") -> None:
        super().__init__(store)
        self._lake = store

    def keep(
        self, kind: TagInputKind, source: str, content: bytes, release: str = ""
    ) -> str | None:
        """Keep a file in place of the one before; what that changed, in words."""
        change = super().keep(kind, source, content, release)
        if change is not None:
            self._lake.changes.set_rows(("tag_input", kind, release))
        return change

    def forget(self, kind: TagInputKind) -> bool:
        """Keep it no more; whether there was one."""
        kept = self._lake.state.live("tag_input")
        self._lake.changes.remove(slot for slot in kept if slot[1] == kind)
        return super().forget(kind)


class LakeNoise(DuckDbNoise):
    """See protocol.LearnedNoise."""

    def __init__(self, store: "LakeStore") -> None:
        super().__init__(store)
        self._lake = store

    def replace(self, learned: "pl.DataFrame") -> None:
        """Store rows of table noise in place of all of the same hosts, workloads and units."""
        keys = learned.select("host_class", "workload", "unit").unique(maintain_order=True)
        self._lake.changes.set_rows(*(("noise", *row) for row in keys.iter_rows()))
        super().replace(learned)

    def forget(self, profiles: Iterable[int] | None) -> None:
        """Forget what was learned for the workloads of these profiles; None: all."""
        with self._lake.transaction():
            super().forget(profiles)
            rest = {("noise", *row) for row in self._lake.rows(lake_query("noise_keys"))}
            known = self._lake.state.live("noise")
            self._lake.changes.remove(slot for slot in known if slot not in rest)
