"""The store: all or nothing, one writer, content-addressed."""

import lzma
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from recordings import FIXTURES
from rows import mostly_slow

from perfduck.ingestion import IngestRequest, ingest
from perfduck_ingest.work import Work
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb import schema
from perfduck_store.duckdb.store import DuckDbStore

DEMO = FIXTURES / "demo"
NATIVE = str(DEMO / "native.udp64.1.txt.xz")
NAT = str(DEMO / "docker0-nat.udp64.1.txt.xz")
TABLES = ("event", "sample", "rollup", "stack", "stack_symbol", "stack_blame", "symbol",
          "leaf_offset", "skipped")  # fmt: skip
KEYS = (
    "profile",
    "event",
    "noise",
    "attachment",
    "limitation",
    "tag_input",
)  # tables that have one


def content(store: DuckDbStore) -> dict[str, list[tuple[object, ...]]]:
    return {table: sorted(map(repr, store.rows(f"from {table}"))) for table in TABLES}


@pytest.mark.slow
def test_self_weights_sum_to_the_weight_of_the_profile(store_path: Path) -> None:
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(NATIVE))
        leaves = """
            select sum(rollup.weight) from rollup
            join stack_symbol on stack_symbol.stack_id = rollup.stack_id and is_leaf"""
        assert store.rows(leaves) == store.rows("select sum(weight) from event")
        assert store.rows("select sum(weight) from hit") == store.rows(
            "select sum(weight) from event"
        )
        assert store.rows("select sum(weight) from leaf_offset")[0][0] > 0


@pytest.mark.slow
def test_every_stack_is_charged_once(store_path: Path) -> None:
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(NATIVE))
        assert store.rows(
            "select count(*), count(distinct stack_id) from stack_blame"
        ) == store.rows("select count(*), count(distinct stack_id) from stack")
        assert (
            store.rows(
                "select count(*) from stack_symbol group by stack_id having sum(is_leaf::int) <> 1"
            )
            == []
        )


@pytest.mark.slow
def test_the_same_content_twice_is_stored_once(store_path: Path, tmp_path: Path) -> None:
    plain = tmp_path / "again.txt"
    plain.write_bytes(lzma.decompress(Path(NATIVE).read_bytes()))
    with DuckDbStore(store_path, write=True) as store:
        assert ingest(store, IngestRequest(NATIVE)).is_new
        before = content(store)
        again = ingest(store, IngestRequest(str(plain)))
        assert (again.is_new, again.name) == (False, "native.udp64.1")
        assert content(store) == before


@pytest.mark.slow
def test_what_is_said_later_of_a_stored_recording_is_kept(store_path: Path) -> None:
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(NATIVE))
        said = IngestRequest(NATIVE, work=Work(2168120, "packet"), labels={"scenario": "native"})
        assert not ingest(store, said).is_new
        assert store.rows("select work, work_unit, labels from profile") == [
            (2168120, "packet", {"scenario": "native"})
        ]


@pytest.mark.slow
def test_import_order_does_not_matter(tmp_path: Path) -> None:
    contents = []
    for number, order in enumerate(((NATIVE, NAT), (NAT, NATIVE))):
        with DuckDbStore(tmp_path / f"{number}.duckdb", write=True) as store:
            for source in order:
                ingest(store, IngestRequest(source))
            contents.append(content(store))
    assert contents[0] == contents[1]


def make(path: Path, creation: str) -> None:
    """A store with tables of its own."""
    with duckdb.connect(str(path)) as empty:
        empty.execute(creation)


