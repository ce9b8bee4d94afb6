"""A command on a lake in a bucket prints what it prints of the same recordings in a file, byte for
byte, and leaves the same rows. The commands are a third of those of test_lake_commands: a bucket is
another place for the same files."""

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from lakes import rows_of_lake
from rows import mostly_slow
from s3_server import BUCKET, copy_lake
from test_every_option import STORES, _run, _words
from test_every_option import folder as folder  # a fixture
from test_lake_commands import without_times
from test_remote_commands import MORE, READING, WRITING, commands, rows_of

_EVERY = 40  # of the commands one is quick
_THIRD = slice(None, None, 3)


@pytest.fixture(scope="module", autouse=True)
def _env(s3_env: dict[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in s3_env.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def lakes(folder: Path) -> dict[str, str]:
    """The lakes of stores, by name: made when one is first asked for."""
    return {}


def lake_of(store: str, lakes: dict[str, str], folder: Path) -> str:
    if store not in lakes:
        lakes[store] = f"s3://{BUCKET}/{uuid.uuid4().hex}"
        for line in STORES[store]:
            code, _, error = _run(_words(line, folder), f"lake:{lakes[store]}")
            assert code == 0, error
    return lakes[store]


@pytest.mark.parametrize(
    ("store", "command"),
    mostly_slow([*commands(READING), *(("demo", each) for each in MORE)][_THIRD], _EVERY),
)
def test_an_answer_is_the_same(
    store: str, command: str, folder: Path, lakes: dict[str, str]
) -> None:
    words = _words(command, folder)
    code, out, error = _run(words, f"lake:{lake_of(store, lakes, folder)}")
    expected_code, expected_out, expected_error = _run(words, folder / f"{store}.duckdb")
    assert (code, error) == (expected_code, expected_error)
    assert without_times(out) == without_times(expected_out)


@pytest.mark.parametrize(("store", "command"), mostly_slow(commands(WRITING)[_THIRD], _EVERY))
def test_a_change_is_the_same(
    store: str, command: str, folder: Path, lakes: dict[str, str], tmp_path: Path
) -> None:
    words = _words(command, folder)
    file, lake = tmp_path / "file.duckdb", f"s3://{BUCKET}/{uuid.uuid4().hex}"
    shutil.copy(folder / f"{store}.duckdb", file)
    copy_lake(lake_of(store, lakes, folder), lake)
    code, out, error = _run(words, f"lake:{lake}")
    expected_code, expected_out, expected_error = _run(words, file)
    # A compaction makes a lake smaller.
    expected = [line for line in expected_out.splitlines(True) if not line.startswith("store: ")]
    assert (code, out, error) == (expected_code, "".join(expected), expected_error)
    assert rows_of_lake(lake, tmp_path) == rows_of(file)
