"""The user's SQL in a process of its own, which ends where the statement does not.

DuckDB hears an interrupt between chunks of rows, and looks at its limit of memory where it expects
much: `select repeat('x', 4000000000)` is one call, of a minute and 8 GB. A thread would be left
behind with both, and with the lock on the store.

    store, seconds to wait, text, parameters, limits   ->    opens the store to read, user_sql.run
    a frame or an exception, and whether it goes on   <-

A process that answered waits for the next statement: to start one takes 0.4 s.
"""

import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import gettempdir
from threading import Event, Thread
from typing import IO, TYPE_CHECKING, Any, cast

from perfduck_model.errors import PerfduckError
from perfduck_store import parts
from perfduck_store.choice import SqlLimits
from perfduck_store.lake.address import is_lake, root_of
from perfduck_store.waiting import waiting

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.duckdb.store import DuckDbStore

# Begins with the folder that the path is relative to, and the variables that say where buckets are
# and with which keys: who asks may have others by now.
Order = tuple[str, dict[str, str], str, float, str, dict[str, Any], SqlLimits]

_GRACE_S = 0.5  # until DuckDB heard of an interrupt, and the answer is written
_MOST_IDLE = 2
_MOST_IDLE_MB = 512  # what a process has that waits for the next statement
_MORE_MB = 1024  # beside what DuckDB counts: the libraries, an answer of a million rows
_LOOK_S = 0.05  # a gigabyte is written in 0.3 s
_TOO_LARGE = 3  # exit code

niceness = 0  # of the processes; a server raises it: its own requests go first
_idle: list[subprocess.Popen[bytes]] = []
os.register_at_fork(after_in_child=_idle.clear)  # they answer the parent


def run(
    store: Path | str, text: str, parameters: Mapping[str, Any], limits: SqlLimits
) -> "pl.DataFrame":
    """The rows of the statement over the store at a path, or over a lake at its address, as
    user_sql.run. Raises PerfduckError; at most a second after the time of the limits."""
    place = str(store)
    folder = _folder_of(place)
    process = _taken()
    try:
        here = str(Path.cwd()), dict(os.environ)
        order: Order = (*here, place, waiting.limit_s, text, dict(parameters), limits)
        answer, goes_on = _asked(process, order)
    except BaseException:
        _end(process, folder)
        raise
    # From here on another thread may have it.
    _idle.append(process) if goes_on and len(_idle) < _MOST_IDLE else _end(process, folder)
    if isinstance(answer, Exception):
        raise answer
    return cast("pl.DataFrame", answer)


def prepare() -> None:
    """Start the process for the next statement, while this one loads what it needs itself."""
    if not _idle:
        _idle.append(_started())


def _taken() -> subprocess.Popen[bytes]:
    """A process that waits for a statement, for this thread alone."""
    with suppress(IndexError):
        process = _idle.pop()
        if process.poll() is None:  # nothing killed it meanwhile
            return process
    return _started()


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Kill it, with what it spilled."""
    process.kill()
    process.communicate()
    shutil.rmtree(_spilled(folder, process.pid), ignore_errors=True)


def _started() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", __name__, str(niceness)]
    # A group of its own: Ctrl-C of a terminal is for the process that asks, which kills this one.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)


def _asked(process: subprocess.Popen[bytes], order: Order) -> tuple[object, bool]:
    orders, answers = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    try:
        pickle.dump(order, orders)
        orders.flush()
        return cast(tuple[object, bool], pickle.load(answers))
    except (EOFError, OSError, pickle.UnpicklingError) as error:
        raise _why(process.wait(), order[-1]) from error


def _why(code: int, limits: SqlLimits) -> PerfduckError:
    """The process ended with this code, and without an answer."""
    if code == -signal.SIGALRM:
        return stopped(limits)
    if code == _TOO_LARGE:
        message = f"sql: expected an answer within {limits.memory_mb:,} MB of memory, got more"
        return PerfduckError(message)
    return PerfduckError("sql: expected an answer, but the process that runs it was killed")


def stopped(limits: SqlLimits) -> PerfduckError:
    """The statement's time was over."""
    return PerfduckError(f"sql: stopped after {limits.seconds:g} s (--timeout SECONDS for more)")


def _spilled(folder: Path, pid: int) -> Path:
    """Where the process spills what memory does not hold: the disk of the store has room."""
    return folder / f".perfduck-sql-{pid}.tmp"


def _serve(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Answer statements, as long as somebody asks."""
    goes_on = True
    while goes_on:
        order: Order = pickle.load(orders)
        answer = _answer(*order)
        goes_on = _resident_mb() < _MOST_IDLE_MB
        answered = pickle.dumps((answer, goes_on), pickle.HIGHEST_PROTOCOL)
        signal.setitimer(signal.ITIMER_REAL, 0)  # before anybody can ask again
        answers.write(answered)
        answers.flush()


def _answer(
    folder: str,
    variables: dict[str, str],
    place: str,
    wait_s: float,
    text: str,
    parameters: dict[str, Any],
    limits: SqlLimits,
) -> object:
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        with _opened(place, wait_s) as store:
            store.spill_to(_spilled(_folder_of(place), os.getpid()))
            signal.setitimer(signal.ITIMER_REAL, limits.seconds + _GRACE_S)
            with _memory_bounded(limits.memory_mb + _MORE_MB):
                return store.run_user_sql(text, parameters, limits)
    except Exception as error:
        if not isinstance(error, PerfduckError):
            error.add_note(traceback.format_exc())
        return error


def _opened(place: str, wait_s: float) -> "DuckDbStore":
    if is_lake(place):
        lake = parts.lake_store.LakeStore(root_of(place))
        lake.show_parts()  # fetched and checked before the time of the statement begins
        return lake
    from perfduck_store.duckdb.store import DuckDbStore

    return DuckDbStore(Path(place), wait_s=wait_s)


def _folder_of(place: str) -> Path:
    """Where a statement spills to; who asks a lake may not be allowed to write it."""
    return Path(gettempdir()) if is_lake(place) else Path(place).parent


@contextmanager
def _memory_bounded(most_mb: int) -> Iterator[None]:
    """End the process where it takes more. RLIMIT_DATA is no bound: what polars reserves and never
    uses counts there, 1.5 GB."""
    ended = Event()
    Thread(target=_watch, args=(most_mb, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _watch(most_mb: int, ended: Event) -> None:
    while not ended.wait(_LOOK_S):
        if _resident_mb() > most_mb:
            os._exit(_TOO_LARGE)


def _resident_mb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


if __name__ == "__main__":
    os.nice(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process says when to stop
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what any library prints
    import_module("perfduck_store.duckdb.user_sql")
    import_module("perfduck_store.duckdb.store")
    with suppress(EOFError, BrokenPipeError):  # nobody asks any more
        _serve(sys.stdin.buffer, answers)
    os._exit(0)
