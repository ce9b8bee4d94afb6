"""What arrives again, in any way in which it can, or is killed half-way, changes no answer."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import xxhash
from killed import QUERY
from lakes import rows_of_lake, say, written
from parts_oracle import Oracle, check
from test_lake import VERSION, asked, killed
from test_remote_commands import rows_of

from perfduck_store.choice import Choice
from perfduck_store.lake.kinds import NAMES
from perfduck_store.lake.store import LakeStore

pytestmark = pytest.mark.slow
TIMES = 20


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    root = tmp_path / "lake"
    say("ingest", *written(tmp_path / "recordings", 3), "--store", f"lake:{root}")
    say("edit", "run-1", "--label", "n=1", "--store", f"lake:{root}")
    return root


def published(lake: Path, folder: str, content: bytes, ending: str) -> str:
    name = xxhash.xxh3_128_hexdigest(content)
    (lake / VERSION / folder / f"{name}.{ending}").write_bytes(content)
    return name


def written_otherwise(lake: Path, table: str, name: str, number: int) -> list[object]:
    """A part with the same rows, as another writer may have it: in another order, and packed
    otherwise. Its name and bytes."""
    rows = pq.read_table(lake / VERSION / table / f"{name}.parquet")
    order = random.Random(number).sample(range(len(rows)), len(rows))
    path = lake.parent / "otherwise.parquet"
    pq.write_table(rows.take(order), path, compression="zstd", compression_level=1 + number)
    content = path.read_bytes()
    return [published(lake, table, content, "parquet"), len(content)]


def deliver_again(lake: Path, number: int) -> None:
    """All commits once more, earlier or later, with parts that were written otherwise."""
    for path in sorted((lake / VERSION / "commits").glob("*.json")):
        log = json.loads(path.read_bytes())
        if log.get("again"):
            continue
        log |= {"at": log["at"] + number - TIMES // 2, "again": True}
        for group in log.get("groups", ()):
            for table in NAMES:
                if table in group["parts"]:
                    hashed = group["parts"][table][0]
                    group["parts"][table] = written_otherwise(lake, table, hashed, number)
        published(lake, "commits", json.dumps(log).encode(), "json")


def test_functions_and_stacks_that_are_delivered_twenty_times_count_once(
    lake: Path, tmp_path: Path
) -> None:
    rows, answer = rows_of_lake(lake, tmp_path), asked(f"lake:{lake}")
    for number in range(TIMES):
        deliver_again(lake, number)
    for table in NAMES:
        for path in sorted((lake / VERSION / table).iterdir()):  # beside what any commit names
            shutil.copy(
                path, path.with_name(f"{xxhash.xxh3_128_hexdigest(path.name.encode())}.parquet")
            )
        assert len(list((lake / VERSION / table).iterdir())) > 2 * TIMES
    before = shutil.copytree(lake, tmp_path / "before")
    for again in range(3):
        assert asked(f"lake:{lake}") == answer
        assert rows_of_lake(lake, tmp_path) == rows
        with LakeStore(lake) as store:
            keys = [each.profile_id for each in store.profiles.all()]
            choice = Choice(profiles=keys, events=[("cpu-clock",)] * 3)
            check(store, Oracle(lake), choice)
        if again == 0:
            say("compact", "--store", f"lake:{lake}", "--keep", "0h")
            say("compact", "--store", f"lake:{lake}", "--keep", "0h")
        else:  # files of the generation before are copied back
            shutil.copytree(before, lake, dirs_exist_ok=True)


def test_a_merge_into_a_lake_that_is_killed_goes_on(lake: Path, tmp_path: Path) -> None:
    """Of 24 recordings, 20 are a commit and 4 another: none, the 20 or all are there, whole."""
    more, moments = tmp_path / "more.duckdb", 8
    say("ingest", *written(tmp_path / "more", 27, 4)[3:], "--store", more)
    folder = killed(lake, tmp_path, moments, "merge", str(more))
    before, after = asked(f"lake:{lake}"), asked(f"lake:{folder / 'whole'}")
    states = set()
    for number in range(moments):
        states.add((folder / f"{number}.killed").read_text())
        assert (folder / f"{number}.again").read_text() == after
    [partly] = states - {before, after}
    assert before in states
    assert len({line.split(",")[0] for line in partly.splitlines()[1:]}) == 3 + 20
    assert set(partly.splitlines()) < set(after.splitlines())


@pytest.mark.parametrize("seconds", [0.6, 1.6])
def test_a_merge_of_a_lake_that_is_killed_goes_on(
    seconds: float, lake: Path, tmp_path: Path
) -> None:
    say("ingest", *written(tmp_path / "more", 60, 4)[3:], "--store", f"lake:{lake}")
    code = "import sys; from perfduck_cli.start import main; main()"
    file = tmp_path / "file.duckdb"
    words = ["merge", f"lake:{lake}", "--store", str(file)]
    process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    say(*words)
    assert rows_of(file) == rows_of_lake(lake, tmp_path)
    assert say("sql", QUERY, "--format", "csv", "--store", file) == asked(f"lake:{lake}")


def test_the_work_of_one_of_two_merged_copies_stays(tmp_path: Path) -> None:
    [recording] = written(tmp_path / "recording", 1)
    with_work, without = tmp_path / "work.duckdb", tmp_path / "none.duckdb"
    say("ingest", recording, "--work", "7", "--unit", "packet", "--store", with_work)
    say("ingest", recording, "--store", without)
    one, other = tmp_path / "one", tmp_path / "other"  # as two machines that begin at once
    say("merge", with_work, "--store", f"lake:{one}")
    say("merge", without, "--store", f"lake:{other}")
    shutil.copytree(other, one, dirs_exist_ok=True)
    assert (
        asked(f"lake:{one}", "select work, work_unit from profile")
        == "work,work_unit\n7.0,packet\n"
    )


def test_a_lake_may_be_in_a_directory_of_any_name(lake: Path, tmp_path: Path) -> None:
    other = tmp_path / "a -- b\n'c' [d]* {e}%41"
    shutil.copytree(lake, other)
    assert asked(f"lake:{other}", QUERY) == asked(f"lake:{lake}", QUERY)
    assert "generation 1" in say("compact", "--keep", "0h", "--store", f"lake:{other}")
    assert asked(f"lake:{other}", QUERY) == asked(f"lake:{lake}", QUERY)
