"""What samples were recorded with and are kept without: counted by code, said at ingest, in `top`
and in `diff` (perfduck_diff.notes).

To add one, give it a code and a text; perf.data counts its samples in
RecordingMetadata.limitations, perf script in chunk.py. Numbers that perf keeps in 64 bits and the
store in 63 have one rule for both.
"""

from collections import Counter

DWARF = "dwarf-stacks"
DEFERRED = "deferred-callers"
BROKEN = "broken-callchains"
TIME = "time-out-of-range"
PERIOD = "period-out-of-range"
NO_EVENT = "no-event"  # left out: shown as skipped records

TEXTS = {
    DWARF: "user callers were recorded as DWARF stacks (--call-graph dwarf) and are not unwound:"
    " use `perf script | perfduck ingest -`",
    DEFERRED: "user callers were to be recorded later (--call-graph fp,defer) and are not in the"
    " recording",
    BROKEN: "call chains have an entry that is no address and are cut off there",
    TIME: "times beyond 63 bits are not kept",
    PERIOD: "periods beyond 63 bits are not kept: these samples count as one event each",
}


def texts(counted: Counter[str]) -> dict[str, tuple[str, int]]:
    """Text and number of samples of each limit that there is, by code."""
    return {code: (text, counted[code]) for code, text in TEXTS.items() if counted[code]}
