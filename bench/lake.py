"""What a lake costs: sizes, and the time and memory of each command, with so many recordings.

    bench/lake.py generate FOLDER --recordings 1000 --samples 500000
    bench/lake.py measure FOLDER [--engine sc://HOST:15002]
    bench/lake.py compact FOLDER

A generated recording has stacks of the demo's recordings of one scenario and workload
(fixtures/demo): each with the probability with which a recording there has it, as often as there
times a factor of its own, from a log-normal distribution, and at other times. All are written as
`perfduck ingest` writes them: parts of their own, one commit each. Each command that is measured is
a process.
"""

import argparse
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from perfduck_model.identity import profile_id
from perfduck_store.lake.store import LakeStore

DEMO = Path(__file__).parent.parent / "fixtures" / "demo" / "recordings.csv"
RECORDINGS_A_STORE = 25  # that is open: rows which were deleted still take memory
VARIATION = 0.3  # of a stack's weight between recordings: the sigma of its logarithm
SECONDS = 60
RUNS_A_WEEK = 50
KERNELS = ("6.1.187", "6.12.9", "6.18.44")
CNIS = {"native": "none", "flannel-vxlan": "flannel"}  # by scenario
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["generate", "measure", "compact"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recordings", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=500_000)
    parser.add_argument("--engine", help="of `measure`: sc://HOST:PORT")
    given = parser.parse_args()
    lake = given.folder / "lake"
    if given.what == "generate":
        generate(lake, given.recordings, given.samples)
        size(lake)
    elif given.what == "measure":
        measure(lake, ["--engine", given.engine] if given.engine else [])
    else:
        took("compact", "compact", "--store", f"lake:{lake}")
        took("compact, old files deleted", "compact", "--keep", "0h", "--store", f"lake:{lake}")
        size(lake)


def generate(lake: Path, recordings: int, samples: int) -> None:
    """Those of the recordings g.0, g.1, ... that are not there yet."""
    demo = lake.parent / "demo"
    if not demo.exists():
        took("ingest of the demo", "ingest", "--manifest", DEMO, "--store", f"lake:{demo}")
    there: set[str] = set()
    if lake.exists():
        with LakeStore(lake) as store:
            there = {each.name for each in store.profiles.all()}
    os.fsync = lambda _: None  # nine a recording: ten times as long as all else
    missing = [number for number in range(recordings) if f"g.{number}" not in there]
    started, cpu = time.monotonic(), time.process_time()
    for first in range(0, len(missing), RECORDINGS_A_STORE):
        with LakeStore(demo) as source, LakeStore(lake, write=True) as store:
            pools = list(taken_from(source, store))
            for number in missing[first : first + RECORDINGS_A_STORE]:
                add(store, number, pools[number % len(pools)], samples)
    took_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
    print(f"{took_s:,.0f} s, {cpu_s:,.0f} s of CPUs: {len(missing):,} recordings generated")


@dataclass(frozen=True)
class Pool:
    """`samples` of some recordings, in the order of their stacks; `model`: of table profile."""

    model: dict[str, Any]
    samples: pl.DataFrame


def taken_from(source: LakeStore, store: LakeStore) -> Iterator[Pool]:
    """A pool of samples for each scenario and workload, in the order of their stacks. The store
    gets the stacks and functions, of which a recording publishes those that it has."""
    source.load()
    with store.about([]):
        for table in ("stack", "stack_symbol", "stack_blame", "symbol"):
            store.insert(table, source.frame(f"from {table}"))
    samples = source.frame("from sample order by stack_id, time_ns, cpu, tid")
    profiles = source.frame(
        "select * exclude (labels), labels['scenario'] as scenario, labels['workload'] as workload"
        " from profile order by name"
    )
    for workload in ("udp64", "crr"):
        for scenario in CNIS:
            some = profiles.filter(scenario=scenario, workload=workload)
            yield Pool(
                some.row(0, named=True),
                samples.filter(pl.col("profile_id").is_in(some["profile_id"].implode())),
            )


def add(store: LakeStore, number: int, pool: Pool, samples: int) -> None:
    """One recording, in one commit."""
    key = profile_id(f"generated {number} {samples}")
    rows = drawn(np.random.default_rng(number), pool.samples, samples)
    rollup = rows.group_by("event", "stack_id", "comm", "cgroup", "netns").agg(
        pl.coalesce("period", "count").sum().cast(pl.Float64).alias("weight"), pl.sum("count")
    ).sort("event", "stack_id", "comm", "cgroup", "netns")  # fmt: skip
    events = rollup.group_by("event").agg(
        pl.lit("ns").alias("unit"), pl.sum("count").alias("samples"), pl.sum("weight")
    )
    with store.transaction(), store.about([key]):
        for table, frame in (("sample", rows), ("rollup", rollup), ("event", events)):
            store.execute(f"delete from {table}")
            store.insert(table, frame, f"{key}::bigint as profile_id, *")
        columns = "* replace (map_from_entries(labels) as labels)"
        store.insert("profile", profile_of(pool.model, key, number, samples), columns)
        store.changes.set_rows(("recording", key))


def drawn(random: np.random.Generator, pool: pl.DataFrame, samples: int) -> pl.DataFrame:
    """So many samples, in the order of stack and time."""
    runs = pool["profile_id"].n_unique()
    weights = pool.with_columns(has=pl.col("profile_id").n_unique().over("stack_id") / runs)
    stack = pool["stack_id"].rle_id().to_numpy()
    has = weights.group_by("stack_id", maintain_order=True).first()["has"].to_numpy()
    factor = random.lognormal(sigma=VARIATION, size=len(has)) * (random.random(len(has)) < has)
    times = random.multinomial(samples, factor[stack] / factor[stack].sum())
    rows = np.repeat(np.arange(len(pool)), times)
    key = (stack[rows].astype(np.int64) << 40) + random.integers(SECONDS * 10**9, size=samples)
    at = pl.Series("time_ns", np.sort(key) & ((1 << 40) - 1))
    return pool[rows].drop("profile_id").with_columns(at)


def profile_of(model: dict[str, Any], key: int, number: int, samples: int) -> pl.DataFrame:
    """The row of table profile. Work varies by 2 % between runs of a scenario."""
    run = number // (2 * len(CNIS))
    labels = {
        "scenario": model["scenario"],
        "workload": model["workload"],
        "cni": CNIS[model["scenario"]],
        "host": f"node{number % 250:03}",
        "kernel": KERNELS[run % len(KERNELS)],
        "week": str(run // RUNS_A_WEEK),
    }
    said = {
        "profile_id": key,
        "name": f"g.{number}",
        "content_hash": f"{number:032x}",
        "duration_s": float(SECONDS),
        "kernel_release": labels["kernel"],
        "host": labels["host"],
        "work": model["work"] * samples / 6000 * (1 + (number % 41 - 20) / 1000),
    }
    pairs = [{"key": name, "value": value} for name, value in labels.items()]
    facts = {name: value for name, value in model.items() if name not in ("scenario", "workload")}
    return pl.DataFrame([facts | said]).with_columns(labels=pl.Series([pairs]))


def measure(lake: Path, engine: list[str]) -> None:
    """Print the time of each command."""
    size(lake)
    store = ("--store", f"lake:{lake}", *engine)
    native, flannel = (f"scenario={name},workload=udp64" for name in CNIS)
    three, other_three = "g.0+g.4+g.8", "g.1+g.5+g.9"
    took("profiles", "profiles", *store[:2])
    took("top of one", "top", "g.4", *store)
    took("top of a label", "top", f"{native},week=0", *store)
    took("diff of 3 and 3", "diff", three, other_three, *store)
    took("diff of up to 50 and 50", "diff", native, flannel, "--where", "week=0", *store)
    took("compare of up to 100", "compare", "workload=udp64,week=0", "--over", "scenario", *store)
    took("sql: all of rollup", "sql", "select sum(weight) from rollup", *store)
    took("sql: all of sample", "sql", "--timeout", "900", ALL_SAMPLES, *store)
    took("sql: all of hit", "sql", "--timeout", "900", ALL_HITS, *store)
    if not engine:
        own = lake.parent / "own.duckdb"
        own.unlink(missing_ok=True)
        took("pull of 6", "pull", f"{three}+{other_three}", "--from", store[1], "--store", own)
        took("  diff of 3 and 3 of it", "diff", three, other_three, "--store", own)
        own.unlink(missing_ok=True)
        ingest(lake)


def ingest(lake: Path) -> None:
    """Of one more, into a copy that has the same files."""
    copy = lake.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(lake, copy, copy_function=os.link)
    recording = DEMO.parent / "native.udp64.1.txt.xz"
    took("ingest of one more", "ingest", recording, "--store", f"lake:{copy}")
    took("ingest of it again", "ingest", recording, "--store", f"lake:{copy}")
    shutil.rmtree(copy)


ALL_SAMPLES = (
    "select cpu, count(*) as n, sum(period) as weight from sample group by all order by all"
)
ALL_HITS = (
    "select function, sum(weight) as w from hit group by all order by w desc, function limit 10"
)


def size(lake: Path) -> None:
    """Files and bytes."""
    files = [path for path in lake.rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    print(f"{len(files):,} files, {total / 1e6:,.1f} MB", flush=True)
    folders = sorted({path.parent for path in files})
    for folder in folders:
        sizes = [path.stat().st_size for path in files if path.parent == folder]
        print(f"    {len(sizes):6,} {sum(sizes) / 1e6:9,.1f} MB  {folder.name}")


def took(what: str, *words: object) -> None:
    """Run perfduck, and print the seconds on the clock and of CPUs, and the most memory that a
    process of it had."""
    command = [sys.executable, "-m", "perfduck", *map(str, words)]
    reading, writing = os.pipe()
    started = time.monotonic()
    if not (child := os.fork()):
        os.write(writing, measured(command).encode())
        os._exit(0)
    os.waitpid(child, 0)
    print(
        f"{time.monotonic() - started:8.2f} s {os.read(reading, 9999).decode()}  {what}", flush=True
    )


def measured(command: list[str]) -> str:
    """Run it, with what it leaves to this process when it ends: that of `sql` ends later."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    done = subprocess.run(command, capture_output=True, text=True)
    with suppress(ChildProcessError):
        while True:
            os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    failed = "" if done.returncode in (0, 1, 3) else done.stderr.strip()
    cpu_s, memory_mb = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return f"{cpu_s:8.2f} s of CPUs {memory_mb:7,.0f} MB  {failed}"


if __name__ == "__main__":
    main()
