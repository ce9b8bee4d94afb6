"""A store of an older schema version becomes one of this, whole or not at all."""

import lzma
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import duckdb
import polars as pl
import pytest
from recordings import FIXTURES
from typer.testing import CliRunner

from perfduck.ingestion import IngestRequest, ingest
from perfduck_cli.main import app
from perfduck_diff.keys import By
from perfduck_diff.top import top
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb import schema
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_tags.blame import blame
from perfduck_tags.classes import CLASSES, with_class

pytestmark = pytest.mark.slow

VERSIONS = {
    int(path.name.split("-")[1].split(".")[0]): path
    for path in sorted((FIXTURES / "store").glob("schema-*.duckdb.xz"))
}
OLD = [path for number, path in VERSIONS.items() if number < schema.SCHEMA_VERSION]
FILLED = {("symbol", "class"), ("stack_blame", "direction")}
NATIVE = str(FIXTURES / "demo" / "native.udp64.1.txt.xz")


def unpacked(packed: Path, path: Path) -> Path:
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


@pytest.fixture(params=OLD, ids=lambda path: path.name.partition(".")[0])
def old_store(request: pytest.FixtureRequest, store_path: Path) -> Path:
    return unpacked(request.param, store_path)


@pytest.fixture(params=VERSIONS.values(), ids=lambda path: path.name.partition(".")[0])
def any_store(request: pytest.FixtureRequest, store_path: Path) -> Path:
    return unpacked(request.param, store_path)


