"""A command against a server prints what it prints of the same store as a file, byte for byte, and
leaves an equal store.

The commands are those of test_every_option: every option of every command.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest
from _pytest.mark import ParameterSet
from served import served
from test_every_option import ROWS, STORES, Row, _run, _words
from test_every_option import folder as folder  # a fixture

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them

READING = ("top", "diff", "compare", "trend", "export", "budget suggest", "profiles", "sql",
           "explain", "noise list", "symbols list")  # fmt: skip
WRITING = ("edit", "rm", "prune", "attach", "tag", "symbols add", "noise learn", "noise forget")
MORE = (
    "top * --by path", "top * --by subsystem", "top * --by source", "top * --by dso",
    "top * --by comm --format json", "trend * --over scenario --format json",
    "top * nf_hook_slow --by callers --format json",
    "top * nf_hook_slow --by callees --limit 5", "top * --format markdown", "top * --format csv",
    "diff native.* docker0-nat.* --format json", "diff native.* docker0-nat.* --format junit",
    "diff native.* docker0-nat.* --format html", "profiles --format json",
    "profiles --format markdown", "profiles nothing", "top nothing", "noise list --format json",
    "symbols list --format json", "export * --format html", "top * --subsystem nothing",
    "sql select\u00a0*\u00a0from\u00a0profile\u00a0order\u00a0by\u00a0all --format json",
)  # fmt: skip


def mostly_slow(cases: Iterable[tuple[str, str]]) -> list[ParameterSet]:
    """All cases; one of ten is among the quick tests."""
    return [
        pytest.param(*case, marks=[] if number % 10 == 0 else pytest.mark.slow)
        for number, case in enumerate(cases)
    ]


def commands(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Store and command, each once; without --engine, which a lake takes and the others refuse."""
    some = [row for row in ROWS if row.command in names and row.parameter != "engine"]
    rows = [(row.store, _typed(row)) for row in some]
    return list(dict.fromkeys(rows))


def _typed(row: Row) -> str:
    return f"{row.command} {row.words} {row.typed}"


@pytest.fixture(scope="module")
def urls(folder: Path) -> Iterator[dict[str, str]]:
    """Servers of copies of the stores, by name."""
    with ExitStack() as servers:
        found = {}
        for name in STORES:
            copy = folder / f"served-{name}.duckdb"
            shutil.copy(folder / f"{name}.duckdb", copy)
            found[name] = servers.enter_context(served(copy))
        yield found


@pytest.mark.parametrize(
    ("store", "command"), mostly_slow([*commands(READING), *(("demo", each) for each in MORE)])
)
def test_an_answer_is_the_same(
    store: str, command: str, folder: Path, urls: dict[str, str]
) -> None:
    words = _words(command, folder)
    url = urls[store]
    assert _run(words, url) == _run(words, folder / f"{store}.duckdb")


@pytest.mark.parametrize(("store", "command"), mostly_slow(commands(WRITING)))
def test_a_change_is_the_same(store: str, command: str, folder: Path, tmp_path: Path) -> None:
    words = _words(command, folder)
    copies = [tmp_path / "file.duckdb", tmp_path / "server.duckdb"]
    for copy in copies:
        shutil.copy(folder / f"{store}.duckdb", copy)
    with served(copies[1]) as url:
        code, out, error = _run(words, url)
    # A server does not make its file smaller while others read it.
    lines = [line for line in out.splitlines(True) if not line.startswith("store: ")]
    expected_code, expected_out, expected_error = _run(words, copies[0])
    expected = [line for line in expected_out.splitlines(True) if not line.startswith("store: ")]
    assert (code, lines, error) == (expected_code, expected, expected_error)
    assert rows_of(copies[1]) == rows_of(copies[0])


def rows_of(store: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, without when they were stored."""
    with duckdb.connect(str(store), read_only=True) as opened:
        tables = [
            name for (name,) in opened.execute("select table_name from duckdb_tables()").fetchall()
        ]
        found = {}
        for table in sorted(tables):
            columns = opened.execute(f"describe {table}").fetchall()
            names = ", ".join(f'"{row[0]}"' for row in columns if row[0] != "ingested_at")
            found[table] = opened.execute(f"select {names} from {table} order by all").fetchall()
        return found
