"""How much the recorded program got done, from what the program itself reported.

    iperf3 -J    {"end": {"sum_sent": {"packets": 2168120, ...}}}
    wrk            126018 requests in 4.00s, 17.43MB read
    sockperf     sockperf: [Total Run] RunTime=4.100 sec; ... SentMessages=39401; ...

What was sent counts: a packet that the receiver dropped has cost the kernel its path all the same.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perfduck_store.errors import PerfduckError

_WRK = re.compile(r"^\s*(?P<requests>\d+) requests in ", re.MULTILINE)
_SOCKPERF = re.compile(r"sockperf: \[Total Run\].*?\bSentMessages=(?P<messages>\d+)")


@dataclass(frozen=True, slots=True)
class Work:
    """An amount, and what it is an amount of."""

    amount: float
    unit: str


def _iperf3(text: str) -> Work | None:
    try:
        end = json.loads(text)["end"]
        sent = end.get("sum_sent") or end["sum"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if "packets" in sent:  # UDP; TCP reports bytes alone
        return Work(sent["packets"], "packet")
    return Work(sent["bytes"], "byte") if "bytes" in sent else None


def _wrk(text: str) -> Work | None:
    found = _WRK.search(text)
    return Work(int(found["requests"]), "request") if found else None


def _sockperf(text: str) -> Work | None:
    found = _SOCKPERF.search(text)
    return Work(int(found["messages"]), "message") if found else None


# To read another program's report, add a function.
_REPORTS: dict[str, Callable[[str], Work | None]] = {
    "iperf3 -J": _iperf3,
    "wrk": _wrk,
    "sockperf": _sockperf,
}


def work_from(path: Path) -> Work:
    """The work in a report of one of the programs above."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        message = f"{path}: expected a report of {', '.join(_REPORTS)}, got {error.strerror}"
        raise PerfduckError(message) from error
    for read in _REPORTS.values():
        if (work := read(text)) is not None and work.amount > 0:
            return work
    first = next(iter(text.splitlines()), "")[:60]
    message = f"{path}:1: expected a report of {', '.join(_REPORTS)} with work in it, got {first!r}"
    raise PerfduckError(message)
