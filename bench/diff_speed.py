"""How long `perfduck diff` takes on much data: `python bench/diff_speed.py [SAMPLES] [STACKS]`.

A made-up call tree, six runs. The store is built by SQL (not timed), then asked by the command line
as a user would, start-up included.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from perfduck_store.duckdb.store import DuckDbStore

PERFDUCK = Path(sys.executable).with_name("perfduck")
RUNS = 6
FUNCTIONS = 4000
DEPTH = 30


def chains(stacks: int, random: np.random.Generator) -> pl.DataFrame:
    """Every chain is a prefix of an earlier one and new frames: leaf first in the store."""
    found: list[list[int]] = [[0, 1, 2]]
    parents = random.integers(0, 1 << 30, stacks)
    cuts = random.integers(2, DEPTH, stacks)
    for number in range(1, stacks):
        parent = found[parents[number] % len(found)]
        kept = parent[: cuts[number]]
        more = random.integers(3, FUNCTIONS, max(DEPTH - len(kept), 1) // 3 + 1)
        found.append([*kept, *more.tolist()])
    return pl.DataFrame(
        {"stack_id": range(stacks), "symbol_ids": [chain[::-1] for chain in found]},
        schema={"stack_id": pl.Int64, "symbol_ids": pl.List(pl.Int64)},
    )


def build(path: Path, samples: int, stacks: int) -> None:
    """A store with that much in it."""
    random = np.random.default_rng(1)
    names = ["entry_SYSCALL_64", "do_syscall_64", "root", *(f"f{i}" for i in range(3, FUNCTIONS))]
    with DuckDbStore(path, write=True) as store:
        store.insert("stack", chains(stacks, random))
        store.execute(
            "insert into stack_symbol select stack_id, unnest(list_distinct(symbol_ids)) as one,"
            " one = symbol_ids[1] from stack"
        )
        store.insert("symbol", pl.DataFrame({
            "symbol_id": range(FUNCTIONS), "name": names, "dso": "[kernel.kallsyms]",
            "address": pl.Series([None] * FUNCTIONS, dtype=pl.Int64), "canonical": names,
            "source_file": "net/core/dev.c", "area": "net/core",
            "subsystem": [f"s{i % 40}" for i in range(FUNCTIONS)], "role": "domain",
            "tagged_by": "made", "class": "other",
        }))  # fmt: skip
        store.insert("stack_blame", pl.DataFrame({
            "stack_id": range(stacks), "symbol_id": random.integers(0, FUNCTIONS, stacks),
            "subsystem": [f"s{i % 40}" for i in range(stacks)], "context": "task",
            "direction": "none",
        }))  # fmt: skip
        for run in range(RUNS):
            _add_run(store, run, samples // RUNS, stacks, random)


def _add_run(
    store: DuckDbStore, run: int, samples: int, stacks: int, random: np.random.Generator
) -> None:
    store.execute(
        "insert into profile by name select $r::bigint as profile_id, $n as name,"
        " 'made' as format, '-' as source, $n as content_hash, 60 as duration_s, 4 as cpus,"
        " 0 as lost, 1e6 as work, 'packet' as work_unit, map(['side'], [$s]) as labels",
        {"r": run, "n": f"run.{run}", "s": "base" if run < RUNS // 2 else "new"},
    )
    store.execute(
        "insert into event values ($r, 'cycles', 'cycles', 997, $n, $n * 1000.0)",
        {"r": run, "n": samples},
    )
    which = np.sort((stacks * random.random(samples) ** 3).astype(np.int64))
    time_ns = random.integers(0, 60_000_000_000, samples)
    store.insert("sample", pl.DataFrame({
        "profile_id": run, "stack_id": which, "event": "cycles", "comm": "made", "pid": 1, "tid": 1,
        "cpu": which % 4, "cgroup": None, "time_ns": time_ns, "count": 1, "period": 1000,
    }))  # fmt: skip
    store.execute(
        "insert into rollup by name select profile_id, event, stack_id, comm, cgroup,"
        " sum(period) as weight, count(*) as count from sample where profile_id = $r"
        " group by all order by stack_id",
        {"r": run},
    )


def main() -> None:
    samples = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10_000_000
    stacks = int(float(sys.argv[2])) if len(sys.argv) > 2 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.duckdb"
        build(path, samples, stacks)
        for words in ([], ["--skip", "1s"], ["--tree", "path"]):
            command = [str(PERFDUCK), "diff", "side=base", "side=new", "--store", str(path), *words]
            start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=False, capture_output=True)  # exit 3: inconclusive
            took, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            asked = f"{samples:,} samples, {stacks:,} stacks {' '.join(words)}"
            print(f"{asked}: {took:.2f} s, CPU {cpu:.2f} s")


if __name__ == "__main__":
    main()
