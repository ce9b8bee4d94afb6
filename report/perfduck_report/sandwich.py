"""A function between its callers and its callees, as a page draws it."""

from perfduck_diff.engine.sandwich import Sandwich
from perfduck_report import names, readable
from perfduck_report.html_flame import shape


def as_json(sandwich: Sandwich) -> str:
    """Both trees in the unit that fits all of the runs: {"function", "unit", "whole": [base, new],
    "callers": ..., "callees": ...}, trees as in html_flame.py."""
    by = readable.sandwich_scale(sandwich)
    callers, callees = (readable.flame(each, by) for each in (sandwich.callers, sandwich.callees))
    shown = {
        "function": names.visible(sandwich.function),
        "unit": by.unit,
        "whole": [each * by.factor for each in sandwich.whole],
        "callers": shape(callers),
        "callees": shape(callees),
    }
    return names.as_json(shown, indent=None)
