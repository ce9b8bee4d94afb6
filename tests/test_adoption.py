"""A recording that another process has read into a store of its own, taken over as if read here."""

import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest
from rows import mostly_slow

import perfduck
from perfduck import PerfduckError
from perfduck_model.identity import stack_ids, symbol_ids

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).parents[1] / "fixtures"
DEMO = FIXTURES / "demo"
TEXT = DEMO / "docker0-nat.crr.1.txt.xz"
TABLES = ("sample", "symbol", "stack", "stack_symbol", "stack_blame", "rollup", "leaf_offset",
          "edge", "event", "skipped", "limitation", "artefact", "attachment", "iptables_rule",
          "tag_input", "elf_function")  # fmt: skip


@pytest.fixture(scope="module")
def single(tmp_path_factory) -> Path:
    """A store of one recording, with all that may be said of one."""
    path = tmp_path_factory.mktemp("single") / "single.duckdb"
    perfduck.open(path).ingest(
        TEXT,
        labels={"scenario": "nat"},
        work_from=DEMO / "docker0-nat.crr.1.wrk.txt",
        attach={"iptables": DEMO / "docker0-nat.crr.1.iptables.txt"},
    )
    return path


@pytest.fixture
def changed(single, tmp_path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copy(single, tmp_path / "changed.duckdb"))


def rows(path: Path) -> dict[str, list]:
    with duckdb.connect(str(path), read_only=True) as store:
        said = store.execute("select * exclude (ingested_at) from profile").fetchall()
        tables = {name: store.execute(f"from {name} order by all").fetchall() for name in TABLES}
        return {"profile": said, **tables}


@pytest.mark.parametrize(
    "recording",
    mostly_slow(
        [
            TEXT,
            FIXTURES / "perf_data" / "lost" / "recording.data.xz",
            FIXTURES / "oprofile" / "app-callgraph" / "session.tar.gz",
        ],
        2,
    ),
    ids=lambda path: path.parent.name,
)
def test_it_gives_the_rows_of_an_ingest(recording, tmp_path):
    first = perfduck.open(tmp_path / "a.duckdb").ingest(recording, host_files=False)
    second = perfduck.open(tmp_path / "b.duckdb").adopt(tmp_path / "a.duckdb")
    assert (second.to_text(), second.notes) == (first[0].to_text(), first[0].notes)
    assert rows(tmp_path / "a.duckdb") == rows(tmp_path / "b.duckdb")


def test_work_labels_and_attachments_come_with_it(single, store_path):
    perfduck.open(store_path).adopt(single)
    assert rows(store_path) == rows(single)


def test_the_same_content_is_stored_once_and_takes_what_is_said(single, changed, store_path):
    store = perfduck.open(store_path)
    assert store.adopt(single).is_new
    perfduck.open(changed).edit("*", labels={"run": "7"})
    again = store.adopt(changed, name="other", labels={"host": "n1"})
    assert again.to_text() == (
        "other: already in the store; renamed from docker0-nat.crr.1, label host=n1 added, "
        "label run=7 added\n"
    )
    assert store.profiles(f"id:{again.id}").to_text() == store.profiles("other").to_text()


def test_a_hash_of_another_recording_changes_nothing(single, changed, store_path):
    store = perfduck.open(store_path)
    store.adopt(single)
    before = rows(store_path)
    with duckdb.connect(str(changed)) as forged:
        forged.execute("delete from sample where rowid = 0")
    with pytest.raises(PerfduckError, match=r"expected the [\d,]+ samples of docker0.*hash, got"):
        store.adopt(changed, is_verified=False)
    assert rows(store_path) == before


def test_names_of_a_hash_that_is_not_verified_replace_none(tmp_path):
    addresses = FIXTURES / "perf_script" / "fields-ip" / "input.txt.xz"
    perfduck.open(tmp_path / "single.duckdb").ingest(addresses, host_files=False)
    store = perfduck.open(tmp_path / "store.duckdb")
    store.adopt(tmp_path / "single.duckdb")
    forged = Path(shutil.copy(tmp_path / "single.duckdb", tmp_path / "forged.duckdb"))
    with duckdb.connect(str(forged)) as connection:
        rename_all(connection)
    before = rows(tmp_path / "store.duckdb")
    with pytest.raises(PerfduckError, match="expected scope admin to replace the names of what"):
        store.adopt(forged, is_admin=False, is_verified=False)
    assert rows(tmp_path / "store.duckdb") == before
    assert "resolved again" in store.adopt(forged).to_text()


