"""The lines of `perf script`, whatever -F printed.

    V8 WorkerThread  9284/9286 [000]   870.257121:    1001001 cpu-clock:u:
    \tffffffff8168df20 mod_memcg_lruvec_state+0xf0 ([kernel.kallsyms])
    \t            1504 std::function<int (int), main::{lambda(int)#1}>::call+0x14 (/opt/a b)
      demo.cpp:11

Which fields an event line has is the same all over a file and cannot be told from one line (a comm
may look like `a:b [c] 12/3`), so the layout is measured on the first lines and then demanded.
builtin-script.c of the kernel tree, process_event(), prints them in this order.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

# Patterns run in polars (Rust's regex) and in `re`: no look-around, no back-references.
_COMM = r"(?P<comm>\S.*?)"  # may hold blanks, brackets and digits: 'a:b [c] 12/3'
_THREAD = r"(?:(?P<pid>-?\d+)/)?(?P<tid>-?\d+)"  # tid, or pid/tid with -F pid,tid
_CPU = r"(?:\[(?P<cpu>\d+)\]\s+)?"  # absent from per-thread recordings
_FLAGS = r"(?:[A-Za-z.]{1,8}\s+)?"  # -F misc: 'U', and the latency flags 'd.h.'
_DAY = r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\s+)?"  # -F tod
_TIME = r"(?P<s>-?\d+)\.(?P<fraction>\d{6}|\d{9}):"  # microseconds, or --ns
_PERIOD = r"(?:(?P<period>\d+)\s+)?"
_EVENT = r"(?P<event>\S+?):"  # may hold colons itself: 'sched:sched_switch', 'cycles:P'
_REST = r"(?P<rest>.*)"
_LAST_CPU = r"(?:\s*\[(?P<cpu>\d+)\])?"
_LAST_PERIOD_OR_REST = rf"(?:\s+(?P<period>\d+)\s*|(?:\s+{_REST})?)"  # -F -event
_FRAME_OR_NOTHING = r"\s*(?:\b(?P<rest>[0-9a-f]{5,16}\s\S.*))?"
_FRAME_OR_TEXT = r"\s*(?:\b(?P<rest>[0-9a-f]{5,16}\s\S.*|\w+=.*))?"  # text of a tracepoint

# Nearly all event lines with all fields are as plain as this: ASCII, and no number within comm.
# Where it matches, the general expression finds the same fields in four times the time: here each
# character leads to one state only. That is why the number before a slash has a group that is tid
# where no slash follows, and why event has its colon.
PLAIN_EVENT = (
    r"^ *(?P<comm>(?:[!-,./:-~][!-~]* +)+)(?P<first>[0-9]+)(?:/(?P<second>[0-9]+))? +"
    r"(?:\[(?P<cpu>[0-9]+)\] +)?(?P<s>[0-9]+)\.(?P<fraction>[0-9]{6}(?:[0-9]{3})?): +"
    r"(?:(?P<period>[0-9]+) +)?(?P<event>[!-/:-~][!-~]+) *$"
)

FRAME = r"^\s+(?P<ip>[0-9a-f]{1,16})(?:\s+(?P<body>.*?))?\s*$"
# One level of parentheses inside: '/opt/demo (deleted)', '/opt/dir (1)/prog'; -F dsoff adds '+0x1f'
_DSO = r"\((?P<dso>[^()]*?(?:\([^()]*\)[^()]*?)*)(?:\+0x[0-9a-f]+)?\)"
_OFFSET = r"(?:\+0x(?P<offset>[0-9a-f]+))?"
BODY_WITH_DSO = rf"^(?:(?P<name>.*?){_OFFSET}\s)??{_DSO}(?:\s+(?P<tail>/.*))?$"
BODY = rf"^(?P<name>.*?){_OFFSET}(?:\s\((?P<dso>inlined)\))?$"
# Nearly all chain entries are as plain as this: no blanks, parentheses or letters beyond ASCII in
# names. One state at a time is enough to match it, which takes a third of the time of the others.
PLAIN_FRAME = (
    r"^\t *(?P<ip>[0-9a-f]{1,16}) (?P<name>[!-'*,-~]+)(?:\+0x(?P<offset>[0-9a-f]+))?"
    r" \((?P<dso>[/\[][!-'*,-~]*)\)$"
)
# A sample without a chain has its instruction pointer on the event line. Before it stand trace
# text, or a data address with a symbol of its own (-F addr).
LAST_FRAME = (
    r"^.*\s(?P<ip>[0-9a-f]{8,16})\s(?P<body>\S.*\s\(.*\)(?:\s+/.*)?)"
    r"(?:\s+(?:[0-9a-f]+|N/A|\d+[KMG]))*$"  # phys_addr, weight, page sizes
)
ONLY_FRAME = r"^(?P<ip>[0-9a-f]{1,16})\s+(?P<body>\S.*?)\s*$|^(?P<bare>[0-9a-f]{5,16}|0)\s*$"

BLANK = r"^\s*$"
COMMENT = r"^#(?:\s|$)"
RECORD = r"\bPERF_RECORD_[A-Z0-9_]+"
# Behind a thread, a CPU or a time; behind other letters it is a part of a comm.
RECORD_LINE = r"(?:^|[\d\]]:?\s+)PERF_RECORD_[A-Z]"
LOST = r"\bPERF_RECORD_LOST"
FIRST_CGROUP = r"^(/.*?)(?:\s+[0-9a-f]{5,16}\s\S.*)?$"  # may hold blanks: "/pod.slice/a b:c"
CGROUP = r"^\s+(?P<cgroup>/.*)$"  # -F cgroup, behind the chain
# What perf prints beside a sample and perfduck does not keep: srcline, srccode, registers,
# instructions, branch stacks, physical addresses.
# And records: mmap, fork, namespaces (these go on in the next lines).
ASIDE = (
    r"^(?:[^\t].*)?\bPERF_RECORD_[A-Z0-9_]+|^\t\t ?\[?\s*\d+/\w+: "
    r"|^(?:  \S.*(?::\d+|\[[0-9a-f]+\])(?: \(inlined\))?$"
    r"|\|\d+\s"
    r"| \s*(?:ilen: |insn: |ABI:|IPC: |0x[0-9a-f]+/0x|[0-9a-f]{16}\s*$|\d+[KMG]?\s*$|N/A))"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which fields the event lines of a file have; none of them: chains alone."""

    comm: bool
    thread: bool
    time: bool
    event: bool
    dso: bool = False  # whether frames end in one: where not, a name may end in parentheses
    chains: bool = True  # whether blank lines divide samples that have no event line

    @property
    def pattern(self) -> str:
        """A regular expression for the event line, with the groups comm, pid, tid, cpu, s,
        fraction, period, event and rest as far as the layout has them."""
        parts = [r"^\s*"]
        parts += [_COMM + r"\s+"] * self.comm
        # The blank that perf prints behind tid; prose that ends in a number has none.
        parts += [_THREAD + (r"\s+" if self.time or self.event else r"\s")] * self.thread
        parts += [_CPU] if self.time or self.event else [_LAST_CPU] * self.thread
        parts += [_FLAGS + _DAY + _TIME + (r"\s+" if self.event else "")] * self.time
        parts += [_PERIOD + _EVENT] if self.event else []
        if not self.is_telling:
            parts += [_FRAME_OR_TEXT if self.thread else _FRAME_OR_NOTHING]
        elif self.event:
            parts += [rf"(?:\s+{_REST})?"]
        else:
            parts += [_LAST_PERIOD_OR_REST]
        return "".join(parts) + "$"

    @property
    def is_telling(self) -> bool:
        """Whether an event line looks like no other text: then anything may stand behind it."""
        return self.time or (self.thread and self.event)

    @property
    def surest_field(self) -> str:
        """A group that is there when the pattern matches."""
        return "s" if self.time else "event" if self.event else "tid" if self.thread else "comm"

    @property
    def has_all_fields(self) -> bool:
        """Whether event lines are as `perf script` prints them if -F does not say otherwise."""
        return self.comm and self.thread and self.time and self.event

    @property
    def has_event_lines(self) -> bool:
        """Whether there is anything before the chains."""
        return self.comm or self.thread or self.time or self.event


