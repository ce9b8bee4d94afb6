"""What `perfduck top SELECTOR FUNCTION --by callers|callees` prints."""

from perfduck_diff.calls import Calls
from perfduck_report import tables
from perfduck_report.diff_words import run_facts
from perfduck_report.names import markdown_text, visible
from perfduck_report.numbers import scale
from perfduck_report.screen import PIPE, Screen
from perfduck_report.top import LIMIT, in_unit


def report(calls: Calls, format: str, screen: Screen = PIPE) -> str:
    """The callers or callees; as text and markdown with a heading."""
    if format not in ("text", "markdown"):
        return tables.FORMATS[format](calls.rows, screen)
    words = visible if format == "text" else markdown_text
    runs = calls.profiles[0] if len(calls.profiles) == 1 else f"{len(calls.profiles)} profiles"
    by = scale(calls.unit, calls.rows["total"].max() or 0.0)  # type: ignore[arg-type]
    heading = words(f"{runs}: {calls.event}, {by.unit}, {calls.side} of {calls.function}")
    lines = (run_facts(calls.facts, calls.unit.partition("/")[2]), *(n.text for n in calls.notes))
    facts = ("\n" if format == "text" else "  \n").join(words(line) for line in lines)
    if calls.rows.is_empty():
        return f"{heading}: none recorded\n{facts}\n"
    rows = in_unit(calls.rows, by)
    gap = "  " if format == "markdown" else ""
    more = tables.left_out(len(rows), calls.row_count, LIMIT)
    more = f"\n{more}" if more and format == "markdown" else more
    return f"{heading}{gap}\n{facts}\n\n{tables.FORMATS[format](rows, screen)}{more}"
