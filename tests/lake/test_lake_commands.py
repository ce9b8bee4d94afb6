"""A command on a lake prints what it prints of the same recordings in a file, byte for byte, and
leaves the same rows.

The commands are those of test_every_option: every option of every command.
"""

import re
import shutil
from pathlib import Path

import pytest
from lakes import rows_of_lake
from test_every_option import STORES, _run, _words
from test_every_option import folder as folder  # a fixture
from test_remote_commands import MORE, READING, WRITING, commands, mostly_slow, rows_of


@pytest.fixture(scope="module")
def lakes(folder: Path) -> dict[str, Path]:
    """Addresses of lakes with what the stores have, by name."""
    found = {}
    for name, lines in STORES.items():
        found[name] = Path(f"lake:{folder}/lake-{name}")
        for line in lines:
            assert _run(_words(line, folder), found[name]) == (0, *_anything)
    return found


class _Any:
    def __eq__(self, other: object) -> bool:
        return True


_anything = (_Any(), _Any())


def without_times(text: str) -> str:
    """Recordings were stored at another time."""
    return re.sub(r'"?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?"?', "TIME", text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("store", "command"), mostly_slow([*commands(READING), *(("demo", each) for each in MORE)])
)
def test_an_answer_is_the_same(
    store: str, command: str, folder: Path, lakes: dict[str, Path]
) -> None:
    words = _words(command, folder)
    code, out, error = _run(words, lakes[store])
    expected_code, expected_out, expected_error = _run(words, folder / f"{store}.duckdb")
    assert (code, error) == (expected_code, expected_error)
    assert without_times(out) == without_times(expected_out)


@pytest.mark.slow
@pytest.mark.parametrize(("store", "command"), mostly_slow(commands(WRITING)))
def test_a_change_is_the_same(
    store: str, command: str, folder: Path, lakes: dict[str, Path], tmp_path: Path
) -> None:
    words = _words(command, folder)
    file, lake = tmp_path / "file.duckdb", tmp_path / "lake"
    shutil.copy(folder / f"{store}.duckdb", file)
    shutil.copytree(str(lakes[store]).removeprefix("lake:"), lake)
    code, out, error = _run(words, Path(f"lake:{lake}"))
    expected_code, expected_out, expected_error = _run(words, file)
    # A compaction makes a lake smaller.
    expected = [line for line in expected_out.splitlines(True) if not line.startswith("store: ")]
    assert (code, out, error) == (expected_code, "".join(expected), expected_error)
    assert rows_of_lake(lake, tmp_path) == rows_of(file)
