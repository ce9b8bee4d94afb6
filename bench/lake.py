"""What a lake costs: sizes, and the time of commands, with so many recordings.

    bench/lake.py FOLDER --recordings 1000 --samples 50000

A recording has stacks of the demo's recordings (fixtures/demo), drawn by their weight, at other
times; all are written as `perfduck ingest` writes them, one commit each. Each command is a process.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

from perfduck_model.identity import profile_id
from perfduck_store.lake.store import LakeStore

DEMO = Path(__file__).parent.parent / "fixtures" / "demo" / "recordings.csv"
TABLES = ("sample", "rollup", "event", "profile")


def main() -> None:
    """Generate what is missing, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recordings", type=int, required=True)
    parser.add_argument("--samples", type=int, default=50_000)
    given = parser.parse_args()
    lake = given.folder / "lake"
    if not lake.exists():
        took("ingest of the demo", "ingest", "--manifest", DEMO, "--store", f"lake:{lake}")
    generate(lake, given.recordings, given.samples)
    report(lake)
    took("compact", "compact", "--store", f"lake:{lake}")
    took("compact again, old files deleted", "compact", "--keep", "0h", "--store", f"lake:{lake}")
    report(lake)


def generate(lake: Path, recordings: int, samples: int) -> None:
    """Recordings g.0, g.1, ... of six scenarios."""
    with LakeStore(lake, write=True) as store:
        there = {each.name for each in store.profiles.all()}
        store.load("sample", "profile", "event", "stack", "stack_symbol", "stack_blame", "symbol")
        store.execute(_POOL)
        [(rows,)] = store.rows("select count(*) from pool")
        store.execute("create temp table model as select * from profile limit 1")
        for number in range(recordings):
            if f"g.{number}" not in there:
                _recording(store, number, {"samples": samples, "rows": rows})


def _recording(store: LakeStore, number: int, sizes: dict[str, int]) -> None:
    key = profile_id(f"generated {number} {sizes['samples']}")
    keys = {"key": key, "number": number}
    with store.transaction(), store.about([key]):
        for table in TABLES[:3]:
            store.execute(f"delete from {table}")
        store.execute(_DRAWN, keys | sizes)
        store.execute(_PROFILE, keys)
        store.execute(_ROLLUP)
        store.execute(_EVENT)
        store.changes.set_rows(("recording", key))


_POOL = """
create temp table pool as
select row_number() over (order by stack_id, time_ns, cpu, tid) - 1 as number, sample.*
from sample
"""
_DRAWN = """
insert into sample by name
select
    pool.* exclude (number) replace (
        $key::bigint as profile_id, $number::bigint * 1000000000000 + draw.n * 4000 as time_ns
    ),
from (
    select n, (hash(n, $key::bigint) % $rows)::bigint as number from range($samples) t(n)
) draw
join pool on pool.number = draw.number
order by pool.stack_id, draw.n
"""
_PROFILE = """
insert into profile by name
select * replace (
    $key::bigint as profile_id, 'g.' || $number as name, md5($key::varchar) as content_hash,
    map(['scenario', 'run'], ['s' || ($number % 6), ($number // 6)::varchar]) as labels,
    1000 + $number % 7 as work, 'request' as work_unit
)
from model
"""
_ROLLUP = """
insert into rollup by name
select profile_id, event, stack_id, comm, cgroup, sum(coalesce(period, count))::double as weight,
    sum(count)::bigint as count
from sample group by all order by event, stack_id, comm, cgroup
"""
_EVENT = """
insert into event by name
select profile_id, event, 'ns' as unit, null as frequency, sum(count)::bigint as samples,
    sum(period)::double as weight
from sample group by all
"""


def report(lake: Path) -> None:
    """Files, bytes, and the time of some commands."""
    files = [path for path in lake.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files):,} files, {size / 1e6:,.1f} MB")
    store = ("--store", f"lake:{lake}")
    recording = DEMO.parent / "native.udp64.1.txt.xz"
    took("profiles", "profiles", *store)
    took("top of 1", "top", "g.1", *store)
    took("diff 3 : 3", "diff", "g.0+g.6+g.12", "g.1+g.7+g.13", *store)
    took("sql over all: rollup", "sql", "select sum(weight) from rollup", *store)
    took("sql over all: hit", "sql", "--timeout", "500", _SQL, *store)
    took("ingest (there already)", "ingest", recording, *store)
    own = lake.parent / "own.duckdb"
    own.unlink(missing_ok=True)
    took("pull 6", "pull", "g.0+g.6+g.12+g.1+g.7+g.13", "--from", f"lake:{lake}", "--store", own)
    took("  diff 3 : 3 of it", "diff", "g.0+g.6+g.12", "g.1+g.7+g.13", "--store", own)


_SQL = "select function, sum(weight) as w from hit group by all order by w desc, function limit 10"


def took(what: str, *words: object) -> None:
    """Run perfduck, and print how long that takes."""
    command = [sys.executable, "-m", "perfduck", *map(str, words)]
    started, cpu = time.monotonic(), cpu_s()
    done = subprocess.run(command, capture_output=True, text=True)
    failed = "" if done.returncode in (0, 1, 3) else done.stderr.strip()
    took_s, cpu_took_s = time.monotonic() - started, cpu_s() - cpu
    print(f"{took_s:8.2f} s  {cpu_took_s:8.2f} s of CPUs  {what}  {failed}", flush=True)


def cpu_s() -> float:
    """CPU time of the processes that have ended, which others on the machine change less."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
