"""The header that `perf script --header` prints, and record lines between the samples.

# captured on    : Mon Nov 23 02:58:20 2026
# hostname : vm
# os release : 6.18.44
# perf version : 6.1.187
# arch : x86_64
# nrcpus online : 2
# cmdline : /usr/bin/perf record -a -g -e cpu-clock -F 999
# event : name = cpu-clock, , type = 1, size = 128, { sample_period, sample_freq } = 999, ...
swapper     0 [000]    12.345678: PERF_RECORD_LOST lost 17
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from perfduck_ingest.importer import unit_of
from perfduck_model.batch import Event, Facts

_ENTRY = re.compile(r"#\s(?P<key>[a-z ]+?)\s*:\s(?P<value>.*)")
_EVENT = re.compile(r"name = (?P<name>.+?), ")
_FREQUENCY = re.compile(
    r"\{ sample_period, sample_freq \} = (?P<frequency>\d+)"
    r".*\bfreq = 1"  # without it the number is a period
)
# perf_event.h: PERF_TYPE_SOFTWARE with PERF_COUNT_SW_CPU_CLOCK (not printed: it is 0) or TASK_CLOCK
_CLOCK = re.compile(r"\btype = 1, size = \d+, (?:config = 0x1, )?\{ sample_period")
_LOST = re.compile(r"PERF_RECORD_LOST(?:_SAMPLES)?\b.*?\blost\s+(?P<count>\d+)")

# key of the header -> field of Facts
_FIELDS = {
    "hostname": "host",
    "os release": "kernel_release",
    "arch": "arch",
    "cmdline": "command",
}


def facts(comments: Iterable[str]) -> Facts:
    """What the comment lines say of the recording."""
    said: dict[str, str | int | datetime] = {}
    events: dict[str, Event] = {}
    for line in comments:
        entry = _ENTRY.match(line)
        if entry is None:
            continue
        key, value = entry["key"], entry["value"].strip()
        if key == "event":
            events |= _event(value)
        elif key == "nrcpus online" and value.isdecimal():
            said["cpus"] = int(value)
        elif key == "captured on":
            said |= _started(value)
        elif key == "perf version":
            said["tool"] = f"perf {value}"
        elif key in _FIELDS:
            said[_FIELDS[key]] = value
    return Facts(events=events, **said)  # type: ignore[arg-type]  # keys and types pair up above


def _event(value: str) -> dict[str, Event]:
    name = _EVENT.match(value)
    if name is None:
        return {}
    frequency = _FREQUENCY.search(value)
    unit = "ns" if _CLOCK.search(value) else unit_of(name["name"])
    return {name["name"]: Event(unit, float(frequency["frequency"]) if frequency else None)}


def _started(value: str) -> dict[str, datetime]:
    """ctime(3) of the recording machine; it names no zone, UTC is assumed."""
    try:
        return {"started_at": datetime.strptime(value, "%c").replace(tzinfo=UTC)}
    except ValueError:
        return {}


def lost(records: Iterable[str]) -> int:
    """Samples that PERF_RECORD_LOST lines say were lost."""
    return sum(int(match["count"]) for line in records if (match := _LOST.search(line)))
