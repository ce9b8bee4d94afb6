"""Which fields the event lines of a `perf script` text have, and how they are read.

    V8 WorkerThread  9284/9286 [000]   870.257121:    1001001 cpu-clock:u:

Fields cannot be read off one line: a comm may look like `a:b [c] 12/3`. So the layout is measured
on the first lines, by those that fit one. The time tells most: where lines have one, lines without
it have no say. builtin-script.c of the kernel tree, process_event(), prints the fields in this
order: comm, pid/tid, [cpu], misc, time, period, event.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from perfduck_ingest.perf_script import grammar

# Patterns run in polars (Rust's regex) and in `re`: no look-around, no back-references.
_GUEST = r"(?:VM:\s*\d+\s+(?:VCPU:\d+\s+)?)?"  # -F machine_pid,vcpu
_COMM = r"(?P<comm>\S(?:.*?\S)??)"  # may hold blanks, brackets and digits: 'a:b [c] 12/3'
_THREAD = r"(?:(?P<pid>-?\d+)/)?(?P<tid>-?\d+)"  # tid, or pid/tid with -F pid,tid
_CPU = r"\[(?P<cpu>\d+)\]"
_LATENCY_CPU = r"(?P<cpu>\d{1,4})"  # perf script --Latency prints no brackets
_MODE = r"[KUHGgMESp]{1,3}"  # -F misc
_FLAGS = rf"(?:(?:{_MODE}|[A-Za-z.]{{4}})\s+)?"  # and the latency flags 'd.h.'
_DAY = r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\s+)?"  # -F tod
# Microseconds, or nanoseconds with --ns; simpleperf and PerfView print fewer digits.
_ANY_DECIMALS = "1,9"
_TIME = r"(?P<s>-?\d+)\.(?P<fraction>\d{1,9}):"
_PERIOD = r"(?P<period>\d+)"
# As perf prints it, where only the columns tell whether it is there.
_ALIGNED = "|".join([*(rf" {{{10 - n}}}\d{{{n}}}" for n in range(1, 10)), r"\d{10,}"])
_EVENT = r"(?P<event>\S+?):"  # may hold colons itself: 'sched:sched_switch', 'cycles:P'
_REST = r"(?P<rest>\s.*)?"
# What follows a line without time and event: an address as perf aligns it, or text of a
# tracepoint behind a thread. Anything else is prose.
_ADDRESS = r"\s+[1-9a-f][0-9a-f]{4,15}(?:\s.*)?|\s{11,}[0-9a-f]{1,4}(?:\s.*)?"
_ADDRESS_OR_NOTHING = rf"(?:(?P<rest>{_ADDRESS})|\s*)"
_ADDRESS_OR_TEXT = rf"(?:(?P<rest>{_ADDRESS}|\s*\w+=.*)|\s*)"

_MOST = 0.9  # of the lines: the others lack a field, or a comm has it by chance
_HALF = 0.5
_FEW = 0.1  # of all lines that are no frames: lines with a time and an event are no chance
_PID_LIMIT = 4 << 20  # PID_MAX_LIMIT of the kernel: a larger number is a period
_PERIOD_WIDTH = 10  # perf prints the period as %10u, a tid as %7d (%5d before 6.4)


@dataclass(frozen=True)
class LineLayout:
    """Which fields the event lines of a file have; none of them: chains alone."""

    comm: bool = False
    thread: bool = False
    cpu: bool = False
    latency: bool = False  # the CPU has no brackets
    mode: bool = False  # of -F misc, where nothing else divides it from comm
    time: bool = False
    decimals: str = _ANY_DECIMALS  # of the time, as most lines have it
    period: bool = False
    mixed: bool = False  # some events have a period, others none
    event: bool = False
    dso: bool = False  # whether frames end in one: where not, a name may end in parentheses
    dso_offsets: bool = False  # whether an offset is behind it
    frames: bool = True  # whether there are any
    chains: bool = True  # whether blank lines divide samples
    tabs: bool = False  # whether a tab comes before each frame: then other lines are no frames

    @cached_property
    def pattern(self) -> str:
        """A regular expression for the event line, with the groups comm, pid, tid, cpu, s,
        fraction, period, event and rest as far as the layout has them."""
        return rf"^\s*{_GUEST}{self._start}{self._end}$"

    @property
    def loose(self) -> "LineLayout":
        """The same for lines whose time has more or fewer decimals than most."""
        return replace(self, decimals=_ANY_DECIMALS)

    @property
    def _start(self) -> str:
        """Up to the time."""
        gap = " " if self.mixed and not self.thread else r"\s+"
        # Before one blank alone there may be more, which are the comm's.
        parts = [rf"{_COMM}{gap}" if gap == r"\s+" else rf"(?P<comm>\S.*?){gap}"] * self.comm
        if self.may_lack_comm:
            parts = [rf"(?:{_COMM}\s+)?"]
        parts += [rf"{_THREAD}{self._gap}"] * self.thread
        if self.latency:
            parts += [rf"{_LATENCY_CPU}\s+"]
        elif self.cpu:
            parts += [rf"{_CPU}{self._gap}"]
        elif self.thread and self.time:  # events of one file may differ in this
            parts += [rf"(?:{_CPU}\s+)?"]
        parts += [_FLAGS] * self.thread + [rf"(?:{_MODE}\s+)?"] * (self.cpu and not self.thread)
        parts += [rf"{_MODE}\s+"] * self.mode
        time = _TIME.replace(_ANY_DECIMALS, self.decimals)
        return "".join(parts) + (_DAY + time) * self.time

    @property
    def _gap(self) -> str:
        # perf prints one blank behind each field; prose that ends in a number has none.
        return r"\s+" if self.time or self.event or (self.period and not self.mixed) else r"\s"

    @property
    def _end(self) -> str:
        """Behind the time."""
        gap = r"\s+" * self.time
        if self.event:
            is_sure = self.time or self.cpu
            period = rf"(?:{_PERIOD}\s+)?" if is_sure else rf"{_PERIOD}\s+" * self.period
            return f"{gap}{self._aligned or period}{_EVENT}{_REST}"
        if self.time:
            return f"(?:{gap}{_PERIOD})?{_REST}" if self.period else _REST
        period = self._aligned or rf"{_PERIOD}\s" * self.period
        return period + (_ADDRESS_OR_TEXT if self.thread else _ADDRESS_OR_NOTHING)

    @property
    def _aligned(self) -> str:
        blanks = r"\s*" * self.event  # event names are aligned, too
        return rf"(?:(?P<period>{_ALIGNED}) )?{blanks}" * self.mixed

    @property
    def may_lack_comm(self) -> bool:
        """Whether a line is read without its comm: a thread may have an empty name."""
        return self.comm and (self.time or self.cpu)

    @property
    def surest_field(self) -> str:
        """A group that is there when the pattern matches."""
        fields = {"s": self.time, "event": self.event, "tid": self.thread, "cpu": self.cpu,
                  "comm": self.comm, "period": self.period}  # fmt: skip
        return next(name for name, is_there in fields.items() if is_there)

    @property
    def is_plain(self) -> bool:
        """Whether event lines are as `perf script` prints them if -F does not say otherwise."""
        return self.comm and self.thread and self.time and self.event and not self.latency

    @property
    def has_event_lines(self) -> bool:
        """Whether there is anything before the chains."""
        return self.comm or self.thread or self.cpu or self.time or self.period or self.event

    def described(self, first: re.Match[str] | None) -> str:
        """The layout in a line, as perf prints the fields. `first` is an event line: events of one
        file may differ in pid, cpu and period."""

        def has(field: str) -> bool:
            return bool(first and first.groupdict().get(field) is not None)

        names = {
            "comm": self.comm,
            "pid/tid" if has("pid") else "tid": self.thread,
            "[cpu]": self.cpu or has("cpu"),
            "time:": self.time,
            "period": self.period or has("period"),
            "event:": self.event,
        }
        fields = " ".join(name for name, is_there in names.items() if is_there)
        frames = "chains" if self.tabs or self.chains else "one frame a line"
        frames = frames if self.frames else "no frames"
        return f"{fields}, {frames}" if fields else frames


def layout_of(lines: Sequence[str]) -> LineLayout | None:
    """The layout of these lines; None where there are neither event lines nor frames."""
    others = set(filter(grammar.is_other, set(lines)))  # frames come again and again
    candidates = [line for line in lines if line not in others]
    tabbed = [line for line in candidates if line.startswith("\t") and grammar.is_frame(line)]
    plain = [line for line in candidates if not line.startswith("\t")]
    heads = [line for line in plain if _is_head(line)]
    frames = tabbed + [line for line in plain if not _is_head(line)]
    tabs = bool(tabbed) and 3 * len(tabbed) >= len(frames)
    layout = _layout_of_heads(heads) if heads else None
    if layout is None and not frames:
        return None
    if layout is None and len(frames) < len(heads):
        return None
    addressed = [line for line in frames or heads if _ADDRESSED(line)]
    has_dso = _share(grammar.names_dso, addressed) > _HALF or _share(_ENDS_IN_A_PATH, frames) > _FEW
    has_blanks = any(not line.strip() for line in lines)
    has_frames = bool(frames) or (layout is not None and _has_address(layout, heads))
    files = list(filter(grammar.names_file, addressed))
    return replace(
        layout or LineLayout(),
        dso=has_dso,
        dso_offsets=_share(grammar.names_file_offset, files) > _HALF,
        frames=has_frames,
        chains=has_blanks,
        tabs=tabs,
    )


def _has_address(layout: LineLayout, lines: Sequence[str]) -> bool:
    """Whether anything like an address is behind the fields of the lines."""
    rests = (match["rest"] for match in map(re.compile(layout.pattern).search, lines) if match)
    return any(rest is not None and _IN_REST(rest) for rest in rests)


_Search = Callable[[str], re.Match[str] | None]
# What looks like a frame and is none, as its comm has hexadecimal digits only ('dd'), or it begins
# with a number: a time or an event is behind that, or an aligned address; or nothing but the blank
# that perf prints behind a field.
_HEXADECIMAL_COMM = re.compile(
    rf"\s{_TIME}(?:\s|$)|^\s*\d+ (?: *\d+ )?$|^\s*(?:\d+ +)+[^\s=]\S*:(?:\s|$)"
    r"|^\s*\d+ +\[\d+\] "
    r"|^\s+(?:\S.*\s)?-?\d+\s{1,12} [1-9a-f][0-9a-f]{4,15}(?:\s|$)"
).search


def _is_head(line: str) -> bool:
    return not grammar.is_frame(line) or _HEXADECIMAL_COMM(line) is not None


_TIMED = re.compile(rf"(?:^|\s){_TIME}(?:\s|$)").search
_TIMES = re.compile(rf"(?:^|\s){_TIME}(?=\s|$)").finditer
_TIMED_EVENT = re.compile(rf"(?:^|\s){_TIME}\s+(?:\d+\s+)?[^\s=]\S*?:(?:\s|$)").search
_TIMED_PERIOD = re.compile(r"(?:^|\s)-?\d+\.\d{1,9}:\s{1,10}\d+(?:\s*$|\s+[0-9a-f]{1,16}(?:\s|$))").search  # fmt: skip  # noqa: E501
# The text of ftrace: `<idle>-0  [001] d..2.  1234.567890: sched_switch: ...`
_FTRACE = re.compile(
    r"[^\s/]-\d+\s+(?:\(.*\)\s+)?\[\d+\]\s+(?:[A-Za-z.#\d]{4,6}\s+)?\d+\.\d+: "
).search
_EVENT_ONLY = re.compile(r"^(?:.*\s)?[^\s=]\S*?:(?:\s|$)").search
_LATENCY = re.compile(r"\s-?\d+ (?:  \d| \d\d|\d{3,4}) +(?:\S+ +)?\d+\.\d+:").search


def _layout_of_heads(lines: Sequence[str]) -> LineLayout | None:
    timed = [line for line in lines if _TIMED(line)]
    with_event = [line for line in timed if _TIMED_EVENT(line)]
    if len(timed) > _FEW * len(lines) and (2 * len(with_event) >= len(timed)):
        return _timed(with_event, event=True)
    if len(timed) > _HALF * len(lines):
        return _timed(timed, event=False)
    return _untimed(lines)


def _timed(lines: Sequence[str], *, event: bool) -> LineLayout | None:
    """The layout of lines with a time."""
    period = not event and _share(_TIMED_PERIOD, lines) > _HALF
    if _share(_FTRACE, lines) > _HALF:
        return None
    end = LineLayout(time=True, decimals=_decimals(lines), event=event, period=period)
    if _share(_LATENCY, lines) > _MOST:
        return replace(end, comm=True, thread=True, cpu=True, latency=True)
    with_mode = replace(end, comm=True, mode=True)
    layouts = [
        end,
        replace(end, cpu=True),
        replace(end, thread=True),
        replace(end, comm=True, thread=True),
        replace(end, comm=True, cpu=True),
        *[with_mode] * _has_comms(with_mode, lines),  # else the comm is 'p', or 'S'
        replace(end, comm=True),
    ]
    return _first_that_fits(layouts, lines)


def _has_comms(layout: LineLayout, lines: Sequence[str]) -> bool:
    matches = map(re.compile(layout.pattern).search, lines)
    return any(match["comm"] for match in matches if match)


def _decimals(lines: Sequence[str]) -> str:
    """How many decimals the times of most lines have: of two numbers that could be the time, one
    that a comm holds and the time itself, this is the time."""
    counts = Counter(len(match["fraction"]) for line in lines for match in _TIMES(line))
    decimals, most = counts.most_common(1)[0]
    return str(decimals) if most > _HALF * len(lines) else _ANY_DECIMALS


def _untimed(lines: Sequence[str]) -> LineLayout | None:
    """The layout of lines without a time."""
    named = [line for line in lines if _EVENT_ONLY(line)]
    for event, some in ((True, named), (False, lines)):
        if event and len(some) <= _HALF * len(lines):
            continue
        layouts = [
            LineLayout(comm=comm, thread=thread, cpu=cpu, period=period, mixed=mixed, event=event)
            for comm in (False, True)
            for cpu in (True, False)
            for thread in (True, False)
            for period, mixed in ((True, False), (True, True), (False, False))
            if comm or thread or cpu or period or event
        ]
        layouts.sort(key=_fields_told, reverse=True)
        if layout := _first_that_fits(layouts, some):
            return _with_period(layout, some)
    return None


def _fields_told(layout: LineLayout) -> float:
    """How much a line must have to fit: a CPU has brackets, a number could belong to comm."""
    period = 0.5 if layout.mixed else layout.period
    return layout.thread + 2 * layout.cpu + period


def _first_that_fits(layouts: Sequence[LineLayout], lines: Sequence[str]) -> LineLayout | None:
    """The first layout, the ones that say most before others, that nearly all of the lines have
    that have any."""
    counts = []
    for layout in layouts:
        counts.append(_matches(layout, lines))
        if counts[-1] == len(lines):  # none can have more
            break
    most = max(counts)
    if 3 * most <= len(lines):
        return None
    return next(
        layout
        for layout, count in zip(layouts, counts, strict=False)
        if count >= (_HALF if layout.comm and layout.thread and layout.time else _MOST) * most
    )


def _with_period(layout: LineLayout, lines: Sequence[str]) -> LineLayout:
    """One number before the event, or alone, is a tid or a period: the columns tell."""
    if layout.cpu or not layout.thread or (layout.period and not layout.mixed):
        return layout
    matches = [match for line in lines if (match := re.search(layout.pattern, line))]
    if layout.mixed and any(match["period"] for match in matches):
        return layout
    layout = replace(layout, period=False, mixed=False)
    numbers = [match["tid"] for match in matches if match["pid"] is None]
    widths = [match.end("tid") - (match.end("comm") + 1 if layout.comm else 0) for match in matches]
    is_wide = sum(1 for width in widths if width == _PERIOD_WIDTH)
    is_large = any(int(number) > _PID_LIMIT for number in numbers)
    if not numbers or not (is_large or is_wide > _HALF * len(matches)):
        return layout
    period = replace(layout, thread=False, period=True)
    return period if _matches(period, lines) else layout


def _matches(layout: LineLayout, lines: Sequence[str]) -> int:
    return sum(1 for _ in filter(re.compile(layout.pattern).search, lines))


def _share(search: _Search, lines: Sequence[str]) -> float:
    return sum(1 for _ in filter(search, lines)) / max(len(lines), 1)


_ENDS_IN_A_PATH = re.compile(r"\s\((?:/|\[).*\)\s*$").search  # no function's name does
_IN_REST = re.compile(r"\s[0-9a-f]{1,16}(?:\s+\S|\s*$)").search
_ADDRESSED = re.compile(r"\s[0-9a-f]{1,16}\s+\S").search