def rename_all(connection: duckdb.DuckDBPyConnection) -> None:
    """Every address gets a name of its own; ids are those of the new names."""
    known = connection.execute("select symbol_id, dso, address from symbol").fetchall()
    names = [(f"made_up_{number}", dso, None) for number, (_, dso, _) in enumerate(known)]
    new = dict(zip((key for key, *_ in known), symbol_ids(names).tolist(), strict=True))
    for (old, *_), (name, *_) in zip(known, names, strict=True):
        connection.execute(
            "update symbol set symbol_id = ?, name = ?, address = null where symbol_id = ?",
            [new[old], name, old],
        )
    for key, chain in connection.execute("select stack_id, symbol_ids from stack").fetchall():
        renamed = [new[each] for each in chain]
        [stack] = stack_ids(np.array(renamed), np.array([len(renamed)])).tolist()
        connection.execute(
            "update stack set stack_id = ?, symbol_ids = ? where stack_id = ?",
            [stack, renamed, key],
        )
        connection.execute("update sample set stack_id = ? where stack_id = ?", [stack, key])
    connection.execute("delete from leaf_offset")


def test_other_work_is_refused_without_force(single, changed, store_path):
    store = perfduck.open(store_path)
    store.adopt(single)
    perfduck.open(changed).edit("*", work=5, unit="request")
    with pytest.raises(PerfduckError, match="expected the work that"):
        store.adopt(changed)
    assert "work is 5 requests" in store.adopt(changed, force=True).to_text()


def test_what_others_said_is_changed_by_an_administrator_alone(single, changed, store_path):
    store = perfduck.open(store_path)
    store.adopt(single, is_admin=False)
    with pytest.raises(PerfduckError, match=r"scope admin to change .*, got renamed from"):
        store.adopt(single, name="mine", is_admin=False)
    perfduck.open(changed).edit("*", labels={"scenario": "other"})
    with pytest.raises(PerfduckError, match=r"scope admin to change .*scenario=other \(was"):
        store.adopt(changed, is_admin=False)
    perfduck.open(changed).edit("*", work=5, unit="request", labels={"scenario": "docker0-nat"})
    with pytest.raises(PerfduckError, match="scope admin to change"):
        store.adopt(changed, force=True, is_admin=False)
    added = store.adopt(single, labels={"more": "1"}, is_admin=False).to_text()
    assert "label more=1 added" in added


def test_a_taken_name_is_refused_and_the_store_unchanged(single, store_path):
    store = perfduck.open(store_path)
    store.ingest(DEMO / "docker0-nat.crr.2.txt.xz", name="docker0-nat.crr.1")
    before = rows(store_path)
    with pytest.raises(PerfduckError, match="another recording is stored as"):
        store.adopt(single)
    assert rows(store_path) == before
    assert store.adopt(single, is_unnamed=True).name.startswith("recording-")


def test_better_names_are_taken(tmp_path):
    recording = FIXTURES / "perf_data" / "chains" / "recording.data.xz"
    kallsyms = FIXTURES / "perf_data" / "kallsyms.gz"
    store = perfduck.open(tmp_path / "store.duckdb")
    store.ingest(recording, host_files=False)
    perfduck.open(tmp_path / "named.duckdb").ingest(recording, kallsyms=kallsyms, host_files=False)
    found = store.adopt(tmp_path / "named.duckdb")
    assert "resolved again" in found.to_text()
    assert "kallsyms kept" in found.to_text()


def test_labels_that_contradict_are_refused(single, store_path):
    with pytest.raises(PerfduckError, match="--label scenario=nat: expected scenario=x, got nat"):
        perfduck.open(store_path).adopt(single, labels={"scenario": "x"})


def test_rules_need_leave(tmp_path):
    rules = tmp_path / "rules.csv"
    rules.write_text("symbol,area,subsystem,role\n^udp_,ours,our_udp,domain\n")
    perfduck.open(tmp_path / "a.duckdb").ingest(TEXT, rules=rules)
    store = perfduck.open(tmp_path / "b.duckdb")
    with pytest.raises(PerfduckError, match="--rules: expected scope admin"):
        store.adopt(tmp_path / "a.duckdb", is_admin=False)
    assert "rules kept" in store.adopt(tmp_path / "a.duckdb").to_text()


