"""A lake: many machines write it at once, and it answers right whichever of them is killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import xxhash
from command import run_text
from hypothesis import given, settings
from hypothesis import strategies as st
from killed import QUERY
from lakes import line, rows_of_lake, say, script, written
from served import served
from test_remote_commands import rows_of

import perfduck
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.schema import SCHEMA_VERSION
from perfduck_store.edit import Edit
from perfduck_store.lake.compaction import compact
from perfduck_store.lake.kinds import KIND_OF
from perfduck_store.lake.log import Entry, Group, LakeState, LogFile
from perfduck_store.lake.store import LakeStore

pytestmark = pytest.mark.slow

VERSION = f"v{SCHEMA_VERSION}"
MOMENTS = 6  # in which a command is killed
TOTALS = (
    "select function, sum(weight) as w, count(*) as n, count(distinct profile) as runs"
    " from hit group by all order by all"
)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Four recordings with a label each."""
    root = tmp_path / "lake"
    for number, path in enumerate(written(tmp_path / "recordings", 4)):
        say("ingest", path, "--label", f"n={number}", "--store", f"lake:{root}")
    return root


def asked(store: Path | str, query: str = QUERY) -> str:
    return say("sql", query, "--format", "csv", "--store", str(store))


def in_a_file(recordings: list[Path], tmp: Path) -> Path:
    """The same recordings in a DuckDB file."""
    file = tmp / "file.duckdb"
    for number, path in enumerate(recordings):
        say("ingest", path, "--label", f"n={number}", "--store", file)
    return file


def parts(lake: Path, table: str) -> list[Path]:
    return sorted((lake / VERSION / table).glob("*.parquet"))


def ingesting(paths: list[Path], lake: Path) -> subprocess.Popen[bytes]:
    words = ["ingest", *map(str, paths), "--store", f"lake:{lake}"]
    code = "import sys; from perfduck_cli.start import main; main()"
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_every_table_belongs_to_slots(lake: Path) -> None:
    with LakeStore(lake) as store:
        tables = {row[0] for row in store.rows("select table_name from duckdb_tables()")}
    assert {*KIND_OF} == tables - {"meta"}


def test_many_processes_write_the_same_recordings_at_once(tmp_path: Path) -> None:
    """Eight processes, each recording with two of them, two are killed, and all is sent again."""
    recordings, lake = written(tmp_path / "recordings", 12), tmp_path / "lake"
    shares = [recordings[first : first + 3] for first in range(0, 12, 3)] * 2
    to_kill = [ingesting(share, lake) for share in shares[:2]]
    others = [ingesting(share, lake) for share in shares[2:]]
    for process, parts_there in zip(to_kill, (1, 9), strict=True):
        while len(list(lake.glob("v*/*/*.parquet"))) < parts_there:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert [process.wait() for process in to_kill] == [-signal.SIGKILL] * 2
    assert [process.wait() for process in others] == [0] * 6
    assert [ingesting(share, lake).wait() for share in shares[:4]] == [0] * 4
    file = tmp_path / "file.duckdb"
    say("ingest", *recordings, "--store", file)
    assert asked(f"lake:{lake}", TOTALS) == asked(file, TOTALS)
    assert rows_of_lake(lake, tmp_path) == rows_of(file)


def test_functions_and_stacks_that_come_twenty_times_count_once(tmp_path: Path) -> None:
    recordings, lake = written(tmp_path / "recordings", 20, 6), tmp_path / "lake"
    say("ingest", *recordings, "--store", f"lake:{lake}")
    say("ingest", *recordings, "--store", tmp_path / "file.duckdb")
    commits = [json.loads(path.read_bytes()) for path in (lake / VERSION / "commits").iterdir()]
    assert sum("stack_symbol" in each["groups"][0]["parts"] for each in commits) == len(recordings)
    for words in (["top", "*"], ["top", "*", "--by", "path"], ["diff", "run-1", "run-2"]):
        answers = [
            run_text([*words, "--format", "json", "--store", store])
            for store in (f"lake:{lake}", tmp_path / "file.duckdb")
        ]
        assert answers[0].stdout == answers[1].stdout != ""


