"""What every store can be asked. A backend is a class that answers it; callers see no SQL.

    store.profiles         what is said of recordings, and looking after them
    store.samples(choice)  the samples that an answer is about (picked_samples.py)
    store.symbols          functions and their tags
    store.tag_inputs       rules and kallsyms that are kept
    store.attachments      files that explain a recording
    store.noise            the spread between runs that was learned

Rows have names: see records.py. Frames are polars, with the columns that a docstring lists. What
cannot be read or written is a PerfduckError.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from perfduck_store.choice import Choice
from perfduck_store.edit import Edit
from perfduck_store.picked_samples import PickedSamples
from perfduck_store.recording import Identity, NewNames, Receipt
from perfduck_store.records import (
    AttachedFile,
    AttachedTable,
    ClassNoise,
    Content,
    Merged,
    MetRule,
    NetCount,
    PartlyListed,
    PodName,
    Profile,
    ProfileDetails,
    RecordedEvent,
    ResultRows,
    Saved,
    SharedLimitation,
    SkippedLine,
    TagInput,
    TagInputKind,
)

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.choice import SqlLimits
    from perfduck_store.draft import Draft


class Profiles(Protocol):
    """What is said of recordings. Where ids are asked for, rows of ids that are not stored lack."""

    def all(self) -> list[Profile]:
        """All profiles, by name."""

    def of(self, profiles: Iterable[int]) -> list[Profile]:
        """The profiles with these ids, by name."""

    def listing(self, profiles: Iterable[int]) -> ResultRows:
        """A row for each profile, by name: what `perfduck profiles` lists."""

    def events(self, profiles: Iterable[int]) -> list[RecordedEvent]:
        """Their events, those of most samples first."""

    def first_ns(self, profiles: Iterable[int]) -> dict[int, int | None]:
        """The time of the first sample of each, in ns of its recording's clock; None without
        one."""

    def partly_listed(self, profiles: Iterable[int]) -> list[PartlyListed]:
        """Those that list a part of their samples, by name."""

    def limitations(self, profiles: Iterable[int]) -> list[SharedLimitation]:
        """What they hold that could not be read, that of most samples first; without missing
        names, which samples know (PickedSamples.unnamed)."""

    def contents(self, profiles: Iterable[int]) -> list[Content]:
        """What they hold and how old they are, by name."""

    def details(self, profile_id: int) -> ProfileDetails:
        """All that is said of a stored profile."""

    def skipped(self, profile_id: int, limit: int) -> list[SkippedLine]:
        """Its input that was not understood, in the order of the recording."""

    def edit(self, profile_id: int, wanted: Edit) -> tuple[str, ...]:
        """Change what is said of a profile, all of it or nothing; what that changed, in words.
        PerfduckError where another profile has the new name."""

    def remove(self, profiles: Iterable[int]) -> None:
        """Remove profiles and all that was stored for them alone, in a transaction. What was
        learned from them (noise) and functions of binaries stay."""


class Symbols(Protocol):
    """Functions of all profiles."""

    def tagged(self) -> "pl.DataFrame":
        """[symbol_id, name, dso, canonical, area, subsystem, role, class] of all, by symbol_id."""

    def is_known(self, function: str) -> bool:
        """Whether a function has this name, as a recording or as an answer shows it."""

    def similar(self, function: str) -> str | None:
        """The name most like this one, if any is much like it."""

    def all(self) -> "pl.DataFrame":
        """The columns of table symbol, by symbol_id."""

    def called(self, names: Iterable[str]) -> "pl.DataFrame":
        """The columns of table symbol, of these canonical names."""

    def of_kernel(self, release: str) -> "pl.DataFrame":
        """[profile_id, symbol_id, name, dso, address] of the kernel itself in profiles of a
        release."""

    def stacks(self) -> "pl.DataFrame":
        """[stack_id, symbol_ids] of all call chains, by stack_id."""

    def replace_tags(self, tagged: "pl.DataFrame", blamed: "pl.DataFrame") -> None:
        """Tags of rows of table symbol, and rows of stack_blame, in place of those with the same
        ids, in a transaction of the caller."""

    def functions_of(self, dsos: Iterable[str]) -> "pl.DataFrame":
        """[dso, build_id, address, offset, size, name, section, source_file] of the ELF files that
        were read for these dsos: perfduck_symbols.resolver.FUNCTIONS."""

    def known_binaries(self, dsos: Iterable[str]) -> set[str]:
        """Those of the dsos whose functions are stored."""

    def keep_functions(self, functions: "pl.DataFrame") -> None:
        """Store the functions of whole dsos, in place of what was known of them, in a transaction
        of the caller."""

    def binaries(self) -> "pl.DataFrame":
        """[dso, build_id, functions, with_source] of the ELF files that were read, by dso."""

    def leaf_offsets(self, profile_id: int, symbols: Iterable[int]) -> "pl.DataFrame":
        """The columns of table leaf_offset of a profile, of the symbols with these ids."""

    def keep_artefacts(self, profile_id: int, artefacts: "pl.DataFrame") -> None:
        """Store rows of table artefact without its profile_id, in a transaction of the caller."""


class TagInputs(Protocol):
    """Rules and kallsyms that symbols are tagged by, kept so that they need not be given again."""

    def keep(
        self, kind: TagInputKind, source: str, content: bytes, release: str = ""
    ) -> str | None:
        """Keep a file, in a transaction of the caller, in place of the one before; what that
        changed, in words. `release`: of the kernel whose kallsyms it is."""

    def kept(self, kind: TagInputKind, release: str = "") -> TagInput | None:
        """The file that the store keeps; None where it keeps none."""

    def content_hash(self, kind: TagInputKind, release: str = "") -> str | None:
        """xxh3-128 of the file that the store keeps; None where it keeps none."""

    def forget(self, kind: TagInputKind) -> bool:
        """Keep it no more; whether there was one."""


class Attachments(Protocol):
    """Files that explain a recording, and what was read off them."""

    def keep(
        self,
        profile_id: int,
        kind: str,
        source: str,
        text: str,
        rows: "Mapping[AttachedTable, pl.DataFrame]",
    ) -> str | None:
        """Keep a file of a kind in place of the one before, in a transaction of the caller; `rows`:
        by table. What that changed, in words; None where the profile has this very text."""

    def of(self, profile_id: int) -> list[AttachedFile]:
        """The files kept with a profile, by kind."""

    def met_rules(self, profiles: Iterable[int], limit: int) -> list[MetRule]:
        """iptables rules that need conntrack or NAT, those of most packets first."""

    def other_rules(self, profiles: Iterable[int]) -> int:
        """How many different iptables rules need neither."""

    def conntrack_entries(self, profiles: Iterable[int]) -> int | None:
        """The most entries that an attached conntrack file counted; None without one."""

    def pods(self, profiles: Iterable[int]) -> list[PodName]:
        """What attached lists of pods name, those of the newest recording last."""

    def net_counts(self, profiles: Iterable[int]) -> list[NetCount]:
        """What attached counters of the network stack counted, those that counted most first."""


class LearnedNoise(Protocol):
    """How far the cost of a subsystem varies between runs of the same thing."""

    def all(self) -> "pl.DataFrame":
        """The columns of table noise; by host, workload and unit, the largest spread first."""

    def recall(self, workload: str, unit: str, host_class: str) -> list[ClassNoise]:
        """What was learned for a workload and unit, by subsystem: on such a host, else on any."""

    def replace(self, learned: "pl.DataFrame") -> None:
        """Store rows of table noise in place of all of the same hosts, workloads and units, in a
        transaction."""

    def forget(self, profiles: Iterable[int] | None) -> None:
        """Forget what was learned for the workloads of these profiles; None: all."""


class ProfileWriter(Protocol):
    """Makes a draft a profile: everything or nothing, in a transaction of the caller.

    writer = store.writer(draft, identity)   refuses what cannot be, edits what is stored
    new = writer.new_names()                 symbols and stacks that the store lacks
    writer.insert(new)                       all rows but tags
    receipt = writer.finish(tags, blamed)    the tags of the new symbols and stacks

    Tags are worked out while another thread inserts, which is then the only one to use the store.
    """

    profile_id: int
    is_new: bool

    @property
    def is_renamed(self) -> bool:
        """Whether it is stored already, and the draft has better names."""

    def new_names(self) -> NewNames:
        """What the store lacks of the draft's symbols and stacks."""

    def insert(self, new: NewNames) -> None:
        """Insert all rows but those of tags."""

    def finish(self, tags: "pl.DataFrame", blamed: "pl.DataFrame") -> Receipt:
        """Insert rows of table symbol and of stack_blame, for all that was new."""

    def receipt(self) -> Receipt:
        """What has been stored."""


