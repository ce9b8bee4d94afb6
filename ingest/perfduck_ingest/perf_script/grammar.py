"""The lines of `perf script` beside event lines: call chains, and what is next to them.

    \tffffffff8168df20 mod_memcg_lruvec_state+0xf0 ([kernel.kallsyms])
    \t            1504 std::function<int (int), main::{lambda(int)#1}>::call+0x14 (/opt/a b)
      demo.cpp:11
     0x40162f(/opt/demo)/0x401620(/opt/demo)/P/-/-/5/

Event lines are in layout.py. Patterns run in polars (Rust's regex) and in `re`: no
look-around, no back-references.
"""

import re
from collections.abc import Callable

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
# Two levels of parentheses inside: '/opt/demo (deleted)', '/opt/a (b (c)) d'
_BALANCED = r"[^()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*)*"
_OFFSET = r"(?:\+0x(?P<offset>[0-9a-f]+))?"
_TAIL = r"(?:\s+(?P<tail>/.*))?"
BODY_WITH_DSO = rf"^(?:(?P<name>.*?){_OFFSET}\s)??\((?P<dso>{_BALANCED})\){_TAIL}$"
# The name ends at the offset: all after it is the dso, with any parentheses.
BODY_WITH_OFFSET = (
    r"^(?:\[unknown\]|(?P<name>.*?)\+0x(?P<offset>[0-9a-f]+))"
    rf" \((?:(?P<dso>{_BALANCED})\){_TAIL}|(?P<odd_dso>.*)\))$"
)
# A dso with one parenthesis of two, behind a name without an offset: a path begins it, which no
# name holds, or else the last parenthesis behind a blank. Without a blank there is no name.
BODY_WITH_ODD_DSO = (
    r"^(?:(?:(?P<name>.*?)\s)?\((?P<dso>(?:\.?/|\[).*)"
    r"|(?P<other_name>.*)\s\((?P<other_dso>.*)|\((?P<only_dso>\S+))\)$"
)
ODD_NAME = r"(?:^|\s)\((?:\.?/|\[)"  # the beginning of such a dso, where it is taken for the name's
DSO_OFFSET = r"\+0x[0-9a-f]+$"  # -F dsoff
BODY = rf"^(?P<name>.*?){_OFFSET}(?:\s\((?P<dso>inlined)\))?$"
# Nearly all chain entries are as plain as this: no blanks, parentheses or letters beyond ASCII in
# names. One state at a time is enough to match it, which takes a third of the time of the others.
PLAIN_FRAME = (
    r"^\t *(?P<ip>[0-9a-f]{1,16}) (?P<name>[!-'*,-~]+)(?:\+0x(?P<offset>[0-9a-f]+))?"
    r" \((?P<dso>[!-'*,-~]+)\)$"
)

# A sample without a chain has its instruction pointer on the event line. Before it stand flags, the
# text of a tracepoint, a data address, perhaps with a symbol of its own, a data source, a weight.
# perf aligns it to 16 digits behind a blank: many blanks are before one of few digits.
LAST_FRAME = (
    r"^.*(?:\s(?P<ip>[0-9a-f]{8,16})|\s{10}(?P<short>[0-9a-f]{1,7}))"
    r"\s(?P<body>(?:\S.*\s)?\(.*\)(?:\s+/.*)?)"
    r"(?:\s+(?:[0-9a-f]+|N/A|\d+[KMG]B?))*$"  # phys_addr, weight, page sizes
)
# The same where no dso is printed: only the columns tell.
LAST_FRAME_WITHOUT_DSO = (
    r"^.*(?:\s(?P<ip>ffff[0-9a-f]{12})|\s{5}\s*(?P<short>[0-9a-f]{8,12}|\s{5}[0-9a-f]{1,7}))"
    r"(?:\s(?P<body>\S.*))?$"
)
ONLY_FRAME = r"^\s*(?P<ip>[0-9a-f]{1,16})\s(?P<body>\S.*?)\s*$|^\s*(?P<bare>[0-9a-f]{5,16}|0)\s*$"
# What perf prints behind the instruction pointer, or behind the chain, and perfduck does not keep:
# the target of a branch, registers, instructions, branch stacks. Replaced by the second text.
_ENTRY_FLAGS = r"/[PMN-]{1,2}/[X-]/[A-]/"
BEHIND_FRAME = (
    (r"\s=>\s+[0-9a-f]{1,16}(?:\s.*)?$", ""),
    (r"[0-9a-f]{1,16} \|OP .*\|[A-Z]{3} +\S+", ""),
    (r"\s+(?:ABI:\d|ilen: |insn: |IPC: |\t\t).*$", ""),
    (r"(?:^|\s+)0x[0-9a-f]+(?:\([^()]*\))?/0x.*$", ""),
    # perf before 7 puts no blank before the names of a branch list: with a dso that ends the frame,
    # without one the name of the frame and the first name of the list are one word.
    (rf"(\s\([/\[][^()]*\))\s*\S.*{_ENTRY_FLAGS}.*$", "$1"),
    (rf"\s+\S+{_ENTRY_FLAGS}.*$", ""),
    (r"(\)) unknown$", "$1"),  # a cgroup without a name, perf 6.2 to 6.4
)