def test_what_is_delivered_again_changes_nothing(lake: Path, tmp_path: Path) -> None:
    before, files = asked(f"lake:{lake}"), sorted((lake / VERSION).rglob("*.*"))
    assert "already in the store" in say(
        "ingest", tmp_path / "recordings" / "run-1.txt", "--store", f"lake:{lake}"
    )
    copy = shutil.copytree(lake, tmp_path / "copy")
    shutil.copytree(copy, lake, dirs_exist_ok=True)
    assert (asked(f"lake:{lake}"), sorted((lake / VERSION).rglob("*.*"))) == (before, files)


def test_an_import_that_is_killed_leaves_the_lake_as_it_was(lake: Path, tmp_path: Path) -> None:
    recording = tmp_path / "more.txt"
    recording.write_text(script(9))
    before = asked(f"lake:{lake}")
    folder = killed(lake, tmp_path, MOMENTS, "ingest", str(recording), "--label", "n=9")
    after = asked(f"lake:{folder / 'whole'}")
    assert after != before
    for number in range(MOMENTS):
        assert (folder / f"{number}.killed").read_text() == before
        assert (folder / f"{number}.again").read_text() == after


def test_a_compaction_that_is_killed_changes_no_answer(lake: Path, tmp_path: Path) -> None:
    say("rm", "run-1", "--store", f"lake:{lake}")
    say("edit", "run-2", "--label", "n=other", "--store", f"lake:{lake}")
    say("compact", "--store", f"lake:{lake}")
    recording = tmp_path / "more.txt"
    recording.write_text(script(9))
    say("ingest", recording, "--store", f"lake:{lake}")
    before = asked(f"lake:{lake}")
    folder = killed(lake, tmp_path, MOMENTS, "compact", "--keep", "0h")
    for number in range(MOMENTS):
        assert (folder / f"{number}.killed").read_text() == before
        assert (folder / f"{number}.again").read_text() == before


def killed(lake: Path | str, tmp: Path, moments: int, *words: str) -> Path:
    folder = tmp / "killed"
    folder.mkdir()
    script = str(Path(__file__).with_name("killed.py"))
    command = [sys.executable, script, str(lake), str(folder), str(moments), *words]
    subprocess.run(command, check=True, timeout=500)
    return folder


def test_a_compacted_lake_has_the_same_rows(lake: Path, tmp_path: Path) -> None:
    url = f"lake:{lake}"
    file = in_a_file(sorted((tmp_path / "recordings").iterdir()), tmp_path)
    (tmp_path / "note").write_text("of the run")
    for store in (url, file):
        say("compact", "--store", url)  # some changes are of what is in a large part already
        say("attach", "run-2", f"note={tmp_path / 'note'}", "--store", store)
        say("rm", "run-1", "--store", store)
        say("edit", "run-3", "--name", "third", "--work", "10", "--store", store)
        say("tag", "--store", store)
    assert rows_of_lake(lake, tmp_path) == rows_of(file)
    before = asked(url)
    assert "1 group" not in say("compact", "--store", url, "--keep", "0h")
    assert rows_of_lake(lake, tmp_path) == rows_of(file)
    assert asked(url) == before == asked(file)
    say("compact", "--store", url, "--keep", "0h")
    assert [len(parts(lake, table)) for table in ("sample", "stack", "rollup")] == [1, 1, 1]


def test_a_reader_keeps_what_it_began_with(lake: Path) -> None:
    with LakeStore(lake) as reader:
        say("rm", "run-1", "--store", f"lake:{lake}")
        say("compact", "--store", f"lake:{lake}", "--keep", "1h")
        [(samples,)] = reader.rows("select count(*) from sample")
        assert samples == 80
        say("compact", "--store", f"lake:{lake}", "--keep", "0h")
        for table in ("sample", "stack"):  # a view of parts, and parts that were not read yet
            with pytest.raises(PerfduckError, match=f"^{lake}/.*deleted it meanwhile: ask again$"):
                reader.rows(f"select count(*) from {table}")
    with LakeStore(lake) as later:
        assert later.rows("select count(*) from sample") == [(60,)]


def test_one_of_two_compactions_at_once_is_refused(lake: Path) -> None:
    before = asked(f"lake:{lake}")
    with LakeStore(lake) as slow:
        say("compact", "--store", f"lake:{lake}")
        with pytest.raises(PerfduckError, match="expected one compaction at a time, got another"):
            compact(slow, 3600)
    assert asked(f"lake:{lake}") == before


