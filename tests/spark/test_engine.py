"""`--engine sc://HOST:PORT`: commands print what they print with DuckDB, byte for byte; what the
engine cannot do, or is not there, is a line."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import run_text
from lake_oracle import Oracle
from lakes import line, say, script
from spark_cluster import Cluster

from perfduck_model.errors import PerfduckError
from perfduck_store.choice import Choice, SqlLimits
from perfduck_store.lake.store import LakeStore
from perfduck_store.spark.address import engine_at
from perfduck_store.spark.session import EngineSession, failure
from perfduck_store.spark.store import SparkStore

SAME_LABELS = "select labels['scenario'] as s, sum(work) as w from profile group by all order by s"
COMMANDS = [
    ["top", "*", "--format", "json"],
    ["top", "*", "--by", "pod", "--format", "json"],
    ["top", "*", "--by", "program"],
    ["top", "*", "ip_output", "--by", "callees", "--format", "json"],
    ["top", "*", "--cpu", "0", "--skip", "100ms", "--subsystem", "nat", "--format", "json"],
    ["top", "*", "--comm", "nothing"],
    ["compare", "*", "--over", "scenario", "--format", "json"],
    ["diff", "native.*", "docker0-nat.*", "--format", "json"],
    ["export", "native.udp64.1", "--format", "firefox", "--cpu", "0"],
    ["trend", "*", "--over", "scenario", "--format", "json"],
    ["sql", SAME_LABELS, "--format", "json", "--timeout", "600"],
    ["sql", "select blamed, sum(weight) as w from hit where comm <> $c group by all"
     " order by w desc, blamed limit 3", "--param", "c=x", "--timeout", "600"],
]  # fmt: skip
RPC = """<_InactiveRpcError of RPC that terminated with:
\tstatus = StatusCode.{}
\tdetails = "{}"
\tdebug_error_string = "UNKNOWN:Error received from peer"
>"""


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.url


def same(words: list[str], lake: Path, url: str) -> None:
    """The command says the same with the engine."""
    place = ["--store", f"lake:{lake}"]
    expected, found = run_text([*words, *place]), run_text([*words, *place, "--engine", url])
    assert (found.returncode, found.stderr) == (expected.returncode, expected.stderr)
    assert found.stdout == expected.stdout


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_says_what_it_says_with_duckdb(words: list[str], lake: Path, url: str) -> None:
    same(words, lake, url)


@pytest.mark.slow
def test_names_that_twenty_machines_delivered_count_once(url: str, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    for run in range(20):
        # A chain of its own: parts that are equal are one file.
        head = f"app  7/7  [000] {run}.900000:  1000 cpu-clock: \n"
        own = f"{head}\tffffffff81000099 own_{run}+0x0 ([kernel.kallsyms])\n\n"
        text = tmp_path / f"run-{run}.txt"
        text.write_text(script(run) + own)
        say("ingest", text, "--store", f"lake:{lake}")
    oracle = Oracle(lake)
    assert len(list(oracle.rows("stack"))) == 20 * (len(oracle.stacks) - 19)
    names = sorted(oracle.profiles)
    [event] = {row["event"] for row in oracle.rows("sample")}
    expected = oracle.ranking(
        oracle.samples(names, event), lambda symbol: symbol["name"], lambda row: row["symbol_id"]
    )
    choice = Choice(profiles=[oracle.profiles[each] for each in names], events=[(event,)] * 20)
    for opened in (LakeStore(lake), SparkStore(lake, engine_at(url))):
        with opened as store:
            rows = store.samples(choice).rank("function", 100).to_dicts()
        found = {row["function"]: (row["self"], row["total"]) for row in rows}
        assert found == {name: sums[:2] for name, sums in expected.items() if isinstance(name, str)}


@pytest.mark.slow
def test_tags_removals_and_compactions_are_seen(lake: Path, url: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(lake, copy)
    rules = tmp_path / "rules.csv"
    rules.write_text("symbol,area,subsystem,role\n^ip_,ours,our_ip,domain\n")
    say("compact", "--store", f"lake:{copy}", "--keep", "0h")
    say("rm", "native.udp64.1", "--store", f"lake:{copy}")
    say("tag", "--rules", rules, "--store", f"lake:{copy}")
    same(["top", "*", "--by", "subsystem", "--format", "json"], copy, url)


@pytest.mark.slow
def test_a_killed_worker_changes_no_row(lake: Path, cluster: Cluster) -> None:
    text = (
        "select one.blamed, count(*) as pairs, sum(two.count) as counts from hit as one"
        " join hit as two on two.profile = one.profile and two.time_ns <> one.time_ns"
        " group by all order by all"
    )
    limits = SqlLimits(seconds=500)
    with LakeStore(lake) as store:
        expected = store.user_sql(text, {}, limits).rows()
    found: list[object] = []

    def ask() -> None:
        with SparkStore(lake, engine_at(cluster.url)) as store:
            found.extend(store.user_sql(text, {}, limits).rows())

    asking = threading.Thread(target=ask)
    asking.start()
    cluster.wait_for_task()
    cluster.kill_worker()
    assert asking.is_alive()
    asking.join()
    cluster.add_worker()
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("drop view hit", "expected one query that reads (SELECT)"),
        ("create table t as select 1", "expected one query that reads (SELECT)"),
        ("insert into sample select * from sample", "expected one query that reads (SELECT)"),
        ("set spark.sql.runSQLOnFiles = true", "expected one query that reads (SELECT)"),
        ("select 1; select 2", "expected one query that reads (SELECT)"),
        ("select 1) as a, (select 2", "expected one query that reads (SELECT)"),
        ("select * from csv.`/etc/passwd`", "csv"),
        ("select * from nothing", "nothing"),
        ("select * from range(100)", "at most 10 rows"),
        ("select 1 -- as x", ""),
    ],
)
def test_sql_reads_the_tables_of_the_lake(text: str, says: str, lake: Path, url: str) -> None:
    with SparkStore(lake, engine_at(url)) as store:
        if not says:
            assert store.user_sql(text, {}, SqlLimits(seconds=500)).rows() == [(1,)]
            return
        with pytest.raises(PerfduckError) as refused:
            store.user_sql(text, {}, SqlLimits(rows=10, seconds=500))
    assert str(refused.value).startswith("sql: ")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_files_that_the_cluster_does_not_see_are_a_line(url: str) -> None:
    session = EngineSession(engine_at(url))
    with pytest.raises(PerfduckError, match="expected a cluster that sees the files of the lake"):
        session.keep_parts("part", ["file:///nowhere/part.parquet"], ["run"])
    session.close()


@pytest.mark.slow
def test_a_query_that_takes_too_long_is_stopped(lake: Path, url: str) -> None:
    started = time.monotonic()
    text = "select sum(a.id % 7 * b.id % 7) from range(1000000) as a, range(1000000) as b"
    with SparkStore(lake, engine_at(url)) as store, pytest.raises(PerfduckError, match="stopped"):
        store.user_sql(text, {}, SqlLimits(seconds=20))
    assert time.monotonic() - started < 300


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that is none of Spark's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                taken, _ = server.accept()
                taken.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
                taken.close()

        thread = threading.Thread(target=serve)
        thread.start()
        number = server.getsockname()[1]
        yield number
        ended.set()
        socket.create_connection(("127.0.0.1", number)).close()
        thread.join()


def test_another_server_is_a_line(port: int, lake: Path) -> None:
    engine = f"sc://127.0.0.1:{port}"
    said = line("top", "*", "--store", f"lake:{lake}", "--engine", engine)
    assert said.startswith(f"perfduck: {engine}: expected a Spark Connect server, got ")


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        ("sc://127.0.0.1:1", "sc://127.0.0.1:1: expected a Spark Connect server, got "),
        ("spark://host:7077", "--engine: expected sc://HOST:PORT of a Spark Connect server"),
        ("sc://host:99999", "--engine: expected sc://HOST:PORT of a Spark Connect server"),
        ("", "--engine: expected sc://HOST:PORT of a Spark Connect server, got nothing"),
    ],
)
def test_an_engine_that_is_not_there_is_a_line(engine: str, says: str, lake: Path) -> None:
    assert says in line("top", "*", "--store", f"lake:{lake}", "--engine", engine)


def test_an_engine_reads_lakes_and_changes_none(
    lake: Path, demo_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, place = ["--engine", "sc://127.0.0.1:1"], ["--store", f"lake:{lake}"]
    assert "expected lake:DIRECTORY" in line("top", "*", "--store", demo_store, *engine)
    assert "no such option: --engine" in line("tag", *place, *engine)
    monkeypatch.setenv("PERFDUCK_ENGINE", engine[1])
    said = line("top", "*", "--store", demo_store)
    assert said.startswith("perfduck: $PERFDUCK_ENGINE: expected lake:DIRECTORY")
    for words in ("export *", "trend * --over scenario", "budget suggest *"):
        assert "expected a Spark Connect server" in line(*words.split(), *place)
    done = run_text(["profiles", *place])
    assert (done.returncode, done.stdout.count("\n")) == (0, 6)
    assert "$PERFDUCK_ENGINE is not used by this command" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RPC.format("UNAVAILABLE", "Socket closed"),
         "expected a server that goes on answering, got no connection that lasts: Socket closed"),
        (RPC.format("UNIMPLEMENTED", ""), "expected an answer, got a server of something else"),
        (RPC.format("UNAUTHENTICATED", "no key"), "a refusal without a token (sc://HOST:PORT/;"),
        ("(org.apache.spark.SparkSQLException) [OPERATION_CANCELED] Operation has been canceled.",
         "expected a query that nobody cancels there, got [OPERATION_CANCELED]"),
        ("Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent"
         " failure: ExecutorLostFailure (executor 1 exited)\nDriver stacktrace:\n\n\nat x",
         "expected workers that go on, got Job aborted"),
    ],
)  # fmt: skip
def test_what_ends_a_query_is_a_line(text: str, says: str) -> None:
    said = str(failure(engine_at("sc://spark:15002/;token=secret"), text))
    assert said.startswith("sc://spark:15002: ")
    assert says in said
    assert "\n" not in said