BLANK = r"^\s*$"
COMMENT = r"^#(?:\s|$)"
RECORD = r"\bPERF_RECORD_[A-Z0-9_]+"
# Behind the fields of a sample: a record; the metrics of -F metric, which repeats those fields.
OTHER_REST = r"^\s*metric: |^\s*PERF_RECORD_[A-Z]|[\d\]]:?\s+PERF_RECORD_[A-Z]"
OTHER_COMM = r"PERF_RECORD_|: +metric:"
LOST = r"^(?:[^\t].*)?\bPERF_RECORD_LOST"
# --show-namespace-events: whose they are; on the next line the inode of each, the network first.
NAMESPACES = r"PERF_RECORD_NAMESPACES -?\d+/(?P<tid>-?\d+) - nr_namespaces: \d+$"
NETNS = r"^\t\t\[0/net: \d+/(?:0x)?(?P<inode>[0-9a-f]{1,16})(?:[,\]]|$)"
FIRST_CGROUP = r"^\s*(/.*?)(?:\s+[0-9a-f]{5,16}\s\S.*)?$"  # may hold blanks: "/pod.slice/a b:c"
CGROUP = r"^\s+(?P<cgroup>/.*)$"  # -F cgroup, behind the chain
# Intel PT, CoreSight, ARM SPE: a part of the trace that could not be decoded, with its samples.
TRACE_ERROR = r"^ *instruction trace error type \d"
# What perf prints beside a sample and perfduck does not keep: srcline, srccode, registers,
# instructions, branch stacks, targets of branches, metrics, BPF output.
# And records: mmap, fork, namespaces (these go on in the next lines).
ASIDE = (
    r"^(?:[^\t].*)?\bPERF_RECORD_[A-Z0-9_]+|^\t\t ?\[?\s*\d+/\w+: |^[^\t].*:\s+metric: "
    r"|^(?:  (?:\S.*)?(?::\d+|\[[0-9a-f]+\])(?: \(inlined\))?$"
    r"|\|\d+\s"
    r"| \s*(?:ilen: |insn: |ABI:|IPC: |N/A(?:\s|$))"
    r"| => +[0-9a-f]{1,16}(?:\s|$)"
    r"| +BPF (?:output|string):| {17} [0-9a-f]{4}: [0-9a-f]{2} "
    r"|\t[0-9a-f]{16}\t|\t(?:\S.*:(?:\t.*)?|\.\.\. not reaching sample \.\.\.|mismatch of LBR .*)$)"
)
# -F brstack, brstacksym, brstackoff, behind a chain. Where frames have no tab it may be on the line
# of a frame.
BRANCH_LIST = rf"^ ?(?:0x[0-9a-f]+|\[unknown\]|\S.*\+0x[0-9a-f]+)(?:\([^()]*\))?/.*{_ENTRY_FLAGS}"
# The same in texts with a tab before each frame: phys_addr, page sizes, cgroups without a name.
ASIDE_BESIDE_TABS = r"^(?:[ \da-f]{15}[\da-f]|)(?: (?:\d+[KMG]?B?|N/A|unknown))*\s*$"


_is_other = re.compile("|".join((BLANK, COMMENT, RECORD, ASIDE, TRACE_ERROR))).search
_is_record = re.compile(RECORD).search
_is_branch_list = re.compile(BRANCH_LIST).search
# What FRAME matches, with nothing to remember.
is_frame = re.compile(r"^\s+[0-9a-f]{1,16}(?:\s|$)").search
# A relative path is one where nothing is behind it; with blanks, where an offset is before it.
names_dso = re.compile(
    r"\s\((?:[/\[]|inlined\)|[^()\s]*(?: \(deleted\))?\)\s*$)|\+0x[0-9a-f]+ \("
).search


# A thread may have the name of anything here: 'PERF_RECORD_AUX', 'BPF output:', '#'. Its other
# fields are behind that.
_behind_comm = re.compile(
    r"^\s*\S.{0,14}?(?=\s+(?:(?:(?:-?\d+/)?-?\d+\s+)?(?:\[\d+\]\s+)?(?:\S{1,4}\s+)?-?\d+\.\d{1,9}:\s"
    r"|(?:-?\d+/)?-?\d+\s+(?:\[\d+\]\s+)?(?:\d+\s+)?[^\s\d]\S*:(?:\s|$)))"
).match

names_file = re.compile(r"\s\(/.*\)\s*$").search
names_file_offset = re.compile(r"\s\(/.*\+0x[0-9a-f]+\)\s*$").search


def is_other(line: str) -> bool:
    """Whether a line is neither an event line nor a frame, or is not known to be one."""
    if _is_other(line):
        return not _is_name(_is_other, line)
    return _is_branch_list(line) is not None and not is_frame(line)


def is_record(line: str) -> bool:
    """Whether perf prints a record there, not a sample."""
    return (
        "PERF_RECORD_" in line and _is_record(line) is not None and not _is_name(_is_record, line)
    )


def _is_name(search: Callable[[str], re.Match[str] | None], line: str) -> bool:
    """Whether what is searched is in a line because a thread has that name."""
    comm = _behind_comm(line)
    return comm is not None and search(line[comm.end() :]) is None
