"""Event names, and the unit that their periods count.

cycles:P  cpu/event=0x3c/ppp  cpu-clock:u  sched:sched_switch  probe:x
"""

import re

# perf-list(1): user, kernel, hypervisor, guest, host, precise, ... behind the last colon
_MODIFIERS = re.compile(r":[ukhGHpPSDIWeb]+$")
# Both count CPU time; their period is nanoseconds.
_CLOCKS = frozenset({"cpu-clock", "task-clock"})


def unit_of(event: str) -> str:
    """What one event is: ns for the clocks, `event` for tracepoints, else its plain name."""
    plain = _MODIFIERS.sub("", event)
    if plain.split("/")[0] in _CLOCKS:
        return "ns"
    return "event" if ":" in plain else plain
