"""Whether a text without times is of perf: a word, a number and a colon are in many reports.

    /proc/PID/status             Umask:  0022             fits `event: rest`
    nstat                        IpInReceives  1177202    fits `comm period`
    perf script -F event         cycles:u:
    perf script -F comm,period   {9 blanks}swapper    1001001

One of three must hold for most lines: frames as perf prints them, names that events have, or the
columns of builtin-script.c: comm in 16, tid in 5 or 7, the period in 10, an address in 16.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from perfduck_ingest.perf_script.layout import LineLayout

_Search = Callable[[str], re.Match[str] | None]
_HALF = 0.5
# perf-list(1): a tracepoint or modifiers, a PMU's event, a raw one, and the generic names.
_EVENT = re.compile(
    r".+:\S+|[\w.-]+/.*/\w*|r[0-9a-f]{1,16}|unknown"
    r"|(?:cpu|task)-clock|(?:[a-z]+-)?cycles|instructions|cache-\w+|branch(?:es|-\w+)"
    r"|stalled-cycles-\w+|(?:\w+-)?faults|context-switches|cs|(?:\w+-)?migrations"
    r"|cgroup-switches|bpf-output|dummy|(?:L1|LLC|dTLB|iTLB|node|mem)-[\w-]+"
    r"|[A-Z][A-Z0-9]+[_.][\w.]+|[a-z]\w+\.\w+|intel_(?:pt|bts)|cs_etm|arm_spe\w*"
).fullmatch
_FRAME = re.compile(
    r"^\t *[0-9a-f]{1,16}(?:\s|$)"
    r"|^[ \da-f]{16,17}\s*$|^(?= {0,16}[0-9a-f]{1,16} \S)[ \da-f]{16,17} "
    r"|(?:^|\s)[0-9a-f]{1,16} \S.*(?:\+0x[0-9a-f]+|\(\S+\)\s*$)|\[unknown\]"
    r"|(?:^|\s)(?=\d*[a-f])[0-9a-f]{12,16}(?:\s|$)"
).search
# The columns in which a field ends that perf aligns; a longer number goes beyond.
_ENDS = {"comm": (16,), "pid": (5, 7), "tid": (5, 7), "period": (10,)}


def is_of_perf(layout: LineLayout, lines: Sequence[str]) -> bool:
    """Whether the lines that fit the layout, which has no time, or their frames, are of perf."""
    heads = [match for line in lines if (match := re.search(layout.pattern, line))]
    events = [match["event"] for match in heads] if layout.event else []
    frames = [line for line in lines if _begins_with_address(line)]
    rests = [match.string for match in heads if match["rest"]] if "rest" in layout.pattern else []
    return (
        _most(_FRAME, frames or rests)
        or _most(_EVENT, events)
        or (layout.has_event_lines and sum(map(_is_aligned, heads)) > _HALF * len(heads))
    )


_begins_with_cpu = re.compile(r"\[\d{3,}\](?:\s|$)").match
_begins_with_address = re.compile(r"^\s+[0-9a-f]{1,16}(?:\s|$)").search


def _most(search: _Search, lines: Sequence[str]) -> bool:
    return sum(1 for _ in filter(search, lines)) > _HALF * len(lines)


def _is_aligned(head: re.Match[str]) -> bool:
    """Whether the first field of the line ends in its column, or is a CPU."""
    is_in_column = (head.end(name) - head.start() in _ENDS[name] for name in _first(head))
    return _begins_with_cpu(head.string) is not None or any(is_in_column)


def _first(head: re.Match[str]) -> Iterator[str]:
    fields = head.groupdict()
    yield from [name for name in _ENDS if fields.get(name) is not None][:1]
