"""A lake that machines with perfduck of several schema versions write: nothing is lost, and nothing
is left out without a word.

fixtures/lake/schema-7.tar.xz is a lake as perfduck with schema version 7 wrote it, and twin-7 a
file that it wrote with the same commands: three recordings (one with network namespaces and
attachments, two of them compacted), of which one was removed, and the work and the labels of others
changed.
"""

import json
import lzma
import shutil
import tarfile
from pathlib import Path

import pytest
from command import run_text
from lakes import line, rows_of_lake, say, script
from recordings import FIXTURES
from test_lake import killed
from test_remote_commands import rows_of

from perfduck_store.duckdb.schema import SCHEMA_VERSION

pytestmark = pytest.mark.slow
LEFT_OUT = "what was written in schema version 7 since the last compaction is left out"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    root = tmp_path / "old"
    with tarfile.open(FIXTURES / "lake" / "schema-7.tar.xz") as packed:
        packed.extractall(root, filter="data")
    return root


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    file, columns_in_order = tmp_path / "twin.duckdb", tmp_path / "new.duckdb"
    file.write_bytes(lzma.decompress((FIXTURES / "lake" / "twin-7.duckdb.xz").read_bytes()))
    say("merge", file, "--store", columns_in_order)  # an upgrade adds columns behind the others
    return columns_in_order


def test_compact_takes_over_what_an_older_version_has(
    old: Path, twin: Path, tmp_path: Path
) -> None:
    expected = f"{old}: expected a lake of schema version {SCHEMA_VERSION}, got 7"
    said = line("profiles", "--store", f"lake:{old}")
    assert said == f"perfduck: {expected} (perfduck compact --store lake:{old} upgrades it)\n"
    assert "2 recordings of an older schema version taken over" in say(
        "compact", "--store", f"lake:{old}"
    )
    assert rows_of_lake(old, tmp_path) == rows_of(twin)
    assert "taken over" not in say("compact", "--store", f"lake:{old}", "--keep", "0h")
    assert rows_of_lake(old, tmp_path) == rows_of(twin)
    assert (old / "v7" / "commits").is_dir()  # which older ones go on writing


def test_what_an_older_version_writes_later_comes_with_the_next_compaction(
    old: Path, twin: Path, tmp_path: Path
) -> None:
    later = tmp_path / "later"
    later.mkdir()
    commits = sorted(
        (old / "v7" / "commits").iterdir(), key=lambda path: json.loads(path.read_bytes())["at"]
    )
    for path in commits[-4:]:  # the last import, two edits and the removal
        shutil.move(path, later)
    assert "2 recordings" in say("compact", "--store", f"lake:{old}")
    quiet = run_text(["profiles", "--store", f"lake:{old}"])
    assert (quiet.returncode, quiet.stderr) == (0, "")
    for path in later.iterdir():
        shutil.move(path, old / "v7" / "commits")
    said = run_text(["profiles", "--store", f"lake:{old}"])
    assert (said.returncode, said.stdout, said.stderr.count(LEFT_OUT)) == (0, quiet.stdout, 1)
    say("compact", "--store", f"lake:{old}")
    assert rows_of_lake(old, tmp_path) == rows_of(twin)
    assert run_text(["profiles", "--store", f"lake:{old}"]).stderr == ""


def test_a_new_version_writes_beside_an_older_one(old: Path, tmp_path: Path) -> None:
    recording = tmp_path / "new.txt"
    recording.write_text(script(1))
    said = run_text(["ingest", recording, "--store", f"lake:{old}"])
    assert (said.returncode, said.stderr.count(LEFT_OUT)) == (0, 1)
    say("edit", "new", "--label", "run=9", "--store", f"lake:{old}")
    say("compact", "--store", f"lake:{old}")
    query = "select name, labels['run'] as run from profile order by all"
    names = say("sql", query, "--format", "csv", "--store", f"lake:{old}")
    assert names == "name,run\nnew,9\nns,1\nthread,4\n"


def test_what_a_newer_version_has_is_said_to_be_left_out(tmp_path: Path) -> None:
    recording, lake = tmp_path / "new.txt", tmp_path / "lake"
    recording.write_text(script(1))
    say("ingest", recording, "--store", f"lake:{lake}")
    (lake / "v9999" / "commits").mkdir(parents=True)
    said = run_text(["profiles", "--store", f"lake:{lake}"])
    assert said.returncode == 0
    assert "what a newer perfduck wrote, in schema version 9999, is left out" in said.stderr


@pytest.mark.parametrize("moments", [4, 20])
def test_what_takes_over_and_is_killed_goes_on(
    moments: int, old: Path, twin: Path, tmp_path: Path
) -> None:
    folder = killed(old, tmp_path, moments, "compact", "--keep", "0h")
    from killed import QUERY

    expected = say("sql", QUERY, "--format", "csv", "--store", twin)
    for number in range(moments):
        assert (folder / f"{number}.again").read_text() == expected
    assert rows_of_lake(folder / "whole", tmp_path) == rows_of(twin)