@pytest.mark.slow
@pytest.mark.parametrize("key", mostly_slow(["bigint not null", "bigint primary key"], 2))
def test_what_recordings_share_is_stored_once(key: str, store_path: Path) -> None:
    """Also in stores whose tables have keys."""
    table = r"(create table (?:stack|stack_blame|symbol) \(\n\s+\w+\s+)bigint not null"
    creation = re.sub(table, rf"\1{key}", schema.creation())
    make(store_path, creation)
    with DuckDbStore(store_path, write=True) as store:
        receipts = [ingest(store, IngestRequest(source)) for source in (NATIVE, NAT)]
        for table, counted in (
            ("stack", "stacks"),
            ("symbol", "symbols"),
            ("stack_blame", "stacks"),
        ):
            ids = f"count(*), count(distinct {table.removesuffix('_blame')}_id)"
            [(rows, distinct)] = store.rows(f"select {ids} from {table}")
            assert rows == distinct < sum(getattr(receipt, counted) for receipt in receipts)
        [(rows, distinct)] = store.rows(
            "select count(*), count(distinct (stack_id, symbol_id)) from stack_symbol"
        )
        assert rows == distinct
        keys = store.rows(
            "select count(*) from duckdb_constraints() where constraint_type like 'P%'"
        )
        assert keys == [(len(KEYS) + 3 * ("key" in key),)]


@pytest.mark.slow
def test_why_samples_are_not_stored_is_told(store_path: Path) -> None:
    """And not what follows from it, in the thread that tags."""
    table = "create table rollup ("
    assert table in schema.creation()
    make(store_path, schema.creation().replace(table, f"{table} check (profile_id is null),"))
    with DuckDbStore(store_path, write=True) as store:
        with pytest.raises(duckdb.Error, match='constraint failed on table "rollup"'):
            ingest(store, IngestRequest(NATIVE))
        assert store.rows("select count(*) from sample") == [(0,)]
        assert store.rows("select count(*) from stack") == [(0,)]


@pytest.mark.slow
def test_another_recording_needs_another_name(store_path: Path) -> None:
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(NATIVE, name="x"))
        with pytest.raises(PerfduckError, match="another recording is stored as 'x'"):
            ingest(store, IngestRequest(NAT, name="x"))
        assert store.rows("select count(*) from profile") == [(1,)]


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(100_000))


def prose(path: Path) -> None:
    path.write_text("It was a dark and stormy night.\nNobody profiled anything.\n" * 100)


def numbers(path: Path) -> None:
    path.write_text("hello 1 2\nthere are 12\n" * 10)


def cut_xz(path: Path) -> None:
    path.write_bytes(Path(NATIVE).read_bytes()[:50_000])


def cut_text(path: Path) -> None:
    path.write_bytes(lzma.decompress(Path(NATIVE).read_bytes())[:1_000_010])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "garbage": (garbage, r"bad:1: expected a recording \(.*\), got binary data"),
    "prose": (prose, r"bad:1: expected a recording \(.*\), got 'It was a dark"),
    "numbers": (numbers, r"bad:1: expected a recording \(.*\), got 'hello 1 2'"),
    "empty": (
        lambda path: path.write_bytes(b""),
        r"bad:1: expected a recording, got an empty file",
    ),
    "directory": (lambda path: path.mkdir(), r"bad: expected a recording .*got a directory"),
    "missing": (lambda path: None, r"bad: expected a recording, got No such file"),
    "cut xz": (cut_xz, r"bad: expected a whole compressed file, got"),
    "cut text": (cut_text, r"bad:\d+: expected a whole line, got"),
    "header only": (
        lambda path: path.write_bytes(
            (FIXTURES / "perf_script/header-only/input.txt").read_bytes()
        ),
        r"bad:1: expected a recording",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("make", "message"), mostly_slow(BAD.values(), 4), ids=BAD.keys())
def test_bad_input_is_one_line_and_changes_nothing(
    make: Callable[[Path], object], message: str, tmp_path: Path, store_path: Path
) -> None:
    bad = tmp_path / "bad"
    make(bad)
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(NAT))
        before = content(store)
        with pytest.raises(PerfduckError) as error:
            ingest(store, IngestRequest(str(bad)))
        assert re.search(message, str(error.value))
        assert "\n" not in str(error.value)
        assert content(store) == before


def test_a_store_of_another_schema_version_is_refused(store_path: Path) -> None:
    DuckDbStore(store_path, write=True).close()
    with duckdb.connect(str(store_path)) as connection:
        connection.execute("update meta set schema_version = 999")
    with pytest.raises(PerfduckError, match=r"expected schema version .*, got 999"):
        DuckDbStore(store_path)


def test_another_duckdb_file_is_refused(store_path: Path) -> None:
    with duckdb.connect(str(store_path)) as connection:
        connection.execute("create table mine (x integer)")
    with pytest.raises(PerfduckError, match="expected a perfduck store, got another DuckDB file"):
        DuckDbStore(store_path, write=True)


