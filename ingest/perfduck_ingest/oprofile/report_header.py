"""The lines above an opreport table, and what opreport says on stderr.

    CPU: Intel Architectural Perfmon, speed 2300 MHz (estimated)
    Counted CPU_CLK_UNHALTED events (Clock cycles when not halted) with a unit mask of 0x00 (No unit mask) count 1000000
    Processes with a thread group ID of 15

One axis at most varies from column to column: the event, the CPU, the process or the thread. Saved
with `> report 2>&1` the talk of opreport is before, between and after these lines.
"""  # noqa: E501  # the line is that long

import re

from msgspec import Struct, field

from perfduck_ingest.oprofile.events import Counter, clock_of

_LONGEST = 4096  # descriptions of events have some hundred characters
# speed 2.601e+06 up to 0.9.9
_CPU = re.compile(
    r"""
    CPU:\ (?P<name>(?:(?!,\ speed\ ).)+)                    # 'P4 / Xeon', 'Core Solo / Duo'
    (?:,\ speed\ (?P<mhz>\S{1,64})\ MHz\ \(estimated\))?
""",
    re.VERBOSE,
)
_COUNTED = re.compile(
    r"""
    Counted\ (?P<event>\S+)\ events\ \(.*?\)                 # descriptions hold parentheses
    (?:\ with\ a\ unit\ mask\ of\ 0x(?P<unit_mask>[0-9a-f]{1,8})\ \(.*\))?  # not for the RTC
    \ count\ (?P<count>\d{1,18})
""",
    re.VERBOSE,
)
_TIMER = "Profiling through timer interrupt"
_UNKNOWN_EVENT = "Unknown event"
_AXES = {
    "cpu": re.compile(r"Samples on CPU (\d{1,9})"),
    "pid": re.compile(r"Processes with a thread group ID of (\d{1,9})"),
    "tid": re.compile(r"Processes with a thread ID of (\d{1,9})"),
}
_TALK = re.compile(
    r"""
    Using\ .*\ for\ (?:samples\ directory\.|session-dir.*)
  | warning:\ .*                     # images that were not found, have changed, cannot be read
  | Either\ this\ is\ the\ wrong\ binary\ or\ .*
  | WARNING[:!]\ .*                  # lost samples; throttled events; buffer overflows, and on:
  | the\ initial\ sample\ rate\ is\ too\ high,.* | interrupts\.\ +Decrease\ the\ sampling.*
  | /.*/stats/throttled | for\ the\ throttled\ event\ names\.
  | Such\ overflows\ can\ result\ in\ .* | files\ and\ other\ symptoms\..*
  | You\ should\ adjust\ your\ sampling\ frequency.* | these\ overflows\.
  | NOTE:\ The\ sample\ data\ in\ this\ archive\ .* | and\ is\ being\ moved\ to\ .*
""",
    re.VERBOSE,
)
_REFUSED = re.compile(
    r"(?:.*opreport )?error: (?P<error>.*)|(?P<classes>profile classes are incompatible)"
)


class ReportHeader(Struct):
    """What the lines above a table said: counters, and the axis if the columns are not them."""

    mhz: float = 0.0
    cpu_name: str | None = None
    counters: list[Counter] = field(default_factory=list)
    axis: str | None = None
    values: list[int] = field(default_factory=list)
    error: str | None = None

    def take(self, line: str) -> bool:
        """Whether `line` is one of the header's or of opreport's talk; it is then taken in."""
        if len(line) > _LONGEST:
            return False
        return (
            self._take_cpu(line)
            or self._take_counter(line)
            or self._take_axis(line)
            or self._take_talk(line)
        )

    def _take_cpu(self, line: str) -> bool:
        match = _CPU.fullmatch(line)
        if match is None or self.cpu_name is not None:
            return False
        mhz = clock_of(match["mhz"]) if match["mhz"] else 0.0
        if mhz is None:  # a line that is not understood, and counted as one
            return False
        self.cpu_name, self.mhz = match["name"], mhz
        return True

    def _take_counter(self, line: str) -> bool:
        if line == _TIMER:
            self.counters.append(Counter("TIMER", 0))
        elif line == _UNKNOWN_EVENT:
            self.counters.append(Counter("unknown", 0))
        elif match := _COUNTED.fullmatch(line):
            unit_mask = int(match["unit_mask"] or "0", 16)
            self.counters.append(Counter(match["event"], int(match["count"]), unit_mask, self.mhz))
        else:
            return False
        return True

    def _take_axis(self, line: str) -> bool:
        for axis, pattern in _AXES.items():
            match = pattern.fullmatch(line)
            if match and self.axis in (None, axis):
                self.axis = axis
                self.values.append(int(match[1]))
                return True
        return False

    def _take_talk(self, line: str) -> bool:
        refused = _REFUSED.fullmatch(line)
        if refused:
            self.error = self.error or refused["error"] or refused["classes"]
        return bool(refused) or not line.strip() or _TALK.fullmatch(line) is not None

    def columns(self, number: int) -> list[tuple[Counter, int | None]]:
        """What each of `number` columns counted: the counter, and the value of the axis."""
        counters = self.counters or [Counter("unknown", 0)]
        if self.axis is not None and len(self.values) == number:
            return [(counters[0], value) for value in self.values]
        if self.axis is None and len(counters) == number:
            return [(counter, None) for counter in counters]
        if not self.counters and self.axis is None:  # --no-header: nobody says what was counted
            return [
                (Counter(f"unknown:{column}" if column else "unknown", 0), None)
                for column in range(number)
            ]
        message = f"{len(self.values) or len(counters)} columns by the header, got {number}"
        raise ValueError(message)
