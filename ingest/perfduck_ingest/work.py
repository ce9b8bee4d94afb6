"""How much the recorded program got done, from what the program itself reported.

    iperf3 -J    {"end": {"sum_sent": {"packets": 2168120, ...}}}
    iperf3 -u    [  5]   0.00-1.00   sec  7.69 MBytes  ...  0.000 ms  0/125990 (0%)  sender
    wrk            126018 requests in 4.00s, 17.43MB read
    sockperf     sockperf: [Total Run] RunTime=4.100 sec; ... SentMessages=39401; ...
    sockperf throughput    sockperf: Total of 372750 messages sent in 2.002 sec

What was sent counts: a packet that the receiver dropped has cost the kernel its path all the same.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perfduck_store.errors import PerfduckError
from perfduck_store.words import counted

_IPERF3 = re.compile(r"^\[(?:SUM|\s*\d+)\].*\b\d+/(?P<packets>\d+) \(.*\)\s+sender$", re.MULTILINE)
_WRK = re.compile(r"^\s*(?P<requests>\d+) requests in ", re.MULTILINE)
_SOCKPERF = re.compile(
    r"sockperf: (?:\[Total Run\].*?\bSentMessages=(?P<messages>\d+)"
    r"|Total of (?P<total>\d+) messages sent)"
)


@dataclass(frozen=True, slots=True)
class Work:
    """An amount, and what it is an amount of."""

    amount: float
    unit: str

    def __str__(self) -> str:
        return counted(self.amount, self.unit)


def _iperf3(text: str) -> Work | None:
    try:
        end = json.loads(text)["end"]
        sent = end.get("sum_sent") or end["sum"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if "packets" in sent:  # UDP; TCP reports bytes alone
        return Work(sent["packets"], "packet")
    return Work(sent["bytes"], "byte") if "bytes" in sent else None


def _iperf3_text(text: str) -> Work | None:
    found = list(_IPERF3.finditer(text))
    return Work(int(found[-1]["packets"]), "packet") if found else None  # the last: [SUM]


def _wrk(text: str) -> Work | None:
    found = _WRK.search(text)
    return Work(int(found["requests"]), "request") if found else None


def _sockperf(text: str) -> Work | None:
    found = _SOCKPERF.search(text)
    return Work(int(found["messages"] or found["total"]), "message") if found else None


# To read another program's report, add a function.
_REPORTS: dict[str, Callable[[str], Work | None]] = {
    "iperf3 -J": _iperf3,
    "iperf3 -u": _iperf3_text,
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
