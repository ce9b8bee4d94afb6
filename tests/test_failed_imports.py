"""Imports that fail one after the other in one process, as in a server: nothing of them stays."""

import gc
import lzma
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from recordings import FIXTURES, text_of

from perfduck.ingestion import IngestRequest, ingest
from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore

TEXT = text_of(FIXTURES / "perf_script" / "v7-default")
DATA = lzma.decompress((FIXTURES / "perf_data" / "events" / "recording.data.xz").read_bytes())
(START,) = struct.unpack_from("<Q", DATA, 40)  # of the records
Progress = Callable[[Source, int], None]


def raises(error: type[BaseException]) -> Progress:
    """A consumer that gives up at the first batch."""

    def give_up(source: Source, samples: int) -> None:
        raise error

    return give_up


def goes_on(source: Source, samples: int) -> None:
    """A consumer that does not give up."""


# kind -> the recording, what is told of its progress, and what the import fails with
KINDS: dict[str, tuple[bytes, Progress, type[BaseException]]] = {
    "no recording": (b"\x7fELF" + bytes(100), goes_on, PerfduckError),
    "no samples": (b"# captured on    : Mon Nov 23 01:26:06 2026\n# event : name\n", goes_on,
                   PerfduckError),
    "text that is cut off": (TEXT[: TEXT.rindex(b"(")], goes_on, PerfduckError),
    "text that becomes another": (TEXT + b"and so on\n" * 5000, goes_on, PerfduckError),
    "packed text that is cut off": (lzma.compress(TEXT)[:-20], goes_on, PerfduckError),
    "perf.data that is cut off": (DATA[:-9000], goes_on, PerfduckError),
    "packed perf.data that is cut off": (lzma.compress(DATA)[:-100], goes_on, PerfduckError),
    "perf.data with a record of no size": (DATA[:START] + bytes(8) + DATA[START + 8 :], goes_on,
                                           PerfduckError),
    "text, abandoned": (TEXT, raises(ZeroDivisionError), ZeroDivisionError),
    "perf.data, abandoned": (DATA, raises(ZeroDivisionError), ZeroDivisionError),
    "packed perf.data, abandoned": (lzma.compress(DATA), raises(ZeroDivisionError),
                                    ZeroDivisionError),
    "text and Ctrl-C": (TEXT, raises(KeyboardInterrupt), KeyboardInterrupt),
    "perf.data and Ctrl-C": (DATA, raises(KeyboardInterrupt), KeyboardInterrupt),
}  # fmt: skip


def fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def settled(counts: Callable[[], tuple[int, int]], limits: tuple[int, int]) -> tuple[int, int]:
    """The counts, once they are within the limits, or after some seconds."""
    end = time.monotonic() + 5
    while not all(map(int.__le__, counts(), limits)) and time.monotonic() < end:
        time.sleep(0.01)
    return counts()


def fail_often(folder: Path, times: int) -> None:
    def counts() -> tuple[int, int]:
        return threading.active_count(), fds()

    paths = {}
    for kind, (content, _, _) in KINDS.items():
        paths[kind] = folder / kind
        paths[kind].write_bytes(content)
    kept: list[BaseException] = []  # as a log keeps them, with all that their tracebacks refer to
    with DuckDbStore(folder / "store.duckdb", write=True) as store:
        before = None
        for turn in range(times // len(KINDS) + 1):
            for kind, (_, progress, error) in KINDS.items():
                with pytest.raises(error) as caught:
                    ingest(store, IngestRequest(str(paths[kind])), progress)
                kept.append(caught.value)
            if turn == 0:  # polars and DuckDB have started their threads
                before = counts()
        assert before
        assert settled(counts, before) <= before
        kept.clear()
        gc.collect()
        assert settled(counts, before) <= before
        ingest(store, IngestRequest(str(paths["text, abandoned"])))
        assert store.rows("select count(*) from profile") == [(1,)]


@pytest.mark.slow
def test_failed_imports_leave_no_thread_and_no_file_open(tmp_path: Path) -> None:
    fail_often(tmp_path, 50)


@pytest.mark.slow
def test_a_thousand_failed_imports_leave_no_thread_and_no_file_open(tmp_path: Path) -> None:
    fail_often(tmp_path, 1000)
