"""Answers on standard output, and the screen that it is, if it is one."""

import os
import shutil
import sys
from typing import Protocol


class Printable(Protocol):
    """What prints itself in several formats."""

    def render(self, format: str, *, width: int | None, color: bool) -> str:
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