class Store(Protocol):
    """A store that is open; close it, or use it as a context manager. One thread asks at a time."""

    def __enter__(self) -> Self:
        """The store itself."""

    def __exit__(self, *_: object) -> None:
        """Close it."""

    @property
    def folder(self) -> Path:
        """Where temporary files of an import may be."""

    @property
    def profiles(self) -> Profiles:
        """What is said of recordings."""

    @property
    def symbols(self) -> Symbols:
        """Functions of all profiles."""

    @property
    def tag_inputs(self) -> TagInputs:
        """Rules and kallsyms that are kept."""

    @property
    def attachments(self) -> Attachments:
        """Files that explain a recording."""

    @property
    def noise(self) -> LearnedNoise:
        """The spread between runs that was learned."""

    def samples(self, choice: Choice) -> PickedSamples:
        """The samples of the choice, to ask about."""

    def user_sql(
        self, text: str, parameters: Mapping[str, Any], limits: "SqlLimits"
    ) -> "pl.DataFrame":
        """The rows of one statement that somebody typed: it reads, and opens no file, within limits
        of time, rows and memory. PerfduckError where it does not."""

    def transaction(self) -> AbstractContextManager[None]:
        """What is written within is there as a whole, or after an exception not at all."""

    def check(self, identity: Identity) -> bool:
        """Whether the recording is stored already. PerfduckError where it is another one that has
        its name, or where what is said of it must not change."""

    def merge(self, other: Path, wait_s: float | None = None) -> Merged:
        """Add what another store has and this one has not, in one transaction. PerfduckError where
        it is this store, no store, or of a newer schema version."""

    def close_and_compact(self) -> Saved | None:
        """Close the store, and give back the space of what was removed where that is worth it:
        None where it is not."""

    def close(self) -> None:
        """Let other processes have the store."""


class LocalStore(Store, Protocol):
    """A store whose files this process has: it takes recordings. A server takes them otherwise."""

    def writer(self, draft: "Draft", identity: Identity) -> ProfileWriter:
        """What makes the draft a profile. PerfduckError as `check`."""
