"""`perf script` text, a line at a time, by somebody who knows which fields were asked for.

Written from what builtin-script.c (process_event, perf_sample__fprintf_start) and evsel_fprintf.c
print, column by column, and not from the importer: that has to find the fields out by itself.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

PREFIX = ("comm", "pid", "tid", "cpu", "misc", "tod", "time", "period", "event")
_RIGHT = r" *(?P<comm>\S.*?|) "
_PADDED_TO_5 = r"\d{5,}|[-\d]\d{3} |[-\d]\d{2}  |[-\d]\d {3}|\d {4}"
_CLOCK = r"(?P<s>-?\d+)\.(?P<ns>\d{9}|\d{6}): "


@dataclass(frozen=True)
class Request:
    """What perf was asked to print, and what it knows of the recording."""

    fields: frozenset[str]
    events: tuple[str, ...]  # the names of the events of the recording
    has_chains: bool  # recorded, and not hidden by -G
    optional: frozenset[str] = frozenset()  # default fields that some events do not have


@dataclass
class Sample:
    comm: str | None
    pid: int | None
    tid: int | None
    cpu: int | None
    time_ns: int | None
    period: int | None
    event: str | None
    frames: list[tuple[str, str | None]] = field(default_factory=list)  # name, dso (None: inlined)


def read(text: str, request: Request) -> list[Sample]:
    """The samples of the text."""
    lines = text.split("\n")
    return [_sample(match, lines, at, request) for at, match in _starts(lines, request)]


def _starts(lines: list[str], request: Request) -> Iterator[tuple[int, re.Match[str]]]:
    pattern = re.compile(start_pattern(request))
    has_prefix = bool(request.fields & set(PREFIX))
    for at, line in enumerate(lines):
        if "PERF_RECORD_" in line or line.startswith(("\t", "#")) or "\tmetric: " in line:
            continue
        if not has_prefix and request.has_chains:
            is_start = not line and at + 1 < len(lines) and lines[at + 1].startswith("\t")
            if is_start and (match := re.match("", line)):
                yield at, match
        elif (match := pattern.match(line)) and (line or not request.has_chains):
            yield at, match


def start_pattern(request: Request) -> str:
    """The fields before the trace, as printf aligns them."""
    has = request.fields.__contains__
    parts = [_comm(request), _thread(request), _cpu(request)]
    if has("misc"):
        parts.append(r"(?=.{6})[KUHGgMESp]* +")
    if has("tod"):
        parts.append(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ ")
    if has("time"):
        parts.append(" *" + _CLOCK)
    if has("period"):
        parts.append(_optional(r"(?=[ \d]{10}) *(?P<period>\d+) ", "period", request))
    if has("event"):
        names = "|".join(re.escape(name) for name in request.events)
        parts.append(rf" *(?P<event>{names}): ")
    if request.fields & set(PREFIX) == {"comm"}:
        parts.append(r"(?=$| +(?:0|[1-9a-f][0-9a-f]*)(?: |$))")
    return "".join(parts) or r"(?= +[0-9a-f]+(?: |$))"


def _comm(request: Request) -> str:
    if "comm" not in request.fields:
        return ""
    if "latency" in request.fields:
        return r"(?=.{8} ) *(?P<comm>\S.*?|) "
    return r"(?P<comm>.*?) " if request.has_chains and "ip" in request.fields else _RIGHT


def _thread(request: Request) -> str:
    printed = request.fields & {"pid", "tid"}
    if len(printed) == 2:
        return rf" *(?P<pid>-?\d+)/(?P<tid>{_PADDED_TO_5}) "
    return r" *(?P<tid>-?\d+) " if printed else ""


def _cpu(request: Request) -> str:
    if "cpu" not in request.fields:
        return ""
    if "latency" in request.fields:
        return _optional(r"(?=[ \d]{3} ) *(?P<cpu>\d+) ", "cpu", request)
    return _optional(r"\[(?P<cpu>\d{3,})\] ", "cpu", request)


def _optional(pattern: str, name: str, request: Request) -> str:
    return f"(?:{pattern})?" if name in request.optional else pattern


def _sample(match: re.Match[str], lines: list[str], at: int, request: Request) -> Sample:
    found = match.groupdict()
    number = {name: int(found[name]) if found.get(name) else None
              for name in ("pid", "tid", "cpu", "period")}  # fmt: skip
    time = None
    if found.get("s"):
        time = int(found["s"]) * 10**9 + int(found["ns"].ljust(9, "0"))
    comm = found.get("comm")
    if not request.fields & {"ip", "sym"}:
        frames = []
    elif request.has_chains:
        frames = _chain(lines, at + 1, request)
    else:
        frames = _leaf(lines[at][match.end() :], request)
    return Sample(comm if comm is None else comm.strip(), number["pid"], number["tid"],
                  number["cpu"], time, number["period"], found.get("event"), frames)  # fmt: skip


def _chain(lines: list[str], at: int, request: Request) -> list[tuple[str, str | None]]:
    frames = []
    for line in lines[at:]:
        if (
            line.startswith("\t")
            and re.fullmatch(r" *[0-9a-f]+", line[1:17])
            and line[17:18] != "\t"
        ):
            frames.append(_frame(line[17:], request))
        elif not re.match(r"  \S|\|\d", line):  # srcline, srccode
            break
    return frames


def _leaf(rest: str, request: Request) -> list[tuple[str, str | None]]:
    """The last column of 16 digits behind a blank, with a name behind it if names are printed."""
    branch = rest.find(" => ")
    rest = rest if branch < 0 else rest[:branch]
    for at in range(len(rest) - 17, -1, -1):
        column = rest[at : at + 17]
        if not re.fullmatch(r" +(?:0|[1-9a-f][0-9a-f]*)", column):
            continue
        behind = rest[at + 17 :]
        if "sym" not in request.fields and "dso" not in request.fields:
            return [_frame("", request)]
        if behind.startswith(" ") and re.match(r" \S", behind):
            return [_frame(behind, request)]
    return []


def _frame(behind: str, request: Request) -> tuple[str, str | None]:
    """` name+0x12 (dso)`, with what may be printed behind that."""
    behind = behind.strip()
    dso: str | None = "[unknown]"
    if behind.endswith("(inlined)"):
        behind, dso = behind.removesuffix("(inlined)").rstrip(), None
    elif "dso" in request.fields:
        behind, dso = _split_dso(behind)
    elif _LISTED.search(behind) and "brstacksym" in request.fields:
        return "[unknown]", dso  # the name and the first one of the list are one word
    elif not request.has_chains:
        behind = re.sub(r"(?: +(?:ABI:|ilen:|insn:|0x[0-9a-f]+/0x|\S+/[PM-]/[X-]/).*)$", "", behind)
    if "sym" not in request.fields:
        return "[unknown]", dso
    if "symoff" in request.fields:
        behind = re.sub(r"\+0x[0-9a-f]+$", "", behind)
    return behind or "[unknown]", dso


_LISTED = re.compile(r"/[PM-]/[X-]/[A-]/")
_DSO = re.compile(r"(?:^|\s)\(((?:[^()]|\([^()]*\))*)\)(?=\s|$)")


def _split_dso(text: str) -> tuple[str, str | None]:
    """The name, and the dso in the last parentheses that a blank is before; before a branch list
    in the first that begins as dsos do."""
    if _LISTED.search(text) and (first := re.match(r"(.*?) \(([/\[][^()]*)\)", text)):
        return first[1], first[2]
    groups = list(_DSO.finditer(text))
    if not groups:
        return text, None  # inlined: with -F srcline that is said in the next line
    chosen = groups[-1]
    dso = re.sub(r"\+0x[0-9a-f]+$", "", chosen[1])
    return text[: chosen.start()], dso or "[unknown]"
