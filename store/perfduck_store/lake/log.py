"""What a lake holds: a map in which the last writer of each slot wins.

    ("recording", 4711)                rows of one recording      group
    ("label", 4711, "scenario")        what is said of it         value
    ("attachment", 4711, "iptables")   a file kept with it        group
    ("tag_input", "rules", "")         ...

A commit sets slots: each to a value, to the rows of a group of parts, or to nothing. Which commit
is later is a matter of its time, and of its hash where two have the same. So all readers of the
same files see the same, the order in which commits arrive does not matter, and one that arrives
twice changes nothing (registers of the last writer: Shapiro et al., INRIA RR-7506, 2011, 3.2.1).
"""

import time
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from perfduck_model.errors import PerfduckError
from perfduck_store.lake.files import COMMITS, GENERATIONS, MANIFESTS, LakeFiles
from perfduck_store.lake.kinds import KINDS

Slot = tuple[str | int, ...]
_KEYS_OF = {
    **{name: kind.keys for name, kind in KINDS.items()},
    **dict.fromkeys(("name", "work", "kernel_release"), ("profile_id",)),
    "label": ("profile_id", "label"),
}
Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]


class Group(msgspec.Struct, frozen=True, eq=False):
    """Parts that belong together: name and bytes of each by table. `slots`: how many have rows in
    it; it is the rows of a slot that have the slot's keys in their columns."""

    parts: dict[str, tuple[Hash, int]]
    slots: int = 1

    @property
    def size(self) -> int:
        """Bytes of its parts."""
        return sum(size for _, size in self.parts.values())


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A slot, and a value or the number of a group; neither: nothing. `at` and `by` in a manifest:
    time (ns since 1970) and hash of the commit that set it."""

    slot: Slot
    value: Any = None
    group: int | None = None
    at: int = 0
    by: str = ""


class LogFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A commit, or the manifest of a compaction; `folded`: the commits that it replaces."""

    at: int
    entries: list[Entry]
    groups: list[Group] = []
    folded: list[Hash] = []


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What a slot is set to, and by which commit."""

    at: int
    by: str
    value: Any
    group: Group | None

    @property
    def is_nothing(self) -> bool:
        """Whether it was removed."""
        return self.value is None and self.group is None


@dataclass(slots=True)
class LakeState:
    """All slots at one time; the commits that the manifest does not replace, and those that it
    does."""

    generation: int = 0
    commits: list[str] = field(default_factory=list)
    folded: list[str] = field(default_factory=list)
    settings: dict[Slot, Setting] = field(default_factory=dict)
    newest: int = 0  # time of a commit, ns
    _live: dict[str, dict[Slot, Setting]] = field(default_factory=dict)

    def add(self, log: LogFile, name: str) -> None:
        """Set the slots of a commit or manifest that nobody set later."""
        for entry in log.entries:
            group = None if entry.group is None else log.groups[entry.group]
            new = Setting(entry.at or log.at, entry.by or name, entry.value, group)
            old = self.settings.get(entry.slot)
            if old is None or (old.at, old.by) < (new.at, new.by):
                self.settings[entry.slot] = new
        self.newest = max(self.newest, log.at)
        self._live.clear()

    def live(self, kind: str) -> dict[Slot, Setting]:
        """The slots of a kind that are set to something, the earliest first."""
        if kind not in self._live:
            there = [
                (slot, setting)
                for slot, setting in self.settings.items()
                if slot[0] == kind and not setting.is_nothing
            ]
            self._live[kind] = dict(sorted(there, key=lambda each: (each[1].at, each[1].by)))
        return self._live[kind]

    def recordings(self) -> set[int]:
        """The ids of all recordings that there are, or were before they were removed."""
        return {int(slot[1]) for slot in self.settings if slot[0] == "recording"}

    def time_of_next(self) -> int:
        """Of a commit that is to be later than all of these: the clocks of machines differ."""
        return max(time.time_ns(), self.newest + 1)


def read_state(files: LakeFiles) -> LakeState:
    """What a lake holds now."""
    while True:
        generation = newest_generation(files)
        try:
            state = _state_of(files, generation)
        except FileNotFoundError as error:
            if generation == newest_generation(files):
                where = error.filename
                got = "no such file"
                raise PerfduckError.at(where, expected="a file of the lake", got=got) from error
            continue
        # Commits that a newer manifest replaces may be deleted at any time.
        if generation == newest_generation(files):
            return state


def newest_generation(files: LakeFiles) -> int:
    """The number of the generation that is valid now; 0 without a compaction."""
    names = [name for name in files.names(GENERATIONS) if name.isdecimal()]
    return int(names[-1]) if names else 0


def generation_name(generation: int) -> str:
    """The file of a generation: names sort as numbers do."""
    return f"{generation:08}"


def _state_of(files: LakeFiles, generation: int) -> LakeState:
    state = LakeState(generation)
    if generation:
        name = files.pointer(generation_name(generation))
        manifest = read_log(files, MANIFESTS, f"{name}.json")
        state.add(manifest, name)
        state.folded = manifest.folded
    folded = set(state.folded)
    names = (_commit_of(files, file) for file in files.names(COMMITS))
    state.commits = [name for name in names if name not in folded]
    logs = files.each(lambda name: read_log(files, COMMITS, f"{name}.json"), state.commits)
    for log, name in zip(logs, state.commits, strict=True):
        state.add(log, name)
    return state


def _commit_of(files: LakeFiles, file: str) -> str:
    """The hash that a commit is named by. PerfduckError for another file: it may be a commit that
    somebody renamed."""
    name, dot, ending = file.partition(".")
    if (dot, ending) != (".", "json"):
        where = files.where(COMMITS, file)
        raise PerfduckError.at(where, expected="a commit, HASH.json", got="another name")
    return name


def read_log(files: LakeFiles, folder: str, name: str) -> LogFile:
    """A commit or manifest. FileNotFoundError where it was deleted."""
    content = files.read(folder, name)
    try:
        log = msgspec.json.decode(content, type=LogFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        where = files.where(folder, name)
        raise PerfduckError.at(where, expected="a file of a lake", got=str(error)) from error
    groups = {entry.group for entry in log.entries} - {None, *range(len(log.groups))}
    if groups or not all(_is_slot(entry.slot) for entry in log.entries):
        where = files.where(folder, name)
        raise PerfduckError.at(where, expected="slots and groups of a lake", got="others")
    return log


def _is_slot(slot: Slot) -> bool:
    """Whether it has the keys of its kind; those of kinds that are not known can be any."""
    if not slot or (keys := _KEYS_OF.get(str(slot[0]))) is None:
        return bool(slot)
    is_of_profile = keys[:1] == ("profile_id",)
    return len(slot) == 1 + len(keys) and (not is_of_profile or isinstance(slot[1], int))


def encoded(log: LogFile) -> bytes:
    """The content of its file."""
    return msgspec.json.encode(log)
