"""rm, edit, prune and merge: what they do and say, and what is left behind."""

import lzma
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import duckdb
import pytest
from recordings import FIXTURES
from rows import mostly_slow
from set_limits import SetLimits

from perfduck_cli.main import app
from perfduck_diff.top import top
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb import schema
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.duckdb.store_file import Engine

pytestmark = pytest.mark.slow

DEMO = FIXTURES / "demo"
NATIVE = str(DEMO / "native.udp64.1.txt.xz")
# What a store has once, whoever recorded it.
SHARED = {"stack", "stack_symbol", "stack_blame", "symbol", "elf_function", "noise", "tag_input"}
Run = Callable[..., str]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """calls (OProfile, edges), net-chain (run=2, attachments), v7-default (run=1)."""
    path = tmp_path_factory.mktemp("care") / "small.duckdb"
    path.write_bytes(lzma.decompress((FIXTURES / "store" / "schema-1.duckdb.xz").read_bytes()))
    DuckDbStore(path).close()
    return path


@pytest.fixture
def store(small: Path, store_path: Path) -> Path:
    return Path(shutil.copy(small, store_path))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """What a command writes to stdout, behind that what it writes to stderr."""

    def command(*arguments: str | Path, store: Path) -> str:
        app([*map(str, arguments), "--store", str(store)], standalone_mode=False)
        written = capsys.readouterr()
        return written.out + written.err

    return command


def rows(path: Path) -> dict[str, list[str]]:
    with DuckDbStore(path) as store:
        tables = store.rows(  # columns by name: those of an upgraded store have another order
            "select table_name, string_agg('\"' || column_name || '\"', ', ' order by column_name)"
            " from duckdb_tables() join duckdb_columns() using (table_name) group by table_name"
        )
        return {table: sorted(map(str, store.rows(f"select {columns} from {table}")))
                for table, columns in tables}  # fmt: skip


def names(path: Path) -> list[str]:
    with DuckDbStore(path) as store:
        return [name for (name,) in store.rows("select name from profile order by name")]


def test_every_table_is_of_a_profile_or_shared(store: Path) -> None:
    """A new table must be removed and merged with the rest."""
    with DuckDbStore(store, write=True) as opened:
        of_profiles = {
            table
            for (table,) in opened.rows(
                "select table_name from duckdb_columns() where column_name = 'profile_id'"
            )
        }
    assert of_profiles - {"hit"} | SHARED | {"meta"} == set(rows(store))


def test_rm_leaves_nothing_of_a_recording(run: Run, store: Path) -> None:
    assert run("rm", "calls+v7-default", store=store) == (
        "calls: removed (1265 samples)\nv7-default: removed (182 samples)\n"
    )
    left = rows(store)
    assert names(store) == ["net-chain"]
    assert (len(left["sample"]), len(left["edge"]), len(left["attachment"])) == (244, 0, 2)
    assert len(left["stack"]) == len(left["stack_blame"]) == 127
    assert len(left["symbol"]) == 250
    with DuckDbStore(store) as opened:
        assert opened.rows(
            "select count(*) from stack_symbol anti join symbol using (symbol_id)"
        ) == [(0,)]
        assert top(opened, "net-chain", "function").rows.height > 10
    run("rm", "*", store=store)
    empty = rows(store)
    assert {table for table, content in empty.items() if content} == {"meta", "noise"}


def test_a_dry_run_removes_nothing(run: Run, store: Path) -> None:
    before = rows(store)
    assert run("rm", "*", "--dry-run", store=store) == (
        "calls: would be removed (1265 samples)\n"
        "net-chain: would be removed (244 samples)\n"
        "v7-default: would be removed (182 samples)\n"
    )
    assert rows(store) == before


LONG = """
insert into sample select sample.* replace (time_ns + hash(i) % 1_000_000_000 as time_ns)
from sample, range(4000) as t(i)
where profile_id = (select profile_id from profile where name = 'net-chain')"""


def test_rm_makes_the_file_smaller(run: Run, store: Path) -> None:
    with DuckDbStore(store, write=True) as opened:
        opened.execute(LONG)
    store.chmod(0o640)
    size = store.stat().st_size
    said = run("rm", "net-chain", store=store)
    small = store.stat().st_size
    assert said.startswith("net-chain: removed (244 samples)\nstore: ")
    assert said.endswith(f" MB -> {small / 1e6:.1f} MB\n")
    assert small < 0.5 * size
    assert store.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in store.parent.iterdir()] == [store.name]
    assert names(store) == ["calls", "v7-default"]