def columns(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("""
            select table_name, column_name, data_type, is_nullable from duckdb_columns()
            where not internal order by all""").fetchall()  # fmt: skip


def keys(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("""
            select table_name, constraint_type, constraint_text from duckdb_constraints()
            order by all""").fetchall()  # fmt: skip


def rows(path: Path) -> dict[str, list[str]]:
    """Of every table: a row as text, its columns by name; null ones left out, as new ones are, and
    those that a migration fills."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("select table_name from duckdb_tables()").fetchall()
        found = {}
        for (table,) in tables:
            answer = connection.execute(f'from "{table}"')
            names = [column[0] for column in answer.description or ()]
            found[table] = sorted(
                repr(
                    sorted(
                        (n, str(v))
                        for n, v in zip(names, row, strict=True)
                        if v is not None and (table, n) not in FILLED
                    )
                )
                for row in answer.fetchall()
            )
    return {table: values for table, values in found.items() if table != "meta" and values}


def version(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as connection:
        return int(connection.execute("select schema_version from meta").fetchall()[0][0])


def made_anew(path: Path, old: Path) -> Path:
    """A store of today's tables with the rows of another, by the names of its columns."""
    DuckDbStore(path, write=True).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"attach '{old}' as old (read_only)")
        tables = connection.execute("""
            select table_name from duckdb_tables()
            where database_name = 'old' and table_name <> 'meta'""").fetchall()
        for (table,) in tables:
            connection.execute(f'insert into "{table}" by name from old."{table}"')
    return path


ASKED = (
    ("profiles",),
    *(("top", "scenario=pods", "--by", by) for by in get_args(By)),
    ("top", "calls", "main", "--by", "callees"),
    ("diff", "v7-default", "net-chain"),
    ("compare", "scenario=pods", "--over", "run"),
    ("noise", "list"),
)


def answers(path: Path) -> list[str]:
    store = ("--store", str(path), "--format", "json")
    found = [CliRunner().invoke(app, [*words, *store]) for words in ASKED]
    assert [answer.exit_code for answer in found if answer.exit_code not in (0, 1, 3)] == []
    return [answer.stdout for answer in found]


def test_every_version_has_a_fixture() -> None:
    assert set(VERSIONS) == set(range(1, schema.SCHEMA_VERSION + 1))


def test_a_store_answers_as_one_made_anew_of_its_rows(any_store: Path, tmp_path: Path) -> None:
    DuckDbStore(any_store).close()  # upgrades it: what a migration fills cannot be null
    fresh = made_anew(tmp_path / "fresh.duckdb", any_store)
    assert answers(any_store) == answers(fresh)


@pytest.mark.parametrize("write", [True, False])
def test_an_older_store_has_the_tables_of_a_new_one(
    write: bool, old_store: Path, tmp_path: Path
) -> None:
    before = rows(old_store)
    DuckDbStore(tmp_path / "new.duckdb", write=True).close()
    DuckDbStore(old_store, write=write).close()
    assert version(old_store) == schema.SCHEMA_VERSION
    assert columns(old_store) == columns(tmp_path / "new.duckdb")
    assert keys(old_store) == keys(tmp_path / "new.duckdb")
    assert rows(old_store) == before
    assert before["profile"]


def test_an_upgrade_fills_classes_as_an_import_does(old_store: Path) -> None:
    with DuckDbStore(old_store, write=True) as store:
        symbols = store.symbols.all()
    tagged = with_class(symbols.drop("class").with_columns(rule=pl.lit(None, pl.Int32)), ())
    assert symbols["class"].to_list() == tagged["class"].to_list()
    assert symbols["class"].n_unique() == len(CLASSES)


def test_an_upgrade_fills_directions_as_an_import_does(old_store: Path) -> None:
    with DuckDbStore(old_store, write=True) as store:
        stored = store.frame("select stack_id, direction from stack_blame order by stack_id")
        again = blame(store.symbols.stacks(), store.symbols.all())
    assert stored.rows() == again.sort("stack_id")[["stack_id", "direction"]].rows()
    assert set(stored["direction"]) == {"none", "egress", "ingress"}


def test_an_upgrade_fills_the_cgroups_of_rollup_as_an_import_does(
    store_path: Path, tmp_path: Path
) -> None:
    unpacked(FIXTURES / "store" / "cgroups-5.duckdb.xz", store_path)
    DuckDbStore(store_path, write=True).close()
    with DuckDbStore(tmp_path / "new.duckdb", write=True) as store:
        for name in ("v7-cgroup", "v7-default"):
            [text] = (FIXTURES / "perf_script" / name).glob("input.txt*")
            ingest(store, IngestRequest(str(text), name=name))
    rollup = """
        select name, event, stack_id, comm, cgroup, weight, count
        from rollup
        join profile using (profile_id)
        order by all"""
    upgraded, new = (
        DuckDbStore(path).frame(rollup).rows() for path in (store_path, tmp_path / "new.duckdb")
    )
    assert upgraded == new
    assert len({row[4] for row in upgraded}) == 4  # three cgroups, and none


def test_an_upgrade_fills_the_network_namespaces_of_rollup_as_an_import_does(
    store_path: Path, tmp_path: Path
) -> None:
    unpacked(FIXTURES / "store" / "netns-6.duckdb.xz", store_path)
    DuckDbStore(store_path, write=True).close()
    with DuckDbStore(tmp_path / "new.duckdb", write=True) as store:
        text = FIXTURES / "network_namespaces" / "recording.txt.xz"
        ingest(store, IngestRequest(str(text), name="netns"))
        [text] = (FIXTURES / "perf_script" / "v7-default").glob("input.txt*")
        ingest(store, IngestRequest(str(text), name="v7-default"))
    rollup = """
        select name, event, stack_id, comm, cgroup, netns, weight, count
        from rollup
        join profile using (profile_id)
        order by all"""
    upgraded, new = (
        DuckDbStore(path).frame(rollup).rows() for path in (store_path, tmp_path / "new.duckdb")
    )
    assert upgraded == new
    assert len({row[5] for row in upgraded}) == 4  # three namespaces, and none


def test_an_upgraded_store_answers_and_takes_recordings(old_store: Path) -> None:
    with DuckDbStore(old_store) as store:
        old = top(store, "scenario=pods", "subsystem")
    with DuckDbStore(old_store, write=True) as store:
        assert ingest(store, IngestRequest(NATIVE)).is_new
        assert top(store, "scenario=pods", "subsystem").rows.equals(old.rows)


def test_an_upgrade_that_fails_changes_nothing(old_store: Path) -> None:
    with duckdb.connect(str(old_store)) as store:  # the last statement of the upgrade fails
        check = f"check (schema_version < {schema.SCHEMA_VERSION})"
        store.execute(f"create table meta2 (schema_version integer {check})")
        store.execute("insert into meta2 from meta; drop table meta")
        store.execute("alter table meta2 rename to meta")
    before = version(old_store), rows(old_store)
    with pytest.raises(duckdb.Error, match='constraint failed on table "meta"'):
        DuckDbStore(old_store, write=True)
    assert (version(old_store), rows(old_store)) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from perfduck_store.duckdb import schema
from perfduck_store.duckdb.store import DuckDbStore
upgrade = schema.upgrade
def cut(version):
    statements, _, _ = upgrade(version).rpartition("commit")
    return statements
schema.upgrade = cut
DuckDbStore(Path(sys.argv[1]), write=True)  # all of the upgrade but its commit
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_in_the_upgrade_leaves_the_store_as_it_was(old_store: Path) -> None:
    before = version(old_store), rows(old_store)
    done = subprocess.run([sys.executable, "-c", KILLED, str(old_store)])
    assert done.returncode == -signal.SIGKILL
    assert (version(old_store), rows(old_store)) == before
    DuckDbStore(old_store).close()
    assert version(old_store) == schema.SCHEMA_VERSION


READING = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1], read_only=True)
print("held", flush=True)
time.sleep(60)
"""


def test_an_older_store_that_cannot_be_written_now_is_refused(old_store: Path) -> None:
    old = version(old_store)
    command = [sys.executable, "-c", READING, str(old_store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout
        reader.stdout.readline()
        said = rf"got {old}, and cannot upgrade the store: .* process {reader.pid} .* holds it"
        with pytest.raises(PerfduckError, match=said):
            DuckDbStore(old_store, wait_s=0.2)
        reader.kill()
    assert version(old_store) == old


def test_a_newer_store_is_refused_and_not_touched(old_store: Path) -> None:
    DuckDbStore(old_store, write=True).close()
    with duckdb.connect(str(old_store)) as connection:
        connection.execute("update meta set schema_version = 999")
    copy = shutil.copy(old_store, old_store.with_name("copy"))
    for write in (True, False):
        with pytest.raises(PerfduckError, match="got 999: a newer perfduck"):
            DuckDbStore(old_store, write=write)
    assert rows(old_store) == rows(Path(copy))
