"""merge between files and servers, both ways."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from served import served
from test_remote_commands import rows_of

import perfduck
from perfduck import PerfduckError

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them


@pytest.fixture
def half(demo_store: Path, tmp_path: Path) -> Path:
    """A store with some of the recordings, one of which is called otherwise."""
    path = tmp_path / "half.duckdb"
    path.write_bytes(demo_store.read_bytes())
    store = perfduck.open(path)
    store.remove("docker0-nat.*")
    store.edit("native.crr.1", name="another", labels=["of=half"])
    return path


@pytest.fixture
def url(half: Path, tmp_path: Path) -> Iterator[str]:
    served_path = tmp_path / "served.duckdb"
    served_path.write_bytes(half.read_bytes())
    with served(served_path) as url:
        yield url


def merged(into: str | Path, other: str | Path) -> str:
    words = ["merge", str(other), "--store", str(into)]
    done = subprocess.run(
        [sys.executable, "-m", "perfduck", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return (done.stderr + done.stdout).replace(str(other), "OTHER")


def test_a_file_into_a_server(half: Path, demo_store: Path, tmp_path: Path) -> None:
    (tmp_path / "served.duckdb").write_bytes(half.read_bytes())
    with served(tmp_path / "served.duckdb") as url:
        assert merged(url, demo_store) == merged(half, demo_store)
        assert merged(url, demo_store) == merged(half, demo_store), "again: nothing is added"
    assert rows_of(tmp_path / "served.duckdb") == rows_of(half)
    assert list((tmp_path / "served.duckdb.server" / "merging").iterdir()) == []


def test_a_server_into_a_file_and_into_another_server(
    url: str, demo_store: Path, half: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target.duckdb"
    assert "OTHER: 12 recordings added, 0 already" in merged(target, url)
    assert rows_of(target) == rows_of(half)
    (tmp_path / "second.duckdb").write_bytes(demo_store.read_bytes())
    with served(tmp_path / "second.duckdb") as second:
        assert "OTHER: 0 recordings added, 12 already" in merged(second, url)
        assert perfduck.open(second).profiles("of=half").frame["name"].to_list() == ["native.crr.1"]
    assert [each.name for each in tmp_path.glob(".perfduck-merge*")] == []


def test_a_file_whose_log_has_what_was_committed_last(
    url: str, demo_store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "logged.duckdb"
    path.write_bytes(demo_store.read_bytes())
    write = f"""
import duckdb, os
c = duckdb.connect({str(path)!r})
c.execute("pragma wal_autocheckpoint='1TB'")
c.execute("update profile set name = 'late' where name = 'native.crr.2'")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", write], check=True)
    assert path.with_name("logged.duckdb.wal").exists()
    assert "is called late there" in merged(url, path)


def test_what_is_no_store_or_damaged_is_a_line(url: str, demo_store: Path, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no store")
    with pytest.raises(PerfduckError, match="expected a store, got another file"):
        perfduck.open(url).merge(text)
    foreign = tmp_path / "foreign.duckdb"
    duckdb.connect(str(foreign)).execute("create table x (a int)").close()
    with pytest.raises(PerfduckError, match="expected a perfduck store, got another DuckDB file"):
        perfduck.open(url).merge(foreign)
    damaged = bytearray(demo_store.read_bytes())
    damaged[len(damaged) // 3 : len(damaged) // 2] = bytes(len(damaged) // 2 - len(damaged) // 3)
    (tmp_path / "damaged.duckdb").write_bytes(damaged)
    with pytest.raises(PerfduckError) as raised:
        perfduck.open(url).merge(tmp_path / "damaged.duckdb")
    assert "\n" not in str(raised.value)
    assert len(perfduck.open(url).names()) == 12
