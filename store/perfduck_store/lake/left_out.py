"""What other schema versions of a lake have, and an answer has not: never without a word."""

import xxhash

from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.schema import SCHEMA_VERSION
from perfduck_store.lake.address import SCHEME
from perfduck_store.lake.files import COMMITS, GENERATIONS, LakeFiles
from perfduck_store.lake.log import LakeState, Slot
from perfduck_store.waiting import waiting

_TAKEN = "taken"  # kind of a slot: which files of an older version were taken over


def no_lake(files: LakeFiles) -> PerfduckError:
    """There is none of this schema version."""
    if not files.older_versions:
        got = "none (perfduck ingest makes one)"
        return PerfduckError.at(files.root, expected="a lake", got=got)
    got = f"{files.older_versions[-1]} (perfduck compact --store {SCHEME}{files.root} upgrades it)"
    expected = f"a lake of schema version {SCHEMA_VERSION}"
    return PerfduckError.at(files.root, expected=expected, got=got)


def say_what_is_left_out(files: LakeFiles, state: LakeState) -> None:
    """A line for each other schema version that has something else."""
    for version in not_taken(files, state):
        waiting.say(
            f"{files.root}: what was written in schema version {version} since the last compaction "
            "is left out (perfduck compact takes it over)"
        )
    for version in files.newer_versions:
        waiting.say(
            f"{files.root}: what a newer perfduck wrote, in schema version {version}, is left out"
        )


def taken(version: int) -> Slot:
    """The slot that has the fingerprint of an older version as it was taken over."""
    return (_TAKEN, f"v{version}")


def fingerprint(old: LakeFiles) -> str:
    """Another one after each commit and compaction."""
    names = [*old.names(GENERATIONS), *old.names(COMMITS)]
    return xxhash.xxh3_128_hexdigest("\n".join(names).encode())


def not_taken(files: LakeFiles, state: LakeState) -> list[int]:
    """The older schema versions that have what the lake's own has not taken over."""
    known = {slot: setting.value for slot, setting in state.live(_TAKEN).items()}
    return [
        version
        for version in files.older_versions
        if known.get(taken(version)) != fingerprint(LakeFiles(files.root, version))
    ]
