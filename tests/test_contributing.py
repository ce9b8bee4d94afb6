"""CONTRIBUTING's table names files and identifiers: they are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SECTION = (
    (ROOT / "CONTRIBUTING.md").read_text().partition("## Where do I add")[2].partition("\n## ")[0]
)
TABLE, _, ADDED = SECTION.partition("Each of these was once added")
ROWS = dict(re.findall(r"^\| ([^|]+?) \| (.+) \|$", TABLE, re.M))
del ROWS["what"]
FILES = [path for path in ROOT.glob("*/**/*") if path.is_file() and ".venv" not in path.parts]
_PATH = re.compile(r"[\w.*/-]*(/|\.(py|sql|csv|md|txt|toml))[\w.*/-]*")
_NAME = re.compile(r"_?[A-Z][A-Z_]{2,}|[a-z_]+\.[a-z_]+|[a-z]+_[a-z_]+")


def places(pattern: str) -> list[Path]:
    """Files and folders that a row calls so, by their path or by the end of it."""
    wanted = pattern.rstrip("/").replace("KEY", "*").replace("NNNN", "*")
    return [*ROOT.glob(wanted), *(path for path in FILES if path.match(wanted))]


def test_the_table_is_read() -> None:
    assert {"an input format", "an exporter", "an attachment", "a migration"} <= set(ROWS)
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_names_is_there(row: str) -> None:
    code = re.findall(r"`([^`]+)`", ROWS[row])
    paths = [word for word in code if _PATH.fullmatch(word)]
    assert paths, "a row without a place"
    assert [word for word in paths if not places(word)] == []
    text = "\n".join(
        place.read_text(errors="replace")
        for word in paths
        for place in places(word)
        if place.suffix == ".py"
    )
    names = [word for word in code if word not in paths and _NAME.fullmatch(word)]
    assert [name for name in names if not re.search(rf"\b{name.rpartition('.')[2]}\b", text)] == []


@pytest.mark.parametrize("row", re.findall(r"^\| (.+) \|$", ADDED, re.M)[1:])
def test_what_was_added_by_the_table_would_go_to_files_that_are_there(row: str) -> None:
    what, edits, where = row.split(" | ")
    files = re.findall(r"`([^`]+)`", where)
    assert what
    assert len(files) <= int(edits)
    assert [file for file in files if not places(file)] == []
