"""Files that explain a recording: the rules its packets met, and what conntrack counted.

    *nat                                                    iptables-save -c; -S has no counters
    [89974:5398440] -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE

    entries  clashres found new invalid ...                 /proc/net/stat/nf_conntrack
    00003721  00000000 00000000 00000000 00000000           hexadecimal, a line for each CPU

    [{"id":140,"type":"sched_cls","name":"cil_from_container","tag":"11a47337d70a5500",...},...]
                                                            bpftool prog -j

    {"kind": "List", "items": [{"metadata": {"uid": ...     kubectl get pods: pod_lists.py

    ==> before/pod/snmp <==                                 counters: net_counters.py

Of lists of pods names are kept, of all others the text; kinds that are not known are not parsed. A
file that is not what its kind says is refused.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import polars as pl
from msgspec import Struct, field

from perfduck import pod_lists
from perfduck.net_counters import net
from perfduck.record.kinds import StateKind
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.small_file import json_of, reason, text_of
from perfduck_model.words import did_you_mean
from perfduck_store.protocol import Store
from perfduck_store.records import AttachedTable

_RULE = re.compile(
    r"""
    (?: \[ (?P<packets>\d+) : (?P<bytes>\d+) \] \s+ )?   # only with -c
    (?P<rule> -A \s+ (?P<chain>\S+) (?: \s .* )? )
    """,
    re.VERBOSE,
)
_TARGET = re.compile(r"\s(?:-j|-g|--jump|--goto)\s+(?P<target>\S+)")
_OTHER_LINES = re.compile(
    r"""
    \s* | \#.* | COMMIT
    | :\S+ \s+ \S+ (?: \s+ \[\d+:\d+\] )?               # chain and policy of iptables-save
    | (?: -P \s+ \S+ \s+ \S+ (?:\s+ -c \s+ \d+ \s+ \d+)? | -N \s+ \S+ )   # the same of iptables -S
    """,
    re.VERBOSE,
)
_NAT_TARGETS = frozenset({"MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP", "FULLCONENAT"})
_NEEDS_CONNTRACK = re.compile(
    r"-m (?:conntrack|state|connmark|connbytes|connlimit|connlabel|helper|cluster)\b|-j CONNMARK\b"
)
PODS = "pods"
_KIND = re.compile(r"[a-z][a-z0-9_-]*")
_MISTYPED = 0.85  # pod, iptable; not route or ip6tables


class Attachment(Struct, frozen=True):
    """A file that was read and understood: rows by table."""

    kind: str
    source: str
    text: str
    rows: dict[AttachedTable, pl.DataFrame]


def is_kind(word: str) -> bool:
    """Whether a file can be kept as one of this kind."""
    return _KIND.fullmatch(word) is not None


def read(pair: str, option: str = "") -> Attachment:
    """Read KIND=FILE, as `option` has it."""
    kind, equals, name = pair.partition("=")
    if not (equals and name and is_kind(kind)):
        message = f"{option} {pair}".lstrip() + ": expected KIND=FILE, as in iptables=rules.txt"
        raise PerfduckError(message)
    try:
        if kind == PODS:
            text = text_of(Path(name), limits.most_pods_bytes)
        else:
            most_lines = limits.most_attachment_lines if kind in PARSERS else None
            text = text_of(Path(name), most_lines=most_lines)
    except (OSError, UnicodeDecodeError) as error:
        raise PerfduckError.at(name, expected="a text file to attach", got=reason(error)) from error
    return _with_pods(parsed(kind, name, text))


def _with_pods(file: Attachment) -> Attachment:
    """The file, if it is no list of no pods: kubectl prints one where it is asked about another
    namespace, and names that a recording had would be gone."""
    if file.kind == PODS and file.rows["pod"].is_empty():
        expected = "a pod or a container (kubectl get pods -A has those of all namespaces)"
        raise PerfduckError.at(file.source, expected=expected, got="none")
    return file


def parsed(kind: str, source: str, text: str) -> Attachment:
    """The text of a file of a kind, understood."""
    if kind not in KINDS and (meant := did_you_mean(kind, list(PARSERS), _MISTYPED)):
        where, got = f"{kind}={source}", f"{kind}: {meant}".rstrip()
        raise PerfduckError.at(where, expected="a kind", got=got)
    parser = PARSERS.get(kind)
    rows = parser(text, source) if parser else {}
    return Attachment(kind, source, pod_lists.as_text(rows["pod"]) if kind == PODS else text, rows)


def read_all(pairs: Sequence[str], option: str = "") -> list[Attachment]:
    """Read each KIND=FILE, as `option` has them; a profile keeps one file of a kind."""
    files = [read(pair, option) for pair in pairs]
    kinds = [each.kind for each in files]
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice is not None:
        raise PerfduckError.at(twice, expected="one file of a kind", got=kinds.count(twice))
    return files


def keep(store: Store, profile_id: int, files: Sequence[Attachment]) -> tuple[str, ...]:
    """Keep the files with the profile in place of those of their kinds, in a transaction of the
    caller; what that changed, in words."""
    done = (
        (each, store.attachments.keep(profile_id, each.kind, each.source, each.text, each.rows))
        for each in files
    )
    return tuple(change + _emptiness(each) for each, change in done if change)


def _emptiness(file: Attachment) -> str:
    """What is said of a list of no programs: none may be loaded, and names are asked of it."""
    is_empty = file.kind == "bpf" and file.rows["bpf_program"].is_empty()
    return " (it lists no program)" if is_empty else ""


def iptables(text: str, source: str) -> dict[AttachedTable, pl.DataFrame]:
    """The rules; `iptables -S` names no table, so its rules are of table filter."""
    table, rows = "filter", []
    counts: dict[tuple[str, str], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("*"):
            table = line[1:].strip()
        elif match := _RULE.fullmatch(line):
            key = (table, match["chain"])
            counts[key] = counts.get(key, 0) + 1
            counters = [_counter(match[name], source, number) for name in ("packets", "bytes")]
            rows.append(_rule(match, table, counts[key], counters))
        elif not _OTHER_LINES.fullmatch(line):
            what = "a line of iptables-save or iptables -S"
            raise PerfduckError.at(where=f"{source}:{number}", expected=what, got=f"{line[:60]!r}")
    schema = {
        "table": pl.String, "chain": pl.String, "number": pl.Int32, "packets": pl.Int64,
        "bytes": pl.Int64, "target": pl.String, "needs": pl.String, "rule": pl.String,
    }  # fmt: skip
    return {"iptables_rule": pl.DataFrame(rows, schema=schema, orient="row")}


def _counter(digits: str | None, source: str, line: int, base: int = 10) -> int | None:
    """A counter of the kernel; the store has 63 bits for it."""
    if digits is None:
        return None
    if not re.fullmatch("[0-9a-fA-F]{1,20}", digits) or int(digits, base) >= 1 << 63:
        what = f"a {'hexadecimal ' if base == 16 else ''}number of 63 bits"
        raise PerfduckError.at(where=f"{source}:{line}", expected=what, got=f"{digits[:60]!r}")
    return int(digits, base)


def _rule(
    match: re.Match[str], table: str, number: int, counters: Sequence[int | None]
) -> tuple[object, ...]:
    rule = match["rule"]
    jump = _TARGET.search(rule)
    target = jump["target"] if jump else None
    return table, match["chain"], number, *counters, target, _needs(rule, target), rule


def _needs(rule: str, target: str | None) -> str | None:
    if target in _NAT_TARGETS:
        return "nat"
    return "conntrack" if _NEEDS_CONNTRACK.search(rule) else None


def conntrack(text: str, source: str) -> dict[AttachedTable, pl.DataFrame]:
    """Every counter of every CPU."""
    lines = [(n, line.split()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    names = lines[0][1] if lines else []
    if len(names) > limits.most_counters:
        raise PerfduckError.at(
            where=f"{source}:1",
            expected=f"at most {limits.most_counters} counters",
            got=f"{len(names):,}",
        )
    if "entries" not in names:
        message = f"{source}:1: expected /proc/net/stat/nf_conntrack, which begins with 'entries'"
        raise PerfduckError(message)
    rows = []
    for cpu, (line, values) in enumerate(lines[1:]):
        if len(values) != len(names):
            expected = f"{len(names)} hexadecimal numbers"
            raise PerfduckError.at(where=f"{source}:{line}", expected=expected, got=len(values))
        counters = (_counter(value, source, line, 16) for value in values)
        rows += [(cpu, name, counter) for name, counter in zip(names, counters, strict=True)]
    schema = {"cpu": pl.Int32, "counter": pl.String, "value": pl.Int64}
    return {"conntrack_stat": pl.DataFrame(rows, schema=schema, orient="row")}


_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class _Holder(Struct, frozen=True):
    comm: str


class _Program(Struct, frozen=True):
    """What is used of an object of `bpftool prog -j`. An old bpftool has no pids, and numbers of
    the types that it does not know."""

    id: _Count
    type: str | _Count
    tag: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}\Z")]
    name: str = ""
    pids: list[_Holder] = field(default_factory=list)
    run_cnt: _Count | None = None
    run_time_ns: _Count | None = None


def bpf(text: str, source: str) -> dict[AttachedTable, pl.DataFrame]:
    """The programs of eBPF that were loaded."""
    try:
        programs = json_of(text, list[_Program])
    except ValueError as error:
        what = "JSON of bpftool prog -j"
        raise PerfduckError.at(where=source, expected=what, got=str(error)) from error
    rows = [
        (each.id, each.tag, each.name, _type(each), sorted({pid.comm for pid in each.pids}),
         each.run_cnt, each.run_time_ns)
        for each in programs
    ]  # fmt: skip
    schema = {
        "program_id": pl.Int64(), "tag": pl.String(), "name": pl.String(), "type": pl.String(),
        "loaders": pl.List(pl.String), "runs": pl.Int64(), "run_time_ns": pl.Int64(),
    }  # fmt: skip
    return {"bpf_program": pl.DataFrame(rows, schema=schema, orient="row")}


def _type(program: _Program) -> str:
    """As bpftool prints it to a terminal."""
    return program.type if isinstance(program.type, str) else f"type {program.type}"


def pods(text: str, source: str) -> dict[AttachedTable, pl.DataFrame]:
    """Pods and containers by name."""
    return {"pod": pod_lists.rows_of(text, source)}


PARSERS: dict[str, Callable[[str, str], dict[AttachedTable, pl.DataFrame]]] = {
    "iptables": iptables,
    "conntrack": conntrack,
    "bpf": bpf,
    "net": net,
    PODS: pods,
}
KINDS = {*PARSERS, *get_args(StateKind)}
