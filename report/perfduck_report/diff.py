"""What `perfduck diff` prints, in any of the formats.

To add a format, write a function from Diff and the view to show (None: all) to str, and put it into
FORMATS. What programs read has all views.
"""

import json
from collections.abc import Callable

from perfduck_diff.keys import View
from perfduck_diff.result import Diff, shape
from perfduck_report import diff_junit, diff_markdown, diff_text


def as_json(diff: Diff, _: View | None = None) -> str:
    """One object."""
    return json.dumps(shape(diff), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Diff, View | None], str]] = {
    "text": diff_text.report,
    "json": as_json,
    "markdown": diff_markdown.report,
    "junit": diff_junit.report,
}
