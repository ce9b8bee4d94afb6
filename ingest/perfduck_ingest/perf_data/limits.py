"""What samples were recorded with and are kept without: counted here, said at ingest, in `top` and
in `diff` (perfduck_diff.notes).

To add one, give it a code and a text, and count its samples in Said.limits.
"""

from collections import Counter

from perfduck_ingest import out_of_range

DWARF = "dwarf-stacks"
DEFERRED = "deferred-callers"
BROKEN = "broken-callchains"
TIME = out_of_range.TIME
PERIOD = out_of_range.PERIOD
NO_EVENT = "no-event"  # left out: shown as skipped records

_TEXTS = {
    DWARF: "user callers were recorded as DWARF stacks (--call-graph dwarf) and are not unwound:"
    " use `perf script | perfduck ingest -`",
    DEFERRED: "user callers were to be recorded later (--call-graph fp,defer) and are not in the"
    " recording",
    BROKEN: "call chains have an entry that is no address and are cut off there",
    **out_of_range.TEXTS,
}


def limitations(counted: Counter[str]) -> dict[str, tuple[str, int]]:
    """Text and number of samples of each limit that there is, by code."""
    return {code: (text, counted[code]) for code, text in _TEXTS.items() if counted[code]}
