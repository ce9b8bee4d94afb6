"""What `perfduck diff` prints, in any of the formats.

To add a format, write a function from Diff, the view to show (None: all) and the screen to str, and
put it into FORMATS, its name into DiffFormat (formats.py). What programs read has all views.
"""

from collections.abc import Callable

from perfduck_diff.engine.result import Diff, shape
from perfduck_diff.keys import View
from perfduck_report import diff_junit, diff_markdown, diff_text, names
from perfduck_report.formats import DiffFormat
from perfduck_report.screen import PIPE, Screen


def as_json(diff: Diff, _: View | None = None, __: Screen = PIPE) -> str:
    """One object."""
    return names.as_json(shape(diff))


FORMATS: dict[DiffFormat, Callable[[Diff, View | None, Screen], str]] = {
    "text": diff_text.report,
    "json": as_json,
    "markdown": diff_markdown.report,
    "junit": diff_junit.report,
}