@pytest.mark.parametrize(
    ("table", "other"), [("stack", "symbol_ids = [1, 2]"), ("symbol", "name = 'another'")]
)
def test_an_id_with_two_contents_is_reported(table: str, other: str, lake: Path) -> None:
    with LakeStore(lake, write=True) as store, store.transaction():
        query = (
            "select profile_id, stack_id, symbol_id from rollup join stack_symbol using (stack_id)"
        )
        [(profile, stack, symbol)] = store.rows(f"{query} limit 1")
        key = stack if table == "stack" else symbol
        store.load()
        store.execute(f"update {table} set {other} where {table}_id = {key}")
        store.changes.set_rows(("recording", profile))
    done = perfduck.open(f"lake:{lake}").compact()
    assert done.notes == (f"id of two contents: {table} {key}: 2 contents",)


@pytest.mark.parametrize("table", ["rollup", "stack", "profile"])
def test_a_part_that_is_damaged_missing_or_foreign_is_a_line(lake: Path, table: str) -> None:
    part = parts(lake, table)[0]
    good = part.read_bytes()
    other = parts(lake, "event")[0].read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 4
    for bad in (flipped, good[:-9], other, other.ljust(len(good))[: len(good)], b""):
        part.write_bytes(bad)
        said = line("top", "*", "--by", "path", "--store", f"lake:{lake}")
        assert f"{part}: expected" in said
    part.unlink()
    said = line("top", "*", "--by", "path", "--store", f"lake:{lake}")
    assert f"{part}: expected a part of the lake, got No such file or directory" in said
    part.mkdir()
    assert str(part) in line("top", "*", "--by", "path", "--store", f"lake:{lake}")
    assert str(part) in line("sql", QUERY, "--store", f"lake:{lake}")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"null", b"\xff", b'{"at":1,"entries":[{"slot":[],"value":1}]}',
                b'{"at":1,"entries":[{"slot":["recording",1],"group":3}]}',
                b'{"at":1,"entries":[],"groups":[{"parts":{"sample":["../x",3]}}]}',
                b'{"at":1,"entries":[{"slot":["recording"]}]}',
                b'{"at":1,"entries":[{"slot":["recording","four"]}]}',
                b'{"at":1,"entries":[{"slot":["label",4],"value":"x"}]}']
)  # fmt: skip
def test_a_commit_that_is_damaged_or_foreign_is_a_line(lake: Path, content: bytes) -> None:
    name = xxhash.xxh3_128_hexdigest(content)
    path = lake / VERSION / "commits" / f"{name}.json"
    path.write_bytes(content)
    assert f"{path}: expected" in line("profiles", "--store", f"lake:{lake}")
    path.write_bytes(content + b" ")
    assert f"{path}: expected the content" in line("profiles", "--store", f"lake:{lake}")


@pytest.mark.parametrize("command", ["profiles", "compact"])
def test_parts_of_another_recording_than_the_commit_names_are_a_line(
    lake: Path, command: str
) -> None:
    path = min((lake / VERSION / "commits").iterdir())
    log = json.loads(path.read_text())
    for entry in log["entries"]:
        entry["slot"][1] = 4711
    content = json.dumps(log).encode()
    path.unlink()
    path.with_name(f"{xxhash.xxh3_128_hexdigest(content)}.json").write_bytes(content)
    said = line(command, "--store", f"lake:{lake}")
    assert said.endswith("parts of the recordings that commits name, got parts of others\n")


def test_a_generation_that_is_damaged_is_a_line(lake: Path) -> None:
    say("compact", "--store", f"lake:{lake}")
    pointer = lake / VERSION / "generations" / "00000001"
    pointer.write_text("nothing")
    assert f"{pointer}: expected" in line("profiles", "--store", f"lake:{lake}")
    pointer.write_text("0" * 32)
    assert f"{'0' * 32}.json: expected" in line("profiles", "--store", f"lake:{lake}")


def test_a_file_that_is_no_commit_is_a_line(lake: Path) -> None:
    path = lake / VERSION / "commits" / "notes.txt"
    path.touch()
    assert f"{path}: expected a commit, HASH.json" in line("profiles", "--store", f"lake:{lake}")


