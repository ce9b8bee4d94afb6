"""Imports of all formats that fail, one after the other in one process; then imports that do not.

    python bench/failed_imports.py [--imports 1000] [--seed N]

Each import fails in its own way: the file is cut off or changed at a random place, packed or not,
or who reads it gives up or is interrupted after a batch. At the end the process must have the
threads and open files that it had after the first hundred, and must store each whole recording as
a process does that has done nothing else.
"""

import argparse
import bz2
import gc
import gzip
import lzma
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perfduck.ingestion import IngestRequest, ingest
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError, SymbolError
from perfduck_model.zstandard import zstd
from perfduck_store.duckdb.store import DuckDbStore

FIXTURES = Path(__file__).parents[1] / "fixtures"
WHOLE = {
    "perf script text": FIXTURES / "perf_script/v7-default/input.txt.xz",
    "long text": FIXTURES / "demo/native.udp64.1.txt.xz",
    "perf.data": FIXTURES / "perf_data/events/recording.data.xz",
    "packed perf.data": FIXTURES / "perf_data/packed/recording.data.xz",
    "piped perf.data": FIXTURES / "perf_data/pipe/recording.data.xz",
    "stacks of --call-graph dwarf": FIXTURES / "perf_data/dwarf/stacks.data.xz",
    "simpleperf": FIXTURES / "fuzz/seeds/simpleperf-file1.data",
    "OProfile session": FIXTURES / "oprofile/app-flat/session.tar.gz",
    "opreport text": FIXTURES / "oprofile/app-flat/reports/l.out.gz",
    "opreport XML": FIXTURES / "oprofile/app-flat/reports/X.out.gz",
    "folded": FIXTURES / "folded/net-chain.inferno.folded",
    "pprof": FIXTURES / "pprof/cpu.pb",
    "OTLP": FIXTURES / "otlp/cpu.pb",
    "OTLP JSON": FIXTURES / "otlp/cpu.jsonl",
}
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lambda raw: lzma.compress(raw, preset=0),
    ".zst": zstd.compress,
}
WAYS = ("cut off", "cut off when packed", "changed", "abandoned", "interrupted")
ROWS = (
    "select p.name, p.format, count(*), sum(s.count), sum(hash(s.stack_id, s.event, s.comm, s.pid,"
    " s.time_ns, s.period)), (select sum(hash(r)) from rollup r where r.profile_id ="
    " p.profile_id) from profile p join sample s using (profile_id) group by all order by all"
)


def unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    unpack: Callable[[bytes], bytes] | None
    unpack = {".xz": lzma.decompress, ".gz": gzip.decompress}.get(path.suffix)
    return unpack(content) if unpack else content


def broken(raw: bytes, way: str, ending: str, chance: random.Random) -> bytes:
    """The recording as it is given to the importer."""
    if way == "cut off":
        raw = raw[: chance.randrange(1, len(raw))]
    elif way == "changed":
        at = chance.randrange(len(raw))
        raw = raw[:at] + chance.randbytes(2000) + raw[at + 2000 :]
    packed = PACK[ending](raw)
    return packed[: chance.randrange(1, len(packed))] if way == "cut off when packed" else packed


def gives_up(way: str) -> Callable[[Source, int], None]:
    """Who reads the batches."""
    error = {"abandoned": ZeroDivisionError, "interrupted": KeyboardInterrupt}.get(way)

    def progress(source: Source, samples: int) -> None:
        if error:
            raise error

    return progress


@dataclass(frozen=True)
class State:
    """What a process has."""

    threads: int
    fds: int
    children: int
    memory_mb: int

    def __str__(self) -> str:
        return (
            f"{self.threads} threads, {self.fds} open files, {self.children} child processes,"
            f" {self.memory_mb} MB"
        )


def state() -> State:
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    tasks = Path("/proc/self/task").glob("*/children")
    children = sum(len(task.read_text().split()) for task in tasks)
    memory_mb = int(status["VmRSS"].split()[0]) >> 10
    return State(
        int(status["Threads"]), len(list(Path("/proc/self/fd").iterdir())), children, memory_mb
    )


def settled(most: State | None) -> State:
    """The state, once it has no more than that, or after ten seconds."""
    end = time.monotonic() + 10
    while True:
        now = state()
        if most is None or (now.threads <= most.threads and now.fds <= most.fds):
            return now
        if time.monotonic() > end:
            return now
        time.sleep(0.1)


class Failing:
    """Imports that fail, and what came of them."""

    def __init__(self, store: DuckDbStore, folder: Path, chance: random.Random) -> None:
        self._store, self._folder, self._chance = store, folder, chance
        self._raws = {kind: unpacked(path) for kind, path in WHOLE.items()}
        self.failed, self.read = Counter[str](), 0
        self.troubles: list[str] = []

    def one(self) -> None:
        chance = self._chance
        kind, way = chance.choice(list(self._raws)), chance.choice(WAYS)
        ending = chance.choice(list(PACK)[way == "cut off when packed" :])
        path = self._folder / f"recording{ending}"
        path.write_bytes(broken(self._raws[kind], way, ending, chance))
        options = ImportOptions(lenient=chance.random() < 0.3)
        request = IngestRequest(str(path), options=options)
        try:
            receipt = ingest(self._store, request, gives_up(way))
        except (PerfduckError, SymbolError, ZeroDivisionError, KeyboardInterrupt):
            pass
        except BaseException as error:
            self.troubles.append(f"{kind}, {way}{ending}: {type(error).__name__}: {error}")
        else:  # what is left of the file is a recording
            self.read += 1
            self._store.profiles.remove([receipt.profile_id])
            return
        self.failed[kind] += 1

    def many(self, times: int) -> None:
        while self.failed.total() < times:
            self.one()


def differing(store: DuckDbStore, folder: Path) -> list[str]:
    """Recordings of which this process stores other rows than a fresh one."""
    for path in WHOLE.values():
        ingest(store, IngestRequest(str(path), name=str(path)))
        words = [
            "ingest",
            str(path),
            "--no-host-files",
            "--name",
            str(path),
            "--store",
            str(folder / "fresh.duckdb"),
        ]
        subprocess.run([sys.executable, "-m", "perfduck", *words], check=True, capture_output=True)
    with DuckDbStore(folder / "fresh.duckdb") as fresh:
        pairs = zip(store.rows(ROWS), fresh.rows(ROWS), strict=True)
        return [str(row) for row, other in pairs if row != other]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imports", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        DuckDbStore(Path(name) / "store.duckdb", write=True) as store,
    ):
        failing = Failing(store, Path(name), random.Random(given.seed))
        failing.many(given.imports // 10)
        before = settled(None)
        print(f"after {failing.failed.total()} that failed: {before}", flush=True)
        failing.many(given.imports)
        after, took = settled(before), time.monotonic() - began
        print(f"after {failing.failed.total()} that failed, {failing.read} read: {after}")
        print(f"{took:.0f} s; {dict(failing.failed)}", flush=True)
        troubles = failing.troubles + differing(store, Path(name))
    if after.threads > before.threads or after.fds > before.fds:
        troubles.append("more threads or open files")
    print(*troubles, f"{len(troubles)} went wrong", sep="\n")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
