"""The screen that stdout is, if it is one."""

import os
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfduck_report.screen import Screen


def screen() -> "Screen":
    """The width of the terminal, and colour on one that has it. NO_COLOR and FORCE_COLOR decide
    where they are set and not empty (https://no-color.org, https://force-color.org)."""
    from perfduck_report.screen import Screen, terminal

    if not sys.stdout.isatty():
        return Screen(colour=_has_colour(is_terminal=False))
    return terminal(shutil.get_terminal_size().columns, colour=_has_colour(is_terminal=True))


def _has_colour(*, is_terminal: bool) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal and os.environ.get("TERM") != "dumb"
