"""The server's end of a worker: starts it, gives it jobs, and ends it at its limits."""

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event

import msgspec

from perfduck_model.process_tree import children
from perfduck_server.spool import TOO_LARGE

_LOG = logging.getLogger("perfduck.jobs")
_LOOKS_S = 0.1  # between two looks at its memory
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FILE_TIMES = 16  # a body may grow so much, unpacked and as a store
_LEAST_FILE_BYTES = 1 << 32


class WorkerLimits(msgspec.Struct, frozen=True):
    """Of one job."""

    seconds: float
    memory_mb: int
    upload_bytes: int


class WorkerAnswer(msgspec.Struct, frozen=True):
    """`error`: the line of a recording that was refused; `bug`: a traceback."""

    error: str | None = None
    bug: str | None = None


class _WorkerWasKilled(Exception):
    """From outside, below its limits: the system was short of memory."""


class WorkerWasStopped(Exception):
    """The server stops: the job is done after the next start."""


class WorkerProcess:
    """A worker, started for its first job, and again after one that it did not survive."""

    def __init__(self, limits: WorkerLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def do(self, folder: Path, stopping: Event) -> WorkerAnswer:
        """Read what is in the folder; once more where something else killed the worker.
        WorkerWasStopped where the server stops meanwhile."""
        try:
            return self._done(folder, stopping)
        except _WorkerWasKilled:
            _LOG.warning("push %s: its worker was killed, it is read once more", folder.name)
        try:
            return self._done(folder, stopping)
        except _WorkerWasKilled:
            return WorkerAnswer(error=self._too_large())

    def _done(self, folder: Path, stopping: Event) -> WorkerAnswer:
        process = self._started()
        assert process.stdin
        line = json.dumps({"folder": str(folder.absolute())}) + "\n"
        try:
            process.stdin.write(line.encode())
            process.stdin.flush()
        except BrokenPipeError:
            return self._ended()
        return self._answer(process, stopping)

    def close(self) -> None:
        """End it, with the processes that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    with suppress(BrokenPipeError):
                        pipe.close()
            self._process = None

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self.close()
            file_bytes = max(_LEAST_FILE_BYTES, _FILE_TIMES * self._limits.upload_bytes)
            numbers = [str(self._limits.memory_mb), str(file_bytes)]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "perfduck_server.worker", *numbers],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the server alone
                env={**os.environ, "POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        return self._process

    def _answer(self, process: "subprocess.Popen[bytes]", stopping: Event) -> WorkerAnswer:
        assert process.stdout
        end = time.monotonic() + self._limits.seconds
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not selector.select(_LOOKS_S):
                if stopping.is_set():
                    self.close()
                    raise WorkerWasStopped
                if reason := self._over_limit(process.pid, end):
                    self.close()
                    return WorkerAnswer(error=reason)
        line = process.stdout.readline()
        return msgspec.json.decode(line, type=WorkerAnswer) if line else self._ended()

    def _over_limit(self, pid: int, end: float) -> str | None:
        if time.monotonic() > end:
            seconds = f"{self._limits.seconds:g} s"
            return f"expected a recording that is read within {seconds}, got one that takes longer"
        if self._takes_too_much(pid):
            return self._too_large()
        return None

    def _takes_too_much(self, pid: int) -> bool:
        """At two looks: `memory_of` may see a child that has just left its parent's memory, or a
        parent that changes meanwhile."""
        most = self._limits.memory_mb << 20
        if memory_of(pid) <= most:
            return False
        time.sleep(_LOOKS_S)
        return memory_of(pid) > most

    def _too_large(self) -> str:
        return TOO_LARGE.format(self._limits.memory_mb)

    def _ended(self) -> WorkerAnswer:
        """A signal ended it: allocations that fail abort, and a parser may crash. One that takes
        too much is ended by `_answer`."""
        assert self._process
        code = self._process.wait()
        self.close()
        if -code == signal.SIGKILL:
            raise _WorkerWasKilled
        if -code == signal.SIGABRT:
            return WorkerAnswer(error=self._too_large())
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return WorkerAnswer(error=f"expected a recording, got one that ended its reader ({name})")


def memory_of(pid: int) -> int:
    """Bytes that a process and those that it started have in memory. Between vfork and exec a child
    has the memory of its parent, with the same numbers, which counts once."""
    numbers = _statm(pid)
    others = (each for each in children(pid) if _statm(each) != numbers)
    return (int(numbers[1]) * _PAGE if numbers else 0) + sum(map(memory_of, others))


def _statm(pid: int) -> list[str]:
    """Its numbers of pages (proc_pid_statm(5)); none where it has ended."""
    try:
        return Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return []
