"""Deletes files of a lake that nobody needs: no state since a time, and no commit, has them."""

import time

from perfduck_store.lake.files import COMMITS, GENERATIONS, MANIFESTS, LakeFiles
from perfduck_store.lake.log import LogFile, read_log

_LOGS = (COMMITS, MANIFESTS, GENERATIONS)


def collect(files: LakeFiles, keep_s: float) -> tuple[int, int]:
    """Delete what no reader and no writer can need that began less than `keep_s` seconds ago: how
    many files, and their bytes. A reader may use the generation that was valid then."""
    before = time.time() - keep_s
    old = files.older(GENERATIONS, before)
    last = old[-1:]
    kept = [name for name in files.names(GENERATIONS) if name not in old[:-1]]
    manifests = {name: files.pointer(name) for name in kept}
    logs = {hashed: read_log(files, MANIFESTS, f"{hashed}.json") for hashed in manifests.values()}
    folded = {f"{name}.json" for each in last for name in logs[manifests[each]].folded}
    commits = [name for name in files.names(COMMITS) if name not in folded]
    needed = _parts_of([*logs.values(), *(read_log(files, COMMITS, name) for name in commits)])
    needed |= {(MANIFESTS, f"{name}.json") for name in logs}
    needed |= {(GENERATIONS, name) for name in kept} | {(COMMITS, name) for name in commits}
    return _deleted(files, needed, before)


def _parts_of(logs: list[LogFile]) -> set[tuple[str, str]]:
    return {
        (table, f"{name}.parquet")
        for log in logs
        for group in log.groups
        for table, (name, _) in group.parts.items()
    }


def _deleted(files: LakeFiles, needed: set[tuple[str, str]], before: float) -> tuple[int, int]:
    """Those of the files that are not needed, and were not written since: pointers before what they
    point to."""
    sizes: list[int] = []
    for folder in sorted(files.folders(), key=lambda name: name not in _LOGS):
        unneeded = [name for name in files.older(folder, before) if (folder, name) not in needed]
        sizes += files.delete(folder, unneeded, before)
    files.sweep(before)
    return len(sizes), sum(sizes)
