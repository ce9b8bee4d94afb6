"""A store that one process holds for many threads."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import polars as pl
import pytest

import perfduck
from perfduck.held_store import HeldStore
from perfduck.profile_store import ProfileStore
from perfduck_store.choice import Choice
from perfduck_store.duckdb.shared import is_plain

RECORDINGS = Path(__file__).parents[1] / "fixtures" / "demo"


@pytest.fixture
def held(tmp_path):
    place = HeldStore(tmp_path / "held.duckdb", memory_mb=512)
    yield place
    place.close()


@pytest.mark.slow
def test_a_reader_sees_one_state_while_another_thread_commits(held, demo_store):
    store = ProfileStore(held)
    with held.read() as reader:
        assert reader.profiles.all() == []
        store.merge(demo_store)
        assert reader.profiles.all() == []
    assert len(store.names()) == 18


@pytest.mark.slow
def test_many_threads_get_the_answers_of_one(held, demo_store):
    store = ProfileStore(held)
    store.merge(demo_store)
    questions = [
        lambda by=by: store.top("*", by=by).to_json() for by in ("function", "comm", "dso")
    ]
    alone = [ask() for ask in questions]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda ask: ask(), questions * 6))
    assert together == alone * 6


@pytest.mark.slow
def test_no_other_process_can_open_it(held, demo_store, tmp_path):
    store = ProfileStore(held)
    store.merge(demo_store)
    store.top("*")
    held.snapshot(tmp_path / "copy.duckdb")
    opens = "import sys, duckdb; duckdb.connect(sys.argv[1])"
    command = [sys.executable, "-c", opens, str(held.path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "Conflicting lock" in done.stderr


@pytest.mark.slow
def test_a_snapshot_is_the_store_as_it_is_though_somebody_reads_an_older_state(
    held, demo_store, tmp_path
):
    store = ProfileStore(held)
    store.merge(demo_store)
    with held.read() as reader:
        before = len(reader.profiles.all())
        store.remove("native.*")
        store.edit("docker0-nat.crr.1", name="edited")
        held.snapshot(tmp_path / "copy.duckdb")
        assert len(reader.profiles.all()) == before
    copy = perfduck.open(tmp_path / "copy.duckdb")
    assert copy.profiles().to_json() == store.profiles().to_json()
    assert copy.top("*").to_json() == store.top("*").to_json()
    assert sorted(each.name for each in tmp_path.glob("copy*")) == ["copy.duckdb"]


@pytest.mark.slow
def test_a_copy_and_the_log_of_later_are_the_store(held, demo_store, tmp_path):
    store, copy = ProfileStore(held), tmp_path / "copy.duckdb"
    store.merge(demo_store)
    state = held.shared.copy(copy)
    store.edit("docker0-nat.crr.1", name="edited")
    store.remove("native.crr.1")
    assert held.shared.copy_log(copy, state)
    assert perfduck.open(copy).profiles().to_json() == store.profiles().to_json()
    assert perfduck.open(copy).top("*").to_json() == store.top("*").to_json()
    held.shared.checkpoint()
    assert not held.shared.copy_log(copy, state)


MISSING = """
select profile_id
from event
left join (select profile_id, event, sum(count) as n from sample group by all) as stored
    using (profile_id, event)
where samples is distinct from n"""


@pytest.mark.slow
def test_snapshots_are_whole_while_another_thread_writes(held, demo_store, tmp_path):
    store, stopping = ProfileStore(held), Event()

    def write():
        while not stopping.is_set():
            store.merge(demo_store)
            store.remove("native.*")

    store.merge(demo_store)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        for number in range(8):
            held.snapshot(tmp_path / f"{number}.duckdb")
        stopping.set()
        writing.result()
    for number in range(8):
        copy = perfduck.open(tmp_path / f"{number}.duckdb")
        assert len(copy.names()) in (12, 18)
        assert len(copy.sql(MISSING).rows) == 0


def test_parameters_that_repr_abbreviates_are_asked_again(held):
    """A reader keeps answers by repr(parameters): those of an array leave out its middle."""
    first = np.arange(2000)
    other = first.copy()
    other[1000] = 7
    assert repr(first) == repr(other)
    with held.read() as reader:
        for numbers in (first, other):
            assert reader.rows("select ($all)[1001]", {"all": numbers}) == [(numbers[1000],)]


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (None, True), ({"profiles": [1, -2], "text": "x", "share": 0.5, "raw": b"x"}, True),
        (({"a": None}, Choice(profiles=[1], events=[("cycles",)], spans=[(None, 5)])), True),
        (np.int64(1), False), ([1, np.int64(1)], False), ({"ids": np.arange(3)}, False),
        (({"a": pl.Series([1])}, None), False),
        ((None, Choice(profiles=np.arange(1), events=[()])), False),
    ],
)  # fmt: skip
def test_plain_is_what_repr_says_all_of(value, answer):
    assert is_plain(value) is answer


@pytest.mark.slow
def test_it_ingests_as_a_file_does(held, tmp_path):
    recording = RECORDINGS / "native.udp64.1.txt.xz"
    [ours] = ProfileStore(held).ingest(recording, labels={"a": "b"})
    file = perfduck.open(tmp_path / "file.duckdb")
    [theirs] = file.ingest(recording, labels={"a": "b"})
    assert ours.to_text() == theirs.to_text()
    assert ProfileStore(held).top("*").to_json() == file.top("*").to_json()
    assert ProfileStore(held).ingest(recording)[0].to_text().endswith("nothing added\n")