@pytest.mark.parametrize("write", [True, False])
def test_a_store_with_functions_of_its_own_is_refused(store_path: Path, write: bool) -> None:
    DuckDbStore(store_path, write=True).close()
    with duckdb.connect(str(store_path)) as connection:
        connection.execute("create macro max(x) as (select content from read_text('/etc/passwd'))")
    with pytest.raises(PerfduckError, match="got one with functions of its own"):
        DuckDbStore(store_path, write=write)


def test_a_store_that_is_fenced_opens_no_other_file(store_path: Path) -> None:
    DuckDbStore(store_path, write=True).close()
    with DuckDbStore(store_path) as store:
        store.fence()
        with pytest.raises(duckdb.PermissionException, match="disabled"):
            store.rows("select content from read_text('/etc/passwd')")


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a store\n" * 1000)
    with pytest.raises(PerfduckError, match=r"notes\.txt: expected a store, got"):
        DuckDbStore(tmp_path / "notes.txt", write=True)


HOLD = """
import sys, time
from pathlib import Path
from perfduck_store.duckdb.store import DuckDbStore
store = DuckDbStore(Path(sys.argv[1]), write=True)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
store.close()
"""


def holder(path: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.slow
def test_a_second_process_waits_for_the_store(store_path: Path) -> None:
    with holder(store_path, 0.5):
        DuckDbStore(store_path, wait_s=20).close()


@pytest.mark.slow
def test_a_closed_store_is_free(store_path: Path) -> None:
    closed = DuckDbStore(store_path, write=True)
    ingest(closed, IngestRequest(NATIVE))
    closed.close()
    with holder(store_path, 0):
        pass
    assert [path.name for path in store_path.parent.iterdir()] == [store_path.name]


@pytest.mark.slow
def test_a_second_process_says_who_holds_the_store(store_path: Path) -> None:
    with holder(store_path, 60) as process:
        with pytest.raises(PerfduckError, match=rf"process {process.pid} .* holds it"):
            DuckDbStore(store_path, wait_s=0.2)
        process.kill()


@pytest.mark.slow
def test_kill_at_any_moment_leaves_exactly_the_acknowledged_profiles(
    store_path: Path, tmp_path: Path
) -> None:
    sources = sorted(str(path) for path in DEMO.glob("*.txt.xz"))
    random_moment = random.Random(20261123)
    acknowledged: set[str] = set()
    for _ in range(6):
        acknowledged |= ingest_until_killed(store_path, sources, random_moment.uniform(0.6, 2.5))
        with DuckDbStore(store_path, write=True) as store:
            names = {name for (name,) in store.rows("select name from profile")}
            whole = store.rows("""
                select profile.name from profile
                join event on event.profile_id = profile.profile_id
                where event.samples = (select sum(count) from sample
                    where sample.profile_id = profile.profile_id)""")
        # One more may be in: killed between the commit and the word of it.
        assert acknowledged <= names
        assert len(names - acknowledged) <= 1
        assert {name for (name,) in whole} == names
        acknowledged |= names


def ingest_until_killed(store_path: Path, sources: list[str], seconds: float) -> set[str]:
    program = "from perfduck_cli.main import main; main()"
    command = [sys.executable, "-c", program, "ingest", *sources]
    process = subprocess.Popen(
        [*command, "--store", str(store_path)], stdout=subprocess.PIPE, text=True
    )
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    told, _ = process.communicate()
    return {line.split(":")[0] for line in told.splitlines() if line.endswith("nothing added")} | {
        line.split(":")[0] for line in told.splitlines() if line.endswith("symbols")
    }


def test_ctrl_c_while_a_statement_runs_is_no_bug(store_path: Path) -> None:
    """Of a signal duckdb makes a RuntimeError, which would be reported as a bug."""

    def interrupted(store: DuckDbStore) -> None:
        with store._held():
            raise RuntimeError("Query interrupted")  # noqa: EM101  # duckdb's words

    with DuckDbStore(store_path, write=True) as store, pytest.raises(KeyboardInterrupt):
        interrupted(store)
