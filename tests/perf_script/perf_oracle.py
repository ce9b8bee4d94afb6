"""What `perf report --stdio` printed of a recording: the oracle beside each fixture."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_SAMPLES = re.compile(r"^# Samples: (?P<samples>\S+)\s+of events? '(?P<event>.+)'")
_PERIODS = re.compile(r"^# Event count \(approx\.\): (?P<periods>\d+)")
_ROW = re.compile(
    r"^\s*(?P<samples>\d+)\s*\t\s*(?P<period>\d+)\s*"
    r"\t\[(?P<mode>.)\] (?P<symbol>.*?)\s*\t\s*(?P<dso>.*?)\s*$"
)


@dataclass
class Report:
    """The rows of all events together, and the sums of each event."""

    samples: Counter[str] = field(default_factory=Counter)
    periods: Counter[str] = field(default_factory=Counter)
    symbols: Counter[tuple[str, str]] = field(default_factory=Counter)


def read(path: Path) -> Report:
    report = Report()
    event = ""
    for line in path.read_text(errors="backslashreplace").splitlines():
        if found := _SAMPLES.match(line):
            event = found["event"].removesuffix(":HG")
        elif found := _PERIODS.match(line):
            report.periods[event] += int(found["periods"])
        elif found := _ROW.match(line):
            report.samples[event] += int(found["samples"])
            symbol = "[unknown]" if found["symbol"].startswith("0x") else found["symbol"]
            report.symbols[symbol, found["dso"]] += int(found["samples"])
    return report