def test_a_path_that_is_no_lake_is_a_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "song.mp3").touch()
    (tmp_path / "newer" / "v9999").mkdir(parents=True)
    (tmp_path / "older" / "v1").mkdir(parents=True)
    (tmp_path / "closed").mkdir(0)
    expected = {
        "fifo": "expected the directory of a lake, got a FIFO",
        "file": "expected the directory of a lake, got a file",
        "other": "expected a lake or an empty directory, got a directory with song.mp3",
        "newer": f"expected schema version {SCHEMA_VERSION} or older, got 9999: a newer perfduck",
        "older": f"expected a lake of schema version {SCHEMA_VERSION}, got 1",
        "file/x": "expected a lake, got Not a directory",
    }
    recording = tmp_path / "recording.txt"
    recording.write_text(script(1))
    for name, words in expected.items():
        assert f"{tmp_path / name}: {words}" in line(
            "profiles", "--store", f"lake:{tmp_path / name}"
        )
        said = line("ingest", recording, "--store", f"lake:{tmp_path / name}")
        assert f"{tmp_path / name}: {words}" in said
    for words in (["profiles"], ["rm", "*"], ["edit", "x", "--name", "y"], ["compact"], ["tag"]):
        said = line(*words, "--store", f"lake:{tmp_path / 'none'}")
        assert f"{tmp_path / 'none'}: expected a lake, got none (perfduck ingest makes one)" in said
    assert "lake:: expected lake:DIRECTORY" in line("profiles", "--store", "lake:")
    assert not (tmp_path / "none").exists()


def test_sql_reads_the_lake_and_nothing_beside_it(lake: Path, tmp_path: Path) -> None:
    url, secret = f"lake:{lake}", tmp_path / "secret"
    secret.write_text("x")
    assert asked(url, "from query('select count(*) as n from sam' || 'ple')") == "n\n80\n"
    for query in (
        f"select * from read_text('{secret}')",
        f"select * from read_text('{lake}/../secret')",
        f"copy sample to '{tmp_path / 'x'}'",
        f"copy sample to '{lake / 'v6' / 'x'}'",
        "set allowed_directories = ['/']",
        "install httpfs",
    ):
        assert line("sql", query, "--store", url).startswith("perfduck: sql")


def test_other_work_takes_what_was_said_of_the_work_before(lake: Path) -> None:
    query = "select code from limitation where code like 'work%'"
    with LakeStore(lake, write=True) as store, store.transaction():
        [profile] = [each.profile_id for each in store.profiles.all() if each.name == "run-1"]
        store.execute(f"insert into limitation values ({profile}, 'work-time', null, 'shorter')")
        store.changes.set_rows(("limitation", profile))
    assert asked(f"lake:{lake}", query) == "code\nwork-time\n"
    say("edit", "run-1", "--work", "5", "--store", f"lake:{lake}")
    assert asked(f"lake:{lake}", query) == "code\n"
    say("compact", "--store", f"lake:{lake}")
    assert asked(f"lake:{lake}", query) == "code\n"


def test_what_a_transaction_read_that_failed_is_read_again(lake: Path) -> None:
    with LakeStore(lake, write=True) as store:
        with suppress(ZeroDivisionError), store.transaction():
            store.load("event")
            raise ZeroDivisionError
        assert store.rows("select count(*) from event") == [(4,)]


def test_samples_are_read_into_memory_where_they_are_to_be_copied(lake: Path) -> None:
    with LakeStore(lake) as store:
        first, second, *_ = (each.profile_id for each in store.profiles.all())
        query, tables = "select count(*) from sample", "select estimated_size from duckdb_tables()"
        of_samples = f"{tables} where table_name = 'sample'"
        with store.about([first]):
            assert (store.rows(query), store.rows(of_samples)) == ([(20,)], [(0,)])
            store.load("sample")
            assert (store.rows(query), store.rows(of_samples)) == ([(20,)], [(20,)])
        with store.about([second]):
            assert (store.rows(query), store.rows(of_samples)) == ([(40,)], [(20,)])
            store.load("sample")
        assert (store.rows(query), store.rows(of_samples)) == ([(80,)], [(40,)])


def test_two_machines_that_say_different_things_both_have_their_way(lake: Path) -> None:
    url = f"lake:{lake}"
    with LakeStore(lake, write=True) as one, LakeStore(lake, write=True) as two:
        for store, label in ((one, "a"), (two, "b")):
            [profile] = [each.profile_id for each in store.profiles.all() if each.name == "run-1"]
            with store.transaction():
                store.profiles.edit(profile, Edit(labels={label: "1"}))
    assert "1,1" in asked(url, "select labels['a'], labels['b'] from profile where name = 'run-1'")