SPOILED = {
    "view": ("alter table skipped rename to s2; create view skipped as from s2", "table skipped"),
    "column": ("alter table sample drop column comm", "expected a perfduck store"),
    "type": ("alter table sample alter pid type varchar; update sample set pid = 'x'",
             "expected a perfduck store"),
    "symbol": ("update symbol set name = name || 'x'", "ids of its symbols and stacks"),
    "stack": ("update stack set symbol_ids = list_reverse(symbol_ids)", "ids of its symbols"),
    "two": ("insert into profile select * replace (1 as profile_id, 'b' as name) from profile",
            "a store of one recording, got several"),
    "none": ("delete from profile", "a store of one recording, got none"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "says"), SPOILED.values(), ids=SPOILED)
def test_a_store_that_perfduck_did_not_make_is_refused(changed, store_path, change, says):
    with duckdb.connect(str(changed)) as store:
        for statement in change.split("; "):
            store.execute(statement)
    with pytest.raises(PerfduckError, match=says):
        perfduck.open(store_path).adopt(changed)
    assert not store_path.exists()


SAID = "update profile set "
IMPOSSIBLE = {
    "duration nan": (SAID + "duration_s = 'nan'", "duration_s: expected a number of 0"),
    "duration inf": (SAID + "duration_s = 'inf'", "duration_s: expected a number of 0"),
    "duration huge": (SAID + "duration_s = 1e300", "duration_s: expected less than 292 years"),
    "start infinity": (SAID + "started_at = 'infinity'", "got"),
    "start -infinity": (SAID + "started_at = '-infinity'", "got"),
    "start 200000": (SAID + "started_at = '200000-01-01'", "got"),
    "label empty": (SAID + "labels = map{'': ''}", "label"),
    "label newline": (SAID + "labels = map{chr(10) || 'k': 'v'}", "printable"),
    "label escape": (SAID + "labels = map{chr(27): 'v'}", "printable"),
    "label value newline": (SAID + "labels = map{'k': 'v' || chr(10)}", "a value of printable"),
    "label reserved": (SAID + "labels = map{'work': 'v'}", "which cannot be a label"),
    "labels null": ("alter table profile alter labels drop not null; " + SAID + "labels = null",
                    "labels: expected labels, got 'None'"),
    "work nan": (SAID + "work = 'nan', work_unit = 'x'", "work: expected a positive number"),
    "work negative": (SAID + "work = -1, work_unit = 'x'", "work: expected a positive number"),
    "lost": (SAID + "lost = -1", "lost: expected a number of 0 or more, got -1"),
    "cpus": (SAID + "cpus = -7", "cpus: expected a number of 1 or more, got -7"),
    "hash": (SAID + "content_hash = '../../etc/passwd'", "content_hash: expected 32 hex digits"),
    "count": ("update sample set count = 9223372036854775807", "count: expected amounts"),
    "count negative": ("update sample set count = -5", "count: expected amounts"),
    "period": ("update sample set period = 9223372036854775807", "period: expected amounts"),
    "time": ("update sample set time_ns = -9223372036854775808", "time_ns: expected times of 0"),
    "kind": ("update attachment set kind = '../../<b>'", "attachment.kind: expected a word"),
    "no stack": ("update sample set stack_id = 123", "stack_id: expected ids that are in the"),
    "no symbol": ("update leaf_offset set symbol_id = 1", "symbol_id: expected ids that are"),
    "frequency": ("update event set frequency = 'nan'", "frequency: expected a number"),
    "null name": ("alter table symbol alter name drop not null; update symbol set name = null",
                  "name: expected a value in each row"),
    "null frame": ("update stack set symbol_ids = [null]", "symbol_ids: expected an id"),
    "rules": ("insert into tag_input values ('rules', '', 'ab', 'r.csv', 'junk'::blob)",
              "expected a perfduck store"),
    "kallsyms": ("insert into tag_input values ('kallsyms', '', 'ab', 'k', 'junk'::blob)",
                 "expected a perfduck store"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "says"), mostly_slow(IMPOSSIBLE.values(), 5), ids=IMPOSSIBLE)
def test_values_that_no_importer_makes_are_refused(changed, store_path, change, says):
    with duckdb.connect(str(changed)) as store:
        for statement in change.split("; "):
            store.execute(statement)
    with pytest.raises(PerfduckError, match="changed.duckdb: .*" + says) as refused:
        perfduck.open(store_path).adopt(changed)
    assert "\n" not in str(refused.value)
    assert not store_path.exists()


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_length_that_is_no_number_is_shown(changed, value):
    with duckdb.connect(str(changed)) as store:
        store.execute(f"update profile set duration_s = '{value}', work = '{value}'")
    assert f"{value} s" in perfduck.open(changed).profiles().to_text()
