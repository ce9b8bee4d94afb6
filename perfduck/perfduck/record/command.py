"""A command under perf: its output, its exit status, and an end without processes left behind.

    sh -c 'exec 3>&2; exec "$@" 2>ERRORS' sh perf record ... -- sh -c '"$@" 2>&3; ...' sh COMMAND...

perf ends with the command's exit status, but with a status of its own where it fails: the inner
shell writes the command's to a file. What perf prints goes to another, apart from the command's
standard error, which is that of this process.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

from perfduck.record.perf import Perf, first_line
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.process_tree import children

_GRACE_S = 2.0  # between SIGINT, SIGTERM and SIGKILL
_POLL_S = 0.01
_ANY_TIME_S = 1e9  # Python hears of Ctrl-C between two looks, but not within waitpid
_DRAIN_S = 1.0  # for what is left in the pipe, which a process in the background may hold open
_BLOCK = 1 << 16
RECORDING = "perf.data"
_SIGNALLED = 128  # of shells: a command that a signal ended


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """How the command went. `output`: its standard output, None where that is too long for a
    report; `seconds`: that it took."""

    status: int
    output: bytes | None
    errors: bytes
    seconds: float

    @property
    def status_words(self) -> str:
        """The exit status, or the signal that ended the command."""
        number = self.status - _SIGNALLED
        with suppress(ValueError):
            return f"{signal.Signals(number).name} (exit status {self.status})"
        return str(self.status)


def run(
    perf: Perf,
    command: Sequence[str],
    folder: Path,
    seconds: float | None,
    show: Callable[[bytes], object] | None,
) -> RecordedRun:
    """Record the command into `folder`, as RECORDING. `seconds`: end it then, by SIGINT; `show`
    takes what it prints, else that is held back, and its errors with it. PerfduckError where perf
    fails."""
    errors, status = folder / "perf.errors", folder / "status"
    words = _wrapped(perf.command(folder / RECORDING), command, errors, status)
    with tempfile.TemporaryFile() as output_file:
        start = time.monotonic()
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=output_file if show is None else None
        )
        output = _Output(process.stdout, show)
        try:
            is_over = seconds is not None and not _ends_within(process, status, seconds)
            process.wait(_ANY_TIME_S)
        finally:
            _end(process)
            printed = output.content()
        took = time.monotonic() - start
        output_file.seek(0)
        text = output_file.read(limits.most_small_bytes)
    number = status.read_text().strip() if status.exists() else ""
    if not number or process.returncode != int(number):
        message = f"perf record: {first_line(errors.read_text(errors='replace'))}"
        raise PerfduckError(message)
    return RecordedRun(0 if is_over else int(number), printed, text, took)


def _wrapped(perf: Sequence[str], command: Sequence[str], errors: Path, status: Path) -> list[str]:
    outer = 'e=$1; shift; exec 3>&2; exec "$@" 2>"$e"'
    inner = 'f=$1; shift; : >"$f"; "$@" 2>&3 3>&-; s=$?; echo $s >"$f"; exit $s'
    return [
        "sh", "-c", outer, "sh", str(errors), *perf, "sh", "-c", inner, "sh", str(status), *command,
    ]  # fmt: skip


def _ends_within(process: "subprocess.Popen[bytes]", status: Path, seconds: float) -> bool:
    """Whether the command ends by itself within so long, which begins when it does. Ended else: by
    SIGINT, on which load generators print their report, then by what it cannot ignore."""
    while not status.exists() and process.poll() is None:
        time.sleep(_POLL_S)
    for number, wait_s in (
        (signal.SIGINT, seconds),
        (signal.SIGTERM, _GRACE_S),
        (signal.SIGKILL, _GRACE_S),
    ):
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
            return number == signal.SIGINT
        shells = children(process.pid)
        _signal(number, [pid for shell in shells for pid in _below(shell)])
    return False


class _Output:
    """What a command prints, read as it comes."""

    def __init__(self, pipe: IO[bytes] | None, show: Callable[[bytes], object] | None) -> None:
        assert pipe is not None
        self._pipe, self._show = pipe, show
        self._parts: list[bytes] = []
        self._size = 0
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while block := os.read(self._pipe.fileno(), _BLOCK):
            if self._show is not None:
                self._show(block)
            self._size += len(block)
            if self._size <= limits.most_small_bytes:
                self._parts.append(block)

    def content(self) -> bytes | None:
        """All of it, once the command has ended; None for more than a report may have."""
        self._thread.join(_DRAIN_S)
        if not self._thread.is_alive():
            self._pipe.close()
        return b"".join(self._parts) if self._size <= limits.most_small_bytes else None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End perf and all that it has started, where they still run."""
    if process.poll() is not None:
        return
    pids = [*_below(process.pid), process.pid]
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(number, pids)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_DRAIN_S)
            return


def _signal(number: signal.Signals, pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _below(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    return [each for child in children(pid) for each in (*_below(child), child)]