def test_recordings_that_get_one_name_at_once_are_told_apart(tmp_path: Path) -> None:
    lakes = [tmp_path / "one", tmp_path / "two"]
    for run, each in enumerate(lakes):
        (tmp_path / f"{run}.txt").write_text(script(run))
        say("ingest", tmp_path / f"{run}.txt", "--name", "perf", "--store", f"lake:{each}")
    shutil.copytree(lakes[1], lakes[0], dirs_exist_ok=True)
    names = perfduck.open(f"lake:{lakes[0]}").names()
    [(content,)] = (
        perfduck.open(f"lake:{lakes[0]}")
        .sql(f"select content_hash from profile where name = '{names[1]}'")
        .rows
    )
    assert names == ("perf", f"perf-{content[:8]}")


GROUPS = [Group({"sample": ("0" * 32, number)}) for number in range(3)]
ENTRIES = st.builds(
    Entry,
    slot=st.sampled_from([("label", 1, "a"), ("label", 1, "b"), ("recording", 1)]),
    value=st.sampled_from([None, "x", "y"]),
    group=st.sampled_from([None, 0, 1]),
)
COMMITS = st.lists(
    st.builds(
        LogFile,
        at=st.integers(1, 3),
        entries=st.lists(ENTRIES, max_size=3, unique_by=lambda entry: entry.slot),
        groups=st.just(GROUPS),
    ),
    max_size=6,
)


@given(COMMITS, st.randoms())
@settings(deadline=None)
def test_commits_may_come_in_any_order_and_again(
    commits: list[LogFile], chance: random.Random
) -> None:
    named = [(log, f"{number:032}") for number, log in enumerate(commits)]
    again = named + chance.choices(named, k=3) if named else []
    chance.shuffle(again)
    assert settled(again) == settled(named)


def settled(commits: list[tuple[LogFile, str]]) -> dict[object, object]:
    state = LakeState()
    for log, name in commits:
        state.add(log, name)
    return {
        slot: (each.at, each.by, each.value, each.group) for slot, each in state.settings.items()
    }


def test_recordings_move_between_files_servers_and_lakes(lake: Path, tmp_path: Path) -> None:
    recordings = sorted((tmp_path / "recordings").iterdir())
    file = in_a_file(recordings[:2], tmp_path)
    more = tmp_path / "more.duckdb"
    say("ingest", *recordings[1:], "--label", "n=5", "--store", more)
    with served(shutil.copy(more, tmp_path / "served.duckdb")) as server:
        stores = [f"lake:{lake}", str(file), server]
        new = {f"lake:{tmp_path / 'new'}": None, str(tmp_path / "new.duckdb"): None}
        for into in new:
            for store in stores:
                say("merge", store, "--store", into)
            assert "0 recordings added, 4 already" in say("merge", stores[0], "--store", into)
        assert "1 recording added, 3 already" in say("merge", f"lake:{lake}", "--store", server)
        assert "0 recordings added" in say("merge", f"lake:{lake}", "--store", server)
    assert rows_of_lake(tmp_path / "new", tmp_path) == rows_of(tmp_path / "new.duckdb")
    for store in (tmp_path / "new.duckdb", f"lake:{tmp_path / 'new'}"):
        assert asked(store, TOTALS) == asked(f"lake:{lake}", TOTALS)


def test_pull_takes_what_is_selected(lake: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.duckdb"
    said = say("pull", "n=1+n=2", "--from", f"lake:{lake}", "--store", own)
    assert said == f"lake:{lake}: 2 recordings added, 0 already in the store\n"
    query = "select name, labels['n'] as n from profile order by all"
    assert asked(own, query) == "name,n\nrun-1,1\nrun-2,2\n"
    assert "/PREFIX to pull from, got a store of another kind" in line(
        "pull", "*", "--from", own, "--store", tmp_path / "x.duckdb"
    )
    assert "/PREFIX to compact, got a store of another kind" in line("compact", "--store", own)
    assert "another store to merge" in line("merge", f"lake:{lake}", "--store", f"lake:{lake}")
