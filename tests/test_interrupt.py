"""Ctrl-C, a real signal, ends every command with 130 within seconds and leaves the store whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recordings import FIXTURES

from perfduck_store.duckdb.store import DuckDbStore

PROGRAM = Path(sys.executable).parent / "perfduck"
RUNS = [str(FIXTURES / "demo" / f"native.udp64.{number}.txt.xz") for number in (1, 2, 3)]
MOST_S = 8.0  # two of grace, on a machine that has other work too
# Minutes in all threads of duckdb, and in one.
BUSY = "select count(*) from range(100000000) a, range(100000) b where (a.range * b.range) % 7 = 3"
ALONE = "with recursive c(n) as (select 0 union all select n + 1 from c where n < 10^9) from c"
SORT = "select max(h) from (select hash(range) h, range from range(3000000000) order by h)"
# perfduck, which says when it begins with what takes long.
CHANGED = """
import sys
from perfduck_store.duckdb import store
from perfduck_store.duckdb.schema import named
def begin():
    print("began", flush=True)
{before}
from perfduck_cli.main import main
main()
"""
AS_IT_IS = """
run = store.DuckDbStore.user_sql
def user_sql(*arguments):
    begin()
    return run(*arguments)
store.DuckDbStore.user_sql = user_sql
"""
# What `top` and `diff` read takes minutes.
SLOW_ANSWER = f"""
frame = store.DuckDbStore.frame
def slow(self, sql, parameters=None):
    if sql.endswith((named('top_function'), named('diff_weights'))):
        begin()
        frame(self, {BUSY!r})
    return frame(self, sql, parameters)
store.DuckDbStore.frame = slow
"""
# A commit hears nothing, and neither does hashlib.
SLOW_COMMIT = """
run = store.DuckDbStore.execute
def execute(self, sql, parameters=None):
    if sql == 'commit':
        with self._held():
            import hashlib
            begin()
            hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)
    run(self, sql, parameters)
store.DuckDbStore.execute = execute
"""


def default_signals() -> None:
    """A shell ignores SIGINT in what it starts in the background, pytest with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stopped(before: str, *words: str) -> tuple[int, str, float]:
    """perfduck, changed, stopped in the middle: exit code, what was said, and the seconds that it
    took to end."""
    command = [sys.executable, "-c", CHANGED.format(before=before), *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=default_signals,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        time.sleep(0.3)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        try:
            said, _ = process.communicate(timeout=20)
        finally:
            process.kill()
        return process.returncode, said, time.monotonic() - started


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("interrupt") / "store.duckdb"
    subprocess.run([PROGRAM, "ingest", *RUNS[:2], "--store", path], check=True)
    return path


@pytest.mark.parametrize(
    "query",
    [pytest.param(BUSY, marks=pytest.mark.slow), ALONE, pytest.param(SORT, marks=pytest.mark.slow)],
    ids=["busy", "alone", "sort"],
)
def test_sql_is_stopped(store: Path, query: str) -> None:
    words = ["sql", query, "--timeout", "600", "--store", str(store)]
    code, said, took = stopped(AS_IT_IS, *words)
    assert (code, said) == (130, "")
    assert took < MOST_S


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [["top", "*"], ["diff", "native.udp64.1", "native.udp64.2"]],
    ids=["top", "diff"],
)
def test_an_answer_is_stopped(store: Path, words: list[str]) -> None:
    code, said, took = stopped(SLOW_ANSWER, *words, "--store", str(store))
    assert (code, said) == (130, "")
    assert took < MOST_S


def names(store: Path) -> list[str]:
    with DuckDbStore(store) as opened:
        return [name for (name,) in opened.rows("select name from profile order by name")]


@pytest.mark.slow
def test_a_commit_that_hears_nothing_is_left(store: Path) -> None:
    words = ["ingest", RUNS[2], "--store", str(store)]
    code, said, took = stopped(SLOW_COMMIT, *words)
    assert (code, said) == (130, "")
    assert took < MOST_S
    assert names(store) == ["native.udp64.1", "native.udp64.2"]
    subprocess.run([PROGRAM, *words], check=True)
    assert names(store)[-1] == "native.udp64.3"


# Loading takes as long as it likes, and a terminal sends Ctrl-C to all processes of a command.
LOADING = """
import os, signal, time
from perfduck_cli import start
def load(name):
    print("began", flush=True)
    time.sleep(30)
start.import_module = load
start.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "words", "code"),
    [
        (LOADING, [], -signal.SIGINT),  # 130 for a shell
        (CHANGED.format(before=AS_IT_IS), ["sql", ALONE, "--timeout", "600"], 130),
    ],
    ids=["loading", "sql"],
)
def test_ctrl_c_of_a_terminal_prints_no_traceback(
    store: Path, program: str, words: list[str], code: int
) -> None:
    place = ["--store", str(store)] if words else []
    with subprocess.Popen(
        [sys.executable, "-c", program, *words, *place],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=default_signals,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        time.sleep(0.05)  # in the process of sql nothing is loaded yet
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=20)
    assert (process.returncode, said) == (code, "")
