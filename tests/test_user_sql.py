"""The fence around the user's SQL."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from command import run_text
from recordings import FIXTURES
from rows import mostly_slow

from perfduck_model.errors import PerfduckError
from perfduck_store.choice import SqlLimits
from perfduck_store.duckdb.store import DuckDbStore

RECORDING = FIXTURES / "perf_script" / "fields-pid" / "input.txt.xz"
PROGRAM = [sys.executable, "-c", "from perfduck_cli.main import main; main()"]


def perfduck(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_text(arguments)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sql") / "s.duckdb"
    assert perfduck("ingest", RECORDING, "--name", "p", "--store", path).returncode == 0
    return path


@pytest.fixture
def store(path: Path) -> Iterator[DuckDbStore]:
    with DuckDbStore(path) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "got"),
    mostly_slow(
        [
            ("", "nothing"),
            ("-- a comment", "nothing"),
            ("select 1; select 2", "SELECT and SELECT"),
            ("set threads = 1", "SET"),
            ("call enable_logging(storage='file', storage_config={'path': '/tmp/log'})", "CALL"),
            ("pragma enable_profiling", "PRAGMA"),
            ("create temp table x as select 1", "CREATE"),
            ("copy (select 1) to 'STORE.tmp/x'", "COPY"),
            ("export database 'x'", "EXPORT"),
            ("attach 'x' as y", "ATTACH"),
            ("install httpfs", "LOAD"),
            ("checkpoint", "CALL"),
            ("begin", "TRANSACTION"),
            ("delete from event", "DELETE"),
        ],
        5,
    ),
)
def test_only_one_query_is_run(store: DuckDbStore, text: str, got: str) -> None:
    with pytest.raises(
        PerfduckError, match=f"^sql: expected one query that reads .SELECT., got {got}$"
    ):
        store.user_sql(text, {}, SqlLimits())


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "from event",
        "values (1)",
        "with a as (select 1) from a",
        "describe hit",
        "show tables",
        "summarize event",
        "explain select 1",
        "pivot event on unit using sum(samples)",
        "select * from event where false",
        "select 1 as \"[/x]\", 'a:cat:b'",
    ],
)
def test_all_that_reads_is_run(store: DuckDbStore, text: str) -> None:
    assert store.user_sql(text, {}, SqlLimits()).width > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    mostly_slow([
        ("select * from read_csv('/etc/passwd')", "file system operations are disabled"),
        ("select * from glob('/etc/*')", "file system operations are disabled"),
        ("from 'x.csv'", "file system operations are disabled"),
        ("select interval 3 days", "INTERVAL: cast with ::varchar"),
        ("select 1 as a, 2 as b, 3 as a", "expected columns of different names, got a more than"),
        ("select 1 as a, null as b, interval 1 day as c, 'x'::blob as d",
         "expected columns that can be printed, got c INTERVAL: cast with ::varchar"),
        ("select 'infinity'::timestamp as t", "expected years 1 to 9999 in t"),
        ("select * from range(11)", r"expected at most 10 rows \(--max-rows N\), got more"),
        ("with recursive t as (select 1 n union all select n + 1 from t) select sum(n) from t",
         r"stopped after 0.3 s \(--timeout SECONDS for more\)"),
        ("select count(*) from range(1000000) a, range(1000000) b where a.range * b.range = 7",
         "stopped after"),
    ], 4),
)  # fmt: skip
def test_what_is_outside_the_fence_is_a_line(store: DuckDbStore, text: str, reason: str) -> None:
    with pytest.raises(PerfduckError, match=reason) as raised:
        store.user_sql(text, {}, SqlLimits(seconds=0.3, rows=10))
    assert "\n" not in str(raised.value)
    assert store.user_sql("select 7", {}, SqlLimits()).item() == 7


def test_memory_is_bounded(store: DuckDbStore) -> None:
    with pytest.raises(PerfduckError, match="Out of Memory"):
        store.user_sql(
            "select string_agg(repeat('x', 1000000), '') from range(300)",
            {},
            SqlLimits(memory_mb=64, spilled_mb=0),
        )


# One call of DuckDB, which it does not interrupt: a minute.
ONE_CALL = "select jaro_winkler_similarity(repeat('a', 2000000), repeat('b', 2000000))"


@pytest.mark.slow
def test_what_duckdb_does_not_interrupt_is_killed(store: DuckDbStore) -> None:
    store.user_sql("select 1", {}, SqlLimits())  # the process is there
    before = len(sql_processes())
    start = time.monotonic()
    with pytest.raises(PerfduckError, match=r"^sql: stopped after 0.5 s \(--timeout SECONDS"):
        store.user_sql(ONE_CALL, {}, SqlLimits(seconds=0.5))
    assert time.monotonic() - start < 2
    assert len(sql_processes()) == before - 1
    assert store.user_sql("select 7", {}, SqlLimits()).item() == 7


@pytest.mark.slow
def test_memory_that_duckdb_does_not_count_is_bounded(store: DuckDbStore) -> None:
    with pytest.raises(PerfduckError, match=r"an answer within 64 MB of memory|Out of Memory"):
        store.user_sql("select length(repeat('x', 3000000000))", {}, SqlLimits(60, memory_mb=64))


@pytest.mark.slow
def test_statements_share_a_process_and_threads_do_not(store: DuckDbStore) -> None:
    for _ in range(3):
        store.user_sql("select 1", {}, SqlLimits())
    assert 1 <= len(sql_processes()) <= 2
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(
            lambda n: store.user_sql(f"select {n} from range(1000000) limit 1", {}, SqlLimits()),
            range(12),
        )
        assert [answer.item() for answer in answers] == list(range(12))
    assert 1 <= len(sql_processes()) <= 2


def sql_processes() -> list[str]:
    """Children of this process that answer statements."""
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "stat,args"], capture_output=True, text=True
    )
    return [line for line in found.stdout.splitlines() if "sql_process" in line]


@pytest.mark.slow
def test_what_is_spilled_is_gone_when_the_process_is_killed(store: DuckDbStore, path: Path) -> None:
    sort = "select max(h) from (select hash(range) h, range from range(300000000) order by h, range"
    limits = SqlLimits(memory_mb=64)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(store.user_sql, f"{sort} limit 299999999)", {}, limits)
        while not (spilled := list(path.parent.glob(".perfduck-sql-*"))):
            assert not answer.done()
            time.sleep(0.02)
        os.kill(int(spilled[0].name.split("-")[-1].removesuffix(".tmp")), signal.SIGKILL)
        with pytest.raises(PerfduckError, match="the process that runs it was killed"):
            answer.result()
    assert not list(path.parent.glob(".perfduck-sql-*"))


@pytest.mark.slow
def test_who_writes_waits_no_longer_than_the_limit(path: Path, tmp_path: Path) -> None:
    """A process with a statement, and one that is killed with its own going on."""
    for kill in (False, True):
        store = tmp_path / f"s{kill}.duckdb"
        shutil.copy(path, store)
        words = ["sql", ONE_CALL, "--timeout", "3", "--store", str(store)]
        with subprocess.Popen([*PROGRAM, *words], stderr=subprocess.PIPE, text=True) as process:
            time.sleep(2)  # the statement runs
            if kill:
                process.kill()
            start = time.monotonic()
            done = perfduck("edit", "p", "--label", "a=b", "--store", store, "--wait", "20")
            waited = time.monotonic() - start
            _, said = process.communicate(timeout=30)
        assert (done.returncode, said) == (
            0, "" if kill else "perfduck: sql: stopped after 3 s (--timeout SECONDS for more)\n"
        )  # fmt: skip
        assert waited < 8, waited


def test_a_query_is_text(path: Path) -> None:
    done = perfduck("sql", os.fsdecode(b"select '\xff'"), "--store", path)
    assert (done.returncode, done.stderr) == (
        2, "perfduck: sql: expected text in UTF-8, got other bytes\n"
    )  # fmt: skip


def test_sums_are_numbers(path: Path) -> None:
    done = perfduck(
        "sql", "select sum(count) n from sample", "--format", "json", "--store", path
    )  # fmt: skip
    [row] = json.loads(done.stdout)
    assert isinstance(row["n"], int)
    assert row["n"] > 0


def test_a_parameter_that_the_query_lacks_is_an_error(store: DuckDbStore) -> None:
    with pytest.raises(PerfduckError, match=r"expected \$a in the query, for --param a"):
        store.user_sql("select $b", {"a": 1, "b": 2}, SqlLimits())


@pytest.mark.parametrize(
    "name",
    [
        ":memory:",
        "md:x",
        "postgres:dbname=x",
        "s3://b/x",
        "sqlite:x",
        "sqlite_scanner:x",
        "HTTP:x",
    ],
)
@pytest.mark.parametrize("command", [["profiles"], ["ingest", RECORDING]])
def test_a_store_is_a_file(command: list[str | Path], name: str, tmp_path: Path) -> None:
    done = perfduck(*command, "--store", name)
    assert done.returncode == 2
    assert done.stderr.startswith("perfduck: ")
    assert done.stderr.count("\n") == 1
    assert "got a prefix" in done.stderr


@pytest.mark.parametrize("command", [["profiles"], ["ingest", RECORDING]])
@pytest.mark.parametrize(
    ("kind", "got"),
    [
        ("sqlite", "a SQLite database"),
        ("text", "another file"),
        ("parquet", "a Parquet file"),
        ("directory", "a directory"),
        ("fifo", "a FIFO"),
        ("device", "a character device"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_other_things_are_no_store(
    command: list[str | Path], kind: str, got: str, tmp_path: Path
) -> None:
    store = tmp_path / "s.db"
    if kind == "sqlite":
        with sqlite3.connect(store) as connection:
            connection.execute("create table a(b)")
    elif kind == "directory":
        store.mkdir()
    elif kind == "fifo":
        os.mkfifo(store)
    elif kind == "device":
        store.symlink_to("/dev/zero")
    elif kind == "loop":
        store.symlink_to(store)
    else:
        store.write_bytes(b"PAR1" if kind == "parquet" else b"x" * 100)
    done = perfduck(*command, "--store", store)
    assert (done.returncode, done.stderr) == (
        2,
        f"perfduck: {store}: expected a store, got {got}\n",
    )


@pytest.mark.parametrize(
    "command", mostly_slow([["profiles"], ["top", "p"], ["ingest", RECORDING], ["tag"]], 5)
)
@pytest.mark.parametrize("place", [0, 4096, 8192, 12288, -262144])
def test_a_damaged_store_is_a_line(
    command: list[str | Path], place: int, path: Path, tmp_path: Path
) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1  # of the checksum of a block
    damaged = tmp_path / "s.duckdb"
    damaged.write_bytes(content)
    done = perfduck(*command, "--store", damaged)
    assert done.returncode in (0, 2)
    assert done.stderr.count("\n") <= 1


def test_a_store_may_have_a_name_that_leaves_room_for_its_log(tmp_path: Path) -> None:
    done = perfduck("ingest", RECORDING, "--store", str(tmp_path / ("x" * 250)))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "expected a file name of at most 247 bytes, got 250" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_store_has_a_path_in_utf8(tmp_path: Path) -> None:
    done = perfduck("profiles", "--store", os.fsdecode(bytes(tmp_path / "caf") + b"\xe9.duckdb"))
    assert done.returncode == 2
    assert "expected a path in UTF-8" in done.stderr


def test_numbers_that_are_none_are_printed(store_path: Path) -> None:
    DuckDbStore(store_path, write=True).close()
    query = "select sqrt(-1) n, 'inf'::double p, '-inf'::double m"
    done = perfduck("sql", query, "--store", store_path)
    assert done.stdout.split()[-3:] == ["nan", "inf", "-inf"]
