"""A generator that runs in another process.

Two interpreters use two CPUs; two threads of one do 1.4 times the work of one, with as many short
calls as there are here. The process can start before polars and DuckDB are loaded, which takes
0.3 s.
"""

import gc
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar, cast

from perfduck_ingest.runtime.malloc import retain
from perfduck_ingest.runtime.pipe import PIPE_BYTES
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits

PERF_DATA = (b"PERFILE2", b"2ELIFREP")  # what it begins with


T = TypeVar("T")
P = ParamSpec("P")

_prepared: list[subprocess.Popen[bytes]] = []


def warm_up(name: str) -> subprocess.Popen[bytes] | None:
    """Start the process that reads this file, if one will."""
    with suppress(OSError):  # for whoever reads the file to report
        path = Path(name)
        if (
            path.is_file()
            and path.stat().st_size >= limits.subprocess_bytes
            and _is_perf_data(path)
        ):
            return spawn_worker("perfduck_ingest.perf_data.session")
    return None


def _is_perf_data(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) in PERF_DATA


def spawn_worker(module: str) -> subprocess.Popen[bytes]:
    """Start the process for the next generator, one of this module. It gets ready while this one
    loads what it needs itself, which takes as long."""
    _prepared.append(process := _started(module))
    return process


def subprocess_iter(
    generator: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs
) -> Iterator[T]:
    """What the generator yields, or raises. It is a function of a module, and its arguments and
    items can be pickled; None is no item."""
    with _prepared.pop() if _prepared else _started(generator.__module__) as process:
        try:
            pickle.dump((generator, args, kwargs), cast(BinaryIO, process.stdin))
            cast(BinaryIO, process.stdin).close()
            yield from _items(cast(BinaryIO, process.stdout))
        finally:
            process.kill()  # whoever reads may stop before the end


def _started(module: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pipesize=PIPE_BYTES,
        process_group=0,  # Ctrl-C of a terminal is for the process that asks, which kills this one
    )


def _items(pipe: BinaryIO) -> Iterator[T]:
    while (item := _next(pipe)) is not None:
        if isinstance(item, Exception):
            raise item
        yield cast(T, item)


def _next(pipe: BinaryIO) -> object:
    try:
        return pickle.load(pipe)
    except (EOFError, pickle.UnpicklingError):
        message = "expected a whole recording, but what reads it was killed (out of memory?)"
        raise PerfduckError(message) from None


def _run(orders: BinaryIO, items: BinaryIO) -> None:
    generator, args, kwargs = pickle.load(orders)
    try:
        for item in generator(*args, **kwargs):
            pickle.dump(item, items, pickle.HIGHEST_PROTOCOL)
            items.flush()
        pickle.dump(None, items)
    except Exception as error:
        pickle.dump(error, items)
    items.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process says when to stop
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # and is gone without a word when killed
    import_module(sys.argv[1])
    retain()
    gc.freeze()
    with suppress(EOFError):  # prepared and never used
        _run(sys.stdin.buffer, sys.stdout.buffer)
