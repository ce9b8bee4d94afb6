"""A command, with the time and memory that it and all its processes take."""

import os
import sys
import threading
import time
from dataclasses import dataclass

from perfduck_server.worker_process import memory_of

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command; the peak is of all processes together, shared pages in each of them."""

    seconds: float
    cpu_s: float
    peak_mb: int


def measured(command: str) -> Run:
    """One run, by a shell, output thrown away."""
    start = time.perf_counter()
    arguments = ["bash", "-o", "pipefail", "-c", f"{{ {command}; }} >/dev/null"]
    child = os.posix_spawnp("bash", arguments, os.environ)
    peak = _Peak(child)
    peak.start()
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    peak.stop()
    if status:
        sys.exit(f"bench: failed: {command}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak.bytes >> 20)


def fastest(commands: dict[str, str], repeat: int) -> dict[str, Run]:
    """The fastest of REPEAT rounds of all commands."""
    rounds = [{name: measured(text) for name, text in commands.items()} for _ in range(repeat)]
    return {name: min((done[name] for done in rounds), key=_seconds) for name in commands}


def _seconds(run: Run) -> float:
    return run.seconds


class _Peak(threading.Thread):
    """Asks again and again how much memory a process and those below it have."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._process = process
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(_POLL_S):
            self.bytes = max(self.bytes, memory_of(self._process))

    def stop(self) -> None:
        self._done.set()
        self.join()
