"""What samples were recorded with and are kept without: counted by code, said at ingest, in `top`
and in `diff` (perfduck_diff.notes).

To add one, give it a code and a text; perf.data counts its samples in
RecordingMetadata.limitations, perf script in chunk.py. Numbers that perf keeps in 64 bits and the
store in 63 have one rule for both.
"""

from collections import Counter

DWARF = "dwarf-stacks"
OTHER_MACHINE = "dwarf-stacks-of-other-machines"
STACK_END = "cut-stacks"
NO_TABLE = "no-unwind-tables"
BROKEN_STACK = "broken-stacks"
GUESSED = "frame-pointers"
UNINLINED = "inlined-functions"
MANGLED = "mangled-names"
DEFERRED = "deferred-callers"
BRANCHES = "branch-stacks"
BROKEN = "broken-callchains"
TIME = "time-out-of-range"
PERIOD = "period-out-of-range"
NO_FRAMES = "no-frames"
NO_EVENT = "no-event"  # left out: shown as skipped records

TEXTS = {
    DWARF: "user callers were recorded as DWARF stacks (--call-graph dwarf) and are not unwound:"
    " install perfduck-native, or use `perf script | perfduck ingest -`",
    OTHER_MACHINE: "user callers were recorded as DWARF stacks (--call-graph dwarf) and are not"
    " unwound: these are not programs of x86-64 or aarch64; use `perf script | perfduck ingest -`",
    STACK_END: "user callers are missing beyond the recorded part of the stack (--call-graph"
    " dwarf,BYTES records more)",
    NO_TABLE: "user callers are missing above code without unwind tables: of a file that was not"
    " found (--symbols), or of a just-in-time compiler",
    BROKEN_STACK: "user callers are missing where unwind tables lead to no caller",
    GUESSED: "user callers above code without unwind tables were found by the frame pointer",
    UNINLINED: "functions that the compiler inlined are not shown: in kernel modules, or debug"
    " information cannot be read or perfduck-native is not installed (--no-inline leaves them out"
    " everywhere)",
    MANGLED: "names of Rust are mangled: perfduck-native 0.3 is not installed",
    DEFERRED: "user callers were to be recorded later (--call-graph fp,defer) and are not in the"
    " recording",
    BRANCHES: "branch stacks (perf record -b) are not kept",
    BROKEN: "call chains have an entry that is no address and are cut off there",
    TIME: "times beyond 63 bits are not kept",
    PERIOD: "periods beyond 63 bits are not kept: these samples count as one event each",
    NO_FRAMES: "no function is known: perf script printed no address (`perf record -g` records call"
    " chains, `perf script -F +ip,sym,dso` prints the functions)",
}


def texts(counted: Counter[str]) -> dict[str, tuple[str, int]]:
    """Text and number of samples of each limit that there is, by code."""
    return {code: (text, counted[code]) for code, text in TEXTS.items() if counted[code]}
