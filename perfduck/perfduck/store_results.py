"""What changes of a store answer: what was done, in words, and what is to be noted besides."""

from collections.abc import Mapping

from msgspec import Struct

from perfduck_report.names import visible
from perfduck_report.numbers import many, plural
from perfduck_store.records import Compacted, Content, Merged, Saved


class EditResult(Struct, frozen=True):
    """What changed of each profile, in words. Of none: `otherwise`."""

    changes: Mapping[str, tuple[str, ...]]
    otherwise: str = "nothing changed"

    def to_text(self) -> str:
        """A line for each profile."""
        return "".join(
            f"{visible(name)}: {visible(', '.join(changed) or self.otherwise)}\n"
            for name, changed in self.changes.items()
        )

    def __str__(self) -> str:
        return self.to_text()


class RemoveResult(Struct, frozen=True):
    """The profiles that were removed, or would be. `saved`: bytes of the store before and after.

    `ageless`: names of those that were kept, since when they were recorded or stored is not known;
    `kept`: how many were looked at, where none is older than `older_than`.
    """

    profiles: tuple[Content, ...]
    is_dry_run: bool = False
    saved: Saved | None = None
    ageless: tuple[str, ...] = ()
    kept: int = 0
    older_than: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was kept for another reason than its age."""
        why = "kept, since when it was recorded or stored is not known"
        return tuple(f"{name}: {why}" for name in self.ageless)

    def to_text(self) -> str:
        """A line for each profile."""
        if not self.profiles and self.older_than:
            rest = f"{self.kept} {plural(self.kept, 'profile')} kept"
            return f"nothing is older than {self.older_than}: {rest}\n"
        done = "would be removed" if self.is_dry_run else "removed"
        lines = [
            f"{visible(each.name)}: {done} ({each.samples} {plural(each.samples, 'sample')})\n"
            for each in self.profiles
        ]
        if self.saved:
            sizes = f"{_megabytes(self.saved.before)} -> {_megabytes(self.saved.after)}"
            lines.append(f"store: {sizes}\n")
        return "".join(lines)

    def __str__(self) -> str:
        return self.to_text()


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


class MergeResult(Struct, frozen=True):
    """What another store had that this one has not. `data`: how many recordings were added and were
    here already, and what changed here."""

    other: str
    data: Merged

    @property
    def notes(self) -> tuple[str, ...]:
        """What is said otherwise there, and was kept as it is here."""
        return self.data.kept

    def to_text(self) -> str:
        """A line for each change, then how many recordings were added."""
        done = self.data
        lines = [f"{visible(words)}\n" for words in done.changes]
        added = f"{done.added} {plural(done.added, 'recording')} added"
        there = f"{visible(self.other)}: {added}, {done.here} already in the store\n"
        return "".join([*lines, there])

    def __str__(self) -> str:
        return self.to_text()


class CompactResult(Struct, frozen=True):
    """What a compaction made of a lake."""

    data: Compacted

    @property
    def notes(self) -> tuple[str, ...]:
        """Ids that have two contents: the lake answers with one of them."""
        return tuple(f"id of two contents: {line}" for line in self.data.conflicts)

    def to_text(self) -> str:
        """A line."""
        done = self.data
        groups = f"{done.groups_before:,} -> {many(done.groups, 'group')} of parts"
        deleted = f"{many(done.deleted, 'file')} deleted ({_megabytes(done.deleted_bytes)})"
        added = f"{many(done.taken, 'recording')} of an older schema version taken over\n"
        return f"{added * bool(done.taken)}generation {done.generation}: {groups}, {deleted}\n"

    def __str__(self) -> str:
        return self.to_text()