def test_a_removed_recording_can_come_back(run: Run, store: Path) -> None:
    run("ingest", NATIVE, store=store)
    before, size = rows(store), store.stat().st_size
    for _ in range(3):
        run("rm", "native.udp64.1", store=store)
        run("ingest", NATIVE, store=store)
    after = rows(store)
    assert [table for table in before if after[table] != before[table]] == ["profile"]  # its time
    assert store.stat().st_size < 1.5 * size


def test_files_that_are_replaced_again_and_again_do_not_fill_the_disk(
    run: Run, store: Path, tmp_path: Path
) -> None:
    file, size = tmp_path / "notes", store.stat().st_size
    for number in range(12):
        file.write_text(f"{number}\n" + random.Random(number).randbytes(1_000_000).hex())
        run("attach", "calls", f"notes={file}", store=store)
    assert store.stat().st_size < size + 5 * file.stat().st_size


class Attaching:
    """A connection that says when it has attached a store."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, on_attach: Callable[[], None]):
        self._connection, self._on_attach = connection, on_attach

    def execute(self, sql: str, parameters: object = None) -> object:
        answer = self._connection.execute(sql, parameters)
        if sql.startswith("attach "):
            self._on_attach()
        return answer

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


class LateEngine(Engine):
    """The file of the store is replaced when it has been attached."""

    def __init__(self, path: Path, smaller: Path) -> None:
        super().__init__(path)
        self._smaller, self._place, self.attached = smaller, path, 0

    def connection(self) -> duckdb.DuckDBPyConnection:
        return cast(duckdb.DuckDBPyConnection, Attaching(super().connection(), self._replace))

    def _replace(self) -> None:
        self.attached += 1
        if self.attached == 1:
            self._smaller.replace(self._place)


def test_a_store_that_was_replaced_meanwhile_is_opened_again(store: Path) -> None:
    """Another process opened the old file and got its lock when the copy was in its place."""
    engine = LateEngine(store, Path(shutil.copy(store, store.with_name("smaller"))))
    with DuckDbStore(store, write=True, engine=engine) as written:
        assert engine.attached == 2
        written.execute("update profile set host = 'kept' where name = 'calls'")
    with DuckDbStore(store) as read:
        assert read.rows("select host from profile where name = 'calls'") == [("kept",)]


def test_without_room_for_a_copy_the_store_stays(
    run: Run, store: Path, set_limits: SetLimits
) -> None:
    free = shutil.disk_usage(store.parent).free
    set_limits(compact_percent=0, disk_reserve_bytes=2 * free)
    assert run("rm", "calls", store=store) == "calls: removed (1265 samples)\n"
    assert names(store) == ["net-chain", "v7-default"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["calls", "--name", "c++"], "c++: renamed from calls\n"),
        (["calls", "--work", "5", "--unit", "packet"], "calls: work is 5 packets\n"),
        (["net-chain", "--work", "5", "--unit", "packet"],
         "net-chain: work is 5 packets (was 2,000 packets)\n"),
        (["net-chain", "--work", "5"], "net-chain: work is 5 packets (was 2,000 packets)\n"),
        (["calls", "--work", "5"], "calls: work is 5 units\n"),
        (["scenario=pods", "--label", "run=2", "--unlabel", "workload"],
         "net-chain: label workload=udp64 removed\n"
         "v7-default: label run=2 (was 1), label workload=udp64 removed\n"),
        (["*", "--label", "scenario=pods"],
         "calls: label scenario=pods added\nnet-chain: nothing changed\n"
         "v7-default: nothing changed\n"),
    ],
)  # fmt: skip
def test_edit_says_what_it_changed(options: list[str], said: str, run: Run, store: Path) -> None:
    assert run("edit", *options, store=store) == said


@pytest.mark.parametrize(
    ("arguments", "message"),
    mostly_slow(
        [
            (
                ["edit", "calls"],
                "expected something to change: --name, --work, --label or --unlabel",
            ),
            (
                ["edit", "*", "--name", "x"],
                "--name x: expected one profile, got calls, net-chain, v7",
            ),
            (
                ["edit", "calls", "--name", "net-chain"],
                "another recording is stored as 'net-chain'",
            ),
            (["edit", "calls", "--name", ""], "--name: expected a name of printable characters"),
            (["edit", "calls", "--unit", "x"], "--unit x: expected --work N with it"),
            (["edit", "calls", "--label", "work=1"], "which cannot be a label: give --work"),
            (
                ["edit", "*", "--unlabel", "senario"],
                "got none (did you mean scenario? labels: run, s",
            ),
            (["edit", "*", "--unlabel", "run", "--label", "run=1"], "that --label does not give"),
            (["edit", "net", "--label", "a=b"], "net: expected a profile name, glob or label, got"),
            (["rm", "net"], "net: expected a profile name, glob or label, got none that matches"),
            (
                ["prune", "*", "--older-than", "90"],
                "--older-than 90: expected an age with its unit, such as 36h",
            ),
            (
                ["prune", "*", "--older-than", "3m"],
                "--older-than 3m: expected an age with its unit, such as 36h",
            ),
            (["merge", "gone.duckdb"], "gone.duckdb: expected a store, got no such file"),
        ],
        4,
    ),
)
def test_mistakes_change_nothing(arguments: list[str], message: str, run: Run, store: Path) -> None:
    before = rows(store)
    with pytest.raises(PerfduckError) as error:
        run(*arguments, store=store)
    assert message in str(error.value)
    assert rows(store) == before


@pytest.mark.parametrize("command", [["rm", "*"], ["edit", "*", "--name", "x"], ["attach", "*"]])
def test_they_make_no_store(command: list[str], run: Run, store_path: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text("x")
    more = [f"rules={rules}"] if command[0] == "attach" else []
    with pytest.raises(PerfduckError, match="expected a store, got no such file"):
        run(*command, *more, store=store_path)
    assert not store_path.exists()


AGES = """
update profile set ingested_at = now()::timestamp - interval 100 day where name = 'net-chain';
update profile set started_at = '2020-01-01', ingested_at = now()::timestamp
where name = 'v7-default'"""


def test_prune_goes_by_the_age_of_the_recording(run: Run, store: Path) -> None:
    with DuckDbStore(store, write=True) as opened:
        opened.execute(AGES)
    unknown = "perfduck: calls: kept, since when it was recorded or stored is not known\n"
    said = run("prune", "*", "--older-than", "2y", "--dry-run", store=store)
    assert said == f"v7-default: would be removed (182 samples)\n{unknown}"
    said = run("prune", "*", "--older-than", "14w", store=store)
    assert said.startswith("net-chain: removed (244 samples)\nv7-default: removed (182 samples)\n")
    assert names(store) == ["calls"]
    said = run("prune", "*", "--older-than", "14w", store=store)
    assert said == f"nothing is older than 14w: 1 profile kept\n{unknown}"


def test_merging_makes_the_store_that_one_machine_would_have(
    run: Run, store: Path, tmp_path: Path
) -> None:
    whole = rows(store)
    half = Path(shutil.copy(store, tmp_path / "half"))
    run("rm", "calls", store=store)
    run("rm", "net-chain+v7-default", store=half)
    said = f"{half}: 1 recording added, 0 already in the store\n"
    assert run("merge", half, store=store) == said
    assert rows(store) == whole
    again = f"{half}: 0 recordings added, 1 already in the store\n"
    assert run("merge", half, store=store) == again
    assert rows(store) == whole


def test_an_empty_store_takes_all_and_an_older_one_is_upgraded(run: Run, tmp_path: Path) -> None:
    old = tmp_path / "old.duckdb"
    old.write_bytes(lzma.decompress((FIXTURES / "store" / "schema-1.duckdb.xz").read_bytes()))
    said = run("merge", old, store=tmp_path / "new.duckdb")
    assert said == f"{old}: 3 recordings added, 0 already in the store\n"
    assert rows(tmp_path / "new.duckdb") == rows(old)
    assert rows(old)["meta"] == [f"({schema.SCHEMA_VERSION},)"]


def test_names_and_facts_that_differ_are_said(run: Run, store: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(store, tmp_path / "other"))
    rules = tmp_path / "rules"
    rules.write_text("-A FORWARD -j ACCEPT\n")
    run("rm", "calls", store=store)
    run("edit", "v7-default", "--name", "calls", store=store)  # another recording's name there
    run("edit", "net-chain", "--unlabel", "run", "--work", "7", "--unit", "packet", store=store)
    run("edit", "net-chain", "--label", "scenario=native", store=store)
    run("attach", "net-chain", f"iptables={rules}", store=store)
    said = run("merge", other, store=store).splitlines()
    with DuckDbStore(store) as opened:
        [(digest,)] = opened.rows("select content_hash from profile where name like 'calls-%'")
    name = f"calls-{digest[:8]}"
    assert said == [
        "net-chain: label run=2 added",
        f"{name}: another recording is stored as 'calls', so this one is called {name}",
        f"{other}: 1 recording added, 2 already in the store",
        "perfduck: net-chain: attachment iptables differs, the one of this store is kept",
        "perfduck: calls: is called v7-default there, this name is kept",
        "perfduck: net-chain: work is 2,000 packets there, 7 packets is kept",
        "perfduck: net-chain: label scenario=pods there, scenario=native is kept",
    ]
    merged = rows(store)
    assert names(store) == ["calls", name, "net-chain"]
    assert len(merged["iptables_rule"]) == 1
    run("merge", other, store=store)
    assert rows(store) == merged


def test_kernels_that_one_store_alone_knows_are_taken_over(
    run: Run, store: Path, tmp_path: Path
) -> None:
    for name, release in (("net-chain", "6.1.0"), ("v7-default", None)):
        with DuckDbStore(store, write=True) as opened:
            key = {"name": name, "release": release}
            opened.execute("update profile set kernel_release = $release where name = $name", key)
    other = Path(shutil.copy(store, tmp_path / "other"))
    with DuckDbStore(other, write=True) as opened:
        opened.execute("update profile set kernel_release = '7.2.0'")
    said = run("merge", other, store=store).splitlines()
    assert "v7-default: kernel is 7.2.0" in said
    assert "perfduck: net-chain: kernel is 7.2.0 there, 6.1.0 is kept" in said


def test_a_store_is_not_merged_into_itself_or_from_the_future(store: Path, tmp_path: Path) -> None:
    newer = Path(shutil.copy(store, tmp_path / "newer"))
    with DuckDbStore(newer, write=True) as opened:
        opened.execute("update meta set schema_version = 999")
    (tmp_path / "link").symlink_to(store)
    with DuckDbStore(store, write=True) as opened:
        with pytest.raises(PerfduckError, match="got the one to merge into"):
            opened.merge(tmp_path / "link")
        with pytest.raises(PerfduckError, match="got 999: a newer perfduck"):
            opened.merge(newer)


@pytest.mark.parametrize(
    "words",
    [
        ("noise", "learn", "*"), ("noise", "forget", "--all"), ("noise", "forget", "x"), ("tag",),
        ("merge", "{none}"), ("merge", "{text}"), ("symbols", "add", "{text}"),
        ("symbols", "add", "{text}", "--dso", "x"), ("ingest", "{text}"), ("rm", "x"),
        ("edit", "x", "--name", "y"), ("attach", "x", "notes={text}"), ("budget", "suggest", "*"),
    ],
)  # fmt: skip
def test_what_fails_leaves_no_empty_store_behind(words: tuple[str, ...], tmp_path: Path) -> None:
    text, store_path = tmp_path / "text.txt", tmp_path / "new" / "store.duckdb"
    text.write_text("no recording\n")
    store_path.parent.mkdir()
    places = {"text": str(text), "none": str(tmp_path / "none.duckdb")}
    command = [word.format(**places) for word in words]
    with pytest.raises(PerfduckError):
        app([*command, "--store", str(store_path)], standalone_mode=False)
    assert list(store_path.parent.iterdir()) == []


def test_a_commit_that_fails_leaves_no_empty_store_behind(store_path: Path) -> None:
    recording = str(FIXTURES / "perf_script" / "comms" / "input.txt.xz")
    words = [sys.executable, "-m", "perfduck", "ingest", recording, "--store", str(store_path)]
    limited = ["bash", "-c", 'ulimit -f 100; exec "$@"', "-", *words]  # files of 100 kB
    done = subprocess.run(limited, capture_output=True, text=True)
    assert done.returncode == 2
    assert "room on the disk" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(store_path.parent.glob("*.duckdb*"))
