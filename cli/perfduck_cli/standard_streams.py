"""Standard output and error of the process: answers, the screen that it is, if it is one, and
trouble with them, which is never taken for a verdict.

typer exits with 1 when a pipe is closed, Python with 120 when the last flush fails, and 1 means
regression: a write that fails is a PerfduckError here, whoever writes.
"""

import io
import os
import shutil
import sys
from contextlib import suppress
from typing import Any, Protocol

from perfduck import PerfduckError


class _Output(io.FileIO):
    """A file descriptor whose failures name it."""

    def write(self, data: bytes) -> int:  # type: ignore[override]  # of all buffers
        try:
            return super().write(data)
        except OSError as error:
            raise PerfduckError.at(
                where="standard output", expected="to write the whole answer", got=error.strerror
            ) from error


def guard() -> None:
    """Replace sys.stdout; give standard streams that are closed (`>&-`) a descriptor of their own:
    the next file opened would get it, and be written into."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest free number
    if sys.stdin is None:
        sys.stdin = open(0)  # noqa: SIM115  # for the whole process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    encoding = sys.stdout.encoding if sys.stdout else "utf-8"
    raw = _Output(1, "w", closefd=False)
    # What the terminal's encoding lacks is shown as \\u2500 and stops no answer.
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=raw.isatty()
    )


def drop() -> None:
    """Throw away what could not be written, so that no later flush fails again."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)


class Printable(Protocol):
    """What prints itself in several formats."""

    def render(self, format: Any, *, width: int | None, color: bool) -> str:
        """The answer in a format."""


def write(answer: Printable, format: str) -> None:
    """Print an answer."""
    sys.stdout.write(answer.render(format, width=width(), color=has_color()))


def width() -> int | None:
    """Columns of the terminal; None where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def has_color() -> bool:
    """Whether to use colour: on a terminal that has it. NO_COLOR and FORCE_COLOR decide where they
    are set and not empty (https://no-color.org, https://force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