_LAYOUTS = sorted(
    (Layout(*fields) for fields in itertools.product((True, False), repeat=4) if any(fields)),
    key=lambda layout: -(layout.comm + layout.thread + 2 * layout.time + 2 * layout.event),
)
_CHAINS_ALONE = Layout(comm=False, thread=False, time=False, event=False)
_ENOUGH = 0.9  # of what the best layout matches: tracepoints lack fields that other events have


def is_record(line: str) -> bool:
    """Whether perf prints a record there, not a sample."""
    return "PERF_RECORD_" in line and re.search(RECORD, line) is not None


def layout_of(lines: Iterable[str]) -> Layout | None:
    """The most telling layout that nearly all event lines have; None where there are none and no
    chains either."""
    lines = list(lines)
    candidates = [line for line in lines if not _is_other(line)]
    frames = [line for line in candidates if _is_frame(line)]
    best, most = _best_layout([line for line in candidates if not line.startswith("\t")])
    if 3 * most <= len(candidates) - len(frames):
        if not frames:
            return None
        best = _CHAINS_ALONE
    has_blanks = any(re.search(BLANK, line) for line in lines)
    return replace(best, dso=_have_dso(frames or candidates), chains=has_blanks)


def _is_other(line: str) -> bool:
    # Chain entries are told by their first letters: a tab, then blanks or a number.
    if line[:1] == "\t" and line[1:2] != "\t" and "PERF_RECORD_" not in line:
        return not line.strip()
    return _OTHER.search(line) is not None


_OTHER = re.compile("|".join((BLANK, COMMENT, RECORD, ASIDE)))
# What FRAME matches, with nothing to remember.
_is_frame = re.compile(r"^\s+[0-9a-f]{1,16}(?:\s|$)").search
_names_dso = re.compile(r"\s\((?:[/\[]|inlined\))").search


def _best_layout(lines: Sequence[str]) -> tuple[Layout, int]:
    """The most telling layout that nearly as many lines have as any other, and how many lines have
    that other."""
    counts: dict[Layout, int] = {}
    for layout in _LAYOUTS:
        counts[layout] = _matches(layout, lines)
        if counts[layout] == len(lines):  # none can have more
            break
    most = max(counts.values())
    return next(layout for layout in counts if counts[layout] >= _ENOUGH * most), most


def _matches(layout: Layout, lines: Sequence[str]) -> int:
    matches = re.compile(layout.pattern).search
    found = (line for line in lines if matches(line))
    return sum(1 for line in found if layout.is_telling or not _is_frame(line))


def _have_dso(lines: Sequence[str]) -> bool:
    """Whether frames, in chains or behind an event, name a dso."""
    return 2 * sum(1 for line in lines if _names_dso(line)) > len(lines)
