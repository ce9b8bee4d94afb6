"""How much the recorded program got done, from what the program itself reported.

    iperf3 -J    {"end": {"sum_sent": {"packets": 2168120, ...}}}
    iperf3 -u    [  5]   0.00-1.00   sec  7.69 MBytes  ...  0.000 ms  0/125990 (0%)  sender
    wrk            126018 requests in 4.00s, 17.43MB read
    sockperf     sockperf: [Total Run] RunTime=4.100 sec; ... SentMessages=39401; ...
    sockperf throughput    sockperf: Total of 372750 messages sent in 2.002 sec

What was sent counts: a packet that the receiver dropped has cost the kernel its path all the same.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from perfduck_model.errors import PerfduckError
from perfduck_model.small_file import json_of, reason, text_of
from perfduck_model.words import counted

# One line each. Numbers of more digits count nothing.
_IPERF3 = re.compile(r"\[(?:SUM|\s*\d+)\].*\b\d+/(?P<amount>\d{1,18}) \(.*\)\s+sender")
_WRK = re.compile(r"\s*(?P<amount>\d{1,18}) requests in ")
_SOCKPERF = re.compile(
    r"sockperf: (?:\[Total Run\].*?\bSentMessages=|Total of )(?P<amount>\d{1,18})\b"
)
_MOST = 10**18  # bytes; 100 Gbit/s carry that in two years
_LONGEST_LINE = 512  # characters; the expressions take time by its square


@dataclass(frozen=True, slots=True)
class Work:
    """An amount, and what it is an amount of; None: of what the stored work is, else `unit`."""

    amount: float
    unit: str | None

    def __str__(self) -> str:
        return counted(self.amount, self.unit or "unit")


@dataclass(frozen=True, slots=True)
class Iperf3Sum:
    """What was sent, of all streams."""

    packets: int | float | None = None
    bytes: int | float | None = None


@dataclass(frozen=True, slots=True)
class Iperf3End:
    """How a run ended."""

    sum_sent: Iperf3Sum | None = None
    sum: Iperf3Sum | None = None  # of iperf3 before 3.13 over UDP


@dataclass(frozen=True, slots=True)
class Iperf3Report:
    """The part of a report of iperf3 -J that is read."""

    end: Iperf3End = Iperf3End()  # it is frozen


def _iperf3(text: str) -> Work | None:
    if not text.lstrip().startswith("{"):
        return None
    end = json_of(text, Iperf3Report).end
    nothing = Iperf3Sum()
    sent = end.sum_sent if end.sum_sent not in (None, nothing) else end.sum
    packets, sent_bytes = (sent or nothing).packets, (sent or nothing).bytes
    amount = sent_bytes if packets is None else packets  # TCP reports bytes alone
    if amount is None or not 0 < amount < _MOST:
        return None
    return Work(float(amount), "byte" if packets is None else "packet")


def _iperf3_text(text: str) -> Work | None:
    amounts = list(_found(_IPERF3.fullmatch, "sender", text))
    return Work(amounts[-1], "packet") if amounts else None  # the last: [SUM]


def _wrk(text: str) -> Work | None:
    amount = next(_found(_WRK.match, " requests in ", text), None)
    return None if amount is None else Work(amount, "request")


def _sockperf(text: str) -> Work | None:
    amount = next(_found(_SOCKPERF.search, "sockperf: ", text), None)
    return None if amount is None else Work(amount, "message")


def _found(match: Callable[[str], re.Match[str] | None], mark: str, text: str) -> Iterator[float]:
    """The amounts in the lines that match, which hold the mark."""
    return (
        float(hit["amount"]) for line in _lines_with(mark, text) if (hit := match(line.rstrip()))
    )


def _lines_with(mark: str, text: str) -> Iterator[str]:
    """The lines that hold the mark, but for long ones. The others, which may be millions, are
    skipped at once."""
    at = text.find(mark)
    while at >= 0:
        start = text.rfind("\n", max(at - _LONGEST_LINE, 0), at) + 1
        end = text.find("\n", at, start + _LONGEST_LINE + 1)
        end = len(text) if end < 0 else end
        if end - start <= _LONGEST_LINE:
            yield text[start:end]
            at = text.find(mark, end)
        else:
            at = text.find(mark, at + 1)


# To read another program's report, add a function.
_REPORTS: dict[str, Callable[[str], Work | None]] = {
    "iperf3 -J": _iperf3,
    "iperf3 -u": _iperf3_text,
    "wrk": _wrk,
    "sockperf": _sockperf,
}


def work_in(text: str) -> Work | None:
    """The work in what one of the programs above printed; None where there is none of them.
    ValueError for JSON that is none."""
    reports = (work for read in _REPORTS.values() if (work := read(text)) and work.amount > 0)
    return next(reports, None)


def work_from(path: Path) -> Work:
    """The work in a report of one of the programs above."""
    try:
        text = text_of(path, errors="replace")
    except OSError as error:
        raise PerfduckError.at(
            path, expected=f"a report of {', '.join(_REPORTS)}", got=reason(error)
        ) from error
    expected = f"{path}:1: expected a report of {', '.join(_REPORTS)} with work in it"
    try:
        if work := work_in(text):
            return work
    except ValueError as error:
        message = f"{expected}, got JSON with {error}"
        raise PerfduckError(message) from error
    first = next(iter(text[:1000].splitlines()), "")[:60]
    message = f"{expected}, got {first!r}"
    raise PerfduckError(message)
