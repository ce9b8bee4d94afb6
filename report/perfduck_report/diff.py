"""What `perfduck diff` prints, in any of the formats.

To add a format, write a function from Diff to str and put it into FORMATS.
"""

import json
from collections.abc import Callable

from perfduck_diff.result import Diff, shape
from perfduck_report import diff_junit, diff_markdown, diff_text


def as_json(diff: Diff) -> str:
    """One object."""
    return json.dumps(shape(diff), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Diff], str]] = {
    "text": diff_text.report,
    "json": as_json,
    "markdown": diff_markdown.report,
    "junit": diff_junit.report,
}
