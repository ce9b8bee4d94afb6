"""Every query about samples, on DuckDB and in one session of Spark: the same rows, of recordings in
which each has something to find. What DuckDB answers test_queries.py holds against plain Python."""

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from lakes import say
from msgspec.structs import replace
from spark_cluster import Cluster

from perfduck_store.choice import By, Choice, PodOfCgroup
from perfduck_store.duckdb import samples as asking
from perfduck_store.duckdb.schema import named
from perfduck_store.lake.store import LakeStore
from perfduck_store.picked_samples import PickedSamples
from perfduck_store.spark.address import engine_at
from perfduck_store.spark.store import SparkProfiles, SparkStore, SparkSymbols
from perfduck_store.spark.tables import SparkTables

QUERIES = Path(asking.__file__).parent / "queries"
POD, HOST = "/kubepods/pod74c13223-5a00-11e9-b385-42010a80018d/one", "/system.slice"
PODS = [PodOfCgroup(POD, "pod", "main"), PodOfCgroup(HOST, "[host] system.slice")]
PROGRAM = "bpf_prog_6deef7357e7b4530"
CHAINS = [
    "udp_rcv net_rx_action handle_softirqs run_ksoftirqd",
    f"{PROGRAM}_cil_from_container {PROGRAM}_tail_handle_ipv4 ip_output do_syscall_64",
    "[unknown] ip_output do_syscall_64",
    "clear_page do_syscall_64",
    "ip_output nf_hook_slow ip_output do_syscall_64",
    "default_idle do_idle",
    "_raw_spin_unlock_irqrestore virtnet_poll net_rx_action handle_softirqs irq_exit_rcu",
]
# A query that is asked takes seconds of CPU time, of which most is for code that Spark makes of it.
SETTINGS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}
Ask = Callable[[PickedSamples], Any]
OF_ALL: list[Ask] = [
    lambda samples: samples.weights(),
    lambda samples: samples.values("comm"),
    lambda samples: samples.values("cpu"),
    lambda samples: samples.values("cgroup"),
    lambda samples: samples.values("netns"),
    lambda samples: samples.runs(),
    lambda samples: samples.rollup(),
    lambda samples: samples.by_netns(),
    lambda samples: samples.stacks(),
    lambda samples: samples.programs(),
    lambda samples: samples.rank("function", 100),
    lambda samples: samples.rank("path", 100),
    lambda samples: samples.rank("subsystem", 100),
    lambda samples: samples.rank("comm", 100),
    lambda samples: samples.rank("dso", 100),
    lambda samples: samples.rank("program", 100),
    lambda samples: samples.calls("ip_output", 100, callees=False),
    lambda samples: samples.timeline(1_000_000),
    lambda samples: samples.with_arcs(),
    lambda samples: samples.without_callers(),
    lambda samples: samples.comms([0, 1]),
    lambda samples: samples.tag_methods([0, 1]),
    lambda samples: samples.unnamed([0, 1]),
    lambda samples: samples.artefacts([0, 1]),
    lambda samples: samples.like_runs(9),
    lambda samples: samples.stack_weights([0, 1]),
    lambda samples: samples.chains(),
    lambda samples: samples.functions(),
    lambda samples: samples.samples(1, with_times=True),
]
OF_SOME: list[Ask] = [lambda samples: samples.rollup()]
OF_PODS: list[Ask] = [
    lambda samples: samples.values("pod"),
    lambda samples: samples.by_pod(),
    lambda samples: samples.rank("pod", 100),
    lambda samples: samples.missed_ticks(),
    lambda samples: samples.beside_pods(),
]


class NotedTables(SparkTables):
    """Notes which statements are asked."""

    def __init__(self, store: SparkStore) -> None:
        super().__init__(store, store.spark.session)
        self.asked: set[str] = set()

    def show_for(self, sql: str) -> None:
        """Before each."""
        self.asked.add(sql)
        super().show_for(sql)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    for run in range(2):
        text = tmp_path / f"run-{run}.txt"
        text.write_text("".join(sample(run, number) for number in range(28)))
        say("ingest", text, "--store", f"lake:{tmp_path}/lake", "--kernel", "6.18.44")
    return tmp_path / "lake"


def sample(run: int, number: int) -> str:
    """perf script text."""
    names = CHAINS[number % len(CHAINS)].split()
    frames = "".join(
        f"\t{0xFFFFFFFF81000000 + 4096 * len(name):x} {name}+0x0 ([kernel.kallsyms])\n"
        for name in names
    )
    head = f"app{number % 3}  7/7  [{number % 2:03}] {run}.{number:06}:  1000 cpu-clock: "
    return f"{head}{(POD, HOST)[number % 2]}\n{frames}\n"


@pytest.fixture
def spark(cluster: Cluster, lake: Path) -> Iterator[SparkStore]:
    with SparkStore(lake, engine_at(cluster.url)) as store:
        store.spark = NotedTables(store)
        store.profiles, store.symbols = SparkProfiles(store), SparkSymbols(store)
        for name, value in SETTINGS.items():
            store.spark.session.run(f"set {name} = {value}")
        yield store


@pytest.mark.slow
def test_rows_of_every_query_are_those_of_duckdb(lake: Path, spark: SparkStore) -> None:
    profiles = sorted(spark.state.recordings())
    everything = Choice(profiles=profiles, events=[("cpu-clock",)] * len(profiles))
    some = replace(everything, values={"cpu": ["1"], "dso": ["[kernel.kallsyms]"]})
    of_pod = replace(everything, pods=PODS, keep=["cgroup"], values={"pod": ["pod"]})
    with LakeStore(lake) as here:
        for choice, asks in ((everything, OF_ALL), (some, OF_SOME), (of_pod, OF_PODS)):
            for ask in asks:
                assert rows(ask(spark.samples(choice))) == rows(ask(here.samples(choice)))
        assert spark.profiles.first_ns(profiles) == here.profiles.first_ns(profiles)
        assert spark.symbols.tagged().rows() == here.symbols.tagged().rows()
    assert isinstance(spark.spark, NotedTables)
    assert {name for name in queries() if named(name) not in spark.spark.asked} == set()


def rows(answer: Any) -> list[str]:
    """Sorted: in which order they are is what commands print (test_engine.py)."""
    if isinstance(answer, pl.DataFrame):
        return sorted(map(repr, answer.rows(named=True)))
    if isinstance(answer, dict):
        return sorted(map(repr, answer.items()))
    return sorted(map(repr, answer)) if isinstance(answer, list) else [repr(answer)]


def queries() -> set[str]:
    """Those of samples.py, which has parameters and columns of their names as well."""
    words = set(re.findall(r'"(\w+)"', inspect.getsource(asking))) - {"events", "profiles"}
    names = words | {f"top_{by}" for by in get_args(By)}
    return {name for name in names if (QUERIES / f"{name}.sql").exists()}
