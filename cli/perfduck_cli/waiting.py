"""What a command says while it waits: for the store, for somebody to type a recording, or for one
to be read, a progress line on a terminal.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, signature
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from perfduck import visible
from perfduck.opening import be_patient
from perfduck_cli.options import LONGEST_S, number

if TYPE_CHECKING:
    from perfduck import Source

_LIMIT_S = 30.0
_QUIET_S = 1.0
_Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        parser=number(0, LONGEST_S),
        metavar="SECONDS",
        help="How long to wait for a store that another process has open.",
    ),
]


def with_wait(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option --wait, where it opens a store."""
    parameters = signature(command).parameters
    if "store" not in parameters:
        return command

    @wraps(command)
    def run(*arguments: Any, wait: float = _LIMIT_S, **options: Any) -> None:
        be_patient(wait, say)
        command(*arguments, **options)

    option = Parameter("wait", Parameter.KEYWORD_ONLY, default=_LIMIT_S, annotation=_Wait)
    changed = signature(command).replace(parameters=[*parameters.values(), option])
    run.__signature__ = changed  # type: ignore[attr-defined]  # inspect and typer read it
    run.__annotations__ = {**command.__annotations__, "wait": _Wait}
    return run


def say(line: str) -> None:
    """A line that is no answer; names in it may be those of a recording."""
    sys.stderr.write(f"perfduck: {visible(line)}\n")
    sys.stderr.flush()


@contextmanager
def typing(source: str) -> Iterator[Callable[[], None]]:
    """Say after a second that a recording is expected on the terminal. What is returned is to be
    called once there is one."""
    line = "waiting for a recording on standard input, the terminal: Ctrl-D ends it, Ctrl-C stops"
    timer = Timer(_QUIET_S, say, [line])
    timer.daemon = True
    if source == "-" and sys.stdin.isatty():
        timer.start()
    try:
        yield timer.cancel
    finally:
        timer.cancel()


_SILENT_S = 1.0


class ProgressLine:
    """Bytes, samples, rate, and the remaining time where the size is known."""

    def __init__(self, name: str) -> None:
        self._name = visible(name)
        self._start = time.monotonic()
        self._is_shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")

    def update(self, source: "Source", samples: int) -> None:
        """Redraw the progress line."""
        seconds = time.monotonic() - self._start
        if seconds < _SILENT_S or not sys.stderr.isatty():
            return
        self._is_shown = True
        done = source.bytes_read
        parts = [
            f"{self._name}: {done / 1e6:,.0f} MB",
            f"{samples:,} samples",
            f"{done / 1e6 / seconds:,.0f} MB/s",
            *_remaining(source.fraction_read, seconds),
        ]
        sys.stderr.write(f"\r\x1b[K{', '.join(parts)}")
        sys.stderr.flush()


class StatusLine:
    """A line that changes in its place on a terminal; nothing where there is none."""

    def __init__(self) -> None:
        self.is_shown = sys.stderr.isatty()

    def show(self, words: str) -> None:
        """Put these words there."""
        if self.is_shown:
            width = shutil.get_terminal_size().columns
            sys.stderr.write(f"\r\x1b[K{visible(words)[: width - 1]}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Nothing is there any longer."""
        if self.is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _remaining(fraction: float | None, seconds: float) -> list[str]:
    if not fraction:
        return []
    if fraction == 1:
        return ["storing"]  # sorting and tagging: a tenth of the time
    return [f"{seconds * (1 - fraction) / fraction:,.0f} s left"]
