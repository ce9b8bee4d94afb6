"""A real server process for tests."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import urllib3

HTTP = urllib3.PoolManager(timeout=60)  # its own bound of 3 s is short for a machine at work
_STOPS_WITHIN_S = 30
_SOON_S = 60  # for a machine at work


class Server(NamedTuple):
    """A server that runs: `url` is http://127.0.0.1:PORT, `first` what it printed first."""

    url: str
    store: Path
    process: "subprocess.Popen[str]"
    first: str

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(_STOPS_WITHIN_S)


def command(store: Path, *options: str) -> list[str]:
    """The words that serve a store at a port that is free."""
    place = [] if "--listen" in options else ["--listen", "127.0.0.1:0"]
    return [sys.executable, "-m", "perfduck", "serve", "--store", str(store), *place, *options]


@contextmanager
def running(store: Path, *options: str) -> Iterator[Server]:
    """A server of the store for as long as the block runs."""
    log = store.with_suffix(".log")
    quiet = {name: text for name, text in os.environ.items() if not name.startswith("PERFDUCK_")}
    with (
        log.open("a") as errors,
        subprocess.Popen(
            command(store, *options), stdout=subprocess.PIPE, stderr=errors, text=True, env=quiet
        ) as process,
    ):
        try:
            assert process.stdout
            first = process.stdout.readline()
            found = re.match(r"https?://\S+", first)
            assert found, f"{first}{log.read_text()}"
            yield Server(found[0], store, process, first)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(_STOPS_WITHIN_S)


@contextmanager
def copied(store: Path, folder: Path) -> Iterator[Server]:
    """A server of a copy of the store, in the folder."""
    with running(Path(shutil.copy(store, folder / "demo.duckdb"))) as started:
        yield started


def soon(is_so: Callable[[], object]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + _SOON_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)
