"""A store with many samples, drawn from the real ones of another store.

    python bench/scale.py SOURCE.duckdb TARGET.duckdb [--profiles 20] [--samples 2500000]

Every profile draws its own samples, with replacement, from all of the source's; each third one
comes from the first half of the source's stacks more often, so that there is something to diff.
"""

import argparse
import shutil
from pathlib import Path

from perfduck_model.identity import profile_id
from perfduck_store.duckdb.store import DuckDbStore

# Times spread over 100 s; as in a recording, CPUs take turns.
_SAMPLES = """
insert into sample by name
select
    $profile as profile_id,
    pool.stack_id,
    pool.event,
    pool.comm,
    pool.pid,
    pool.tid,
    (draw.n % 8)::integer as cpu,
    pool.cgroup,
    pool.netns,
    draw.n * 40000 + pool.jitter as time_ns,
    pool.count,
    pool.period,
from (
    select n, (hash(n, $profile) % ($rows // $skew))::bigint as number from range($samples) t(n)
) draw
join pool on pool.number = draw.number
order by pool.stack_id, draw.n
"""
_POOL = """
create temp table pool as
select
    row_number() over (order by stack_id, time_ns, cpu, tid) - 1 as number,
    (hash(time_ns) % 40000)::bigint as jitter,
    stack_id, event, comm, pid, tid, cgroup, netns, count, period,
from sample
where event = (select event from event group by event order by sum(samples) desc limit 1)
"""
_ROLLUP = """
insert into rollup by name
select
    profile_id,
    event,
    stack_id,
    comm,
    cgroup,
    netns,
    sum(period)::double as weight,
    sum(count)::bigint as count,
from sample
where profile_id = $profile
group by all
order by profile_id, event, stack_id, comm, cgroup, netns
"""
_PROFILE = """
insert into profile by name
select
    $profile as profile_id,
    $name as name,
    'synthetic' as format,
    '-' as source,
    $name as content_hash,
    100.0 as duration_s,
    0 as lost,
    $samples as work,
    'packet' as work_unit,
    map(['scenario'], [$scenario]) as labels
"""
_EVENT = """
insert into event
select profile_id, any_value(event), 'ns', null, sum(count)::bigint, sum(weight)
from rollup
where profile_id = $profile
group by profile_id
"""
_RECORDED = ("sample", "rollup", "profile", "event", "leaf_offset", "edge", "skipped")


def scaled(source: Path, target: Path, *, profiles: int, samples: int) -> None:
    """Copy the source, and put the synthetic profiles in place of its own."""
    shutil.copy(source, target)
    with DuckDbStore(target, write=True) as store:
        store.execute("set memory_limit = '2GB'")
        store.execute(_POOL)
        rows = store.rows("select count(*) from pool")[0][0]
        for table in _RECORDED:
            store.execute(f"delete from {table}")
        for number in range(profiles):
            _add(store, number, rows=rows, samples=samples)
        store.execute("checkpoint")


def _add(store: DuckDbStore, number: int, *, rows: int, samples: int) -> None:
    name = f"run{number:03d}"
    skew = 2 if number % 3 == 2 else 1
    key = profile_id(name)
    scenario = "base" if skew == 1 else "new"
    profile = {"profile": key, "name": name, "samples": samples, "scenario": scenario}
    with store.transaction():
        store.execute(_SAMPLES, {"profile": key, "rows": rows, "skew": skew, "samples": samples})
        store.execute(_ROLLUP, {"profile": key})
        store.execute(_PROFILE, profile)
        store.execute(_EVENT, {"profile": key})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--profiles", type=int, default=20)
    parser.add_argument("--samples", type=int, default=2_500_000, help="of each profile")
    given = parser.parse_args()
    scaled(given.source, given.target, profiles=given.profiles, samples=given.samples)


if __name__ == "__main__":
    main()
