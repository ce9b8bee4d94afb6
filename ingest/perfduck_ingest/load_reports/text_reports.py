"""Reports as text.

    iperf3 -u    [  5]   0.00-1.00   sec  7.69 MBytes  ...  0.000 ms  0/125990 (0%)  sender
    wrk, wrk2      126018 requests in 4.00s, 17.43MB read
    sockperf     sockperf: [Total Run] RunTime=4.100 sec; ... SentMessages=39401; ...
    sockperf throughput    sockperf: Total of 372750 messages sent in 2.002 sec
    fortio       All done 1184 calls (plus 4 warmup) 3.378 ms avg, 1183.5 qps
    k6               http_reqs......................: 812     270.331/s
    ghz            Count:        200

What was sent counts: a packet that the receiver dropped has cost the kernel its path all the same.
Several reports of one program, of runs one after the other or at once, are added up.
"""

import re
from collections.abc import Callable

from perfduck_ingest.load_reports.amount import Work, amounts, matches, of

# One line each. Numbers of more digits count nothing.
_IPERF3_LINE = (
    r"\[(?:SUM|\s*\d+)\]\s+(?P<start>[\d.]+)-(?P<end>[\d.]+)\s+sec.*"
    r"\b(?P<lost>\d{{1,18}})/(?P<amount>\d{{1,18}}) \(.*\)\s+{side}"
)
_SENDER, _RECEIVER = (re.compile(_IPERF3_LINE.format(side=side)) for side in ("sender", "receiver"))
_DONE = "iperf Done."  # the end of a report
_WRK = re.compile(r"\s*(?P<amount>\d{1,18}) requests in (?P<time>[\d.]+)(?P<unit>us|ms|s|m|h)?")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SOCKPERF = re.compile(
    r"sockperf: (?:\[Total Run\] RunTime=(?P<time>[\d.]+) sec;.*?\bSentMessages=|Total of )"
    r"(?P<amount>\d{1,18})\b"
)
_FORTIO = re.compile(r"All done (?P<amount>\d{1,18}) calls ")
_K6 = r"\s*{name}\.*: (?P<amount>\d{{1,18}})\s+[\d.]+/s"
_K6_COUNTERS = {
    "http_reqs": "request", "grpc_reqs": "request", "ws_msgs_sent": "message",
    "iterations": "iteration",
}  # fmt: skip
_GHZ = re.compile(r"  Count:\s+(?P<amount>\d{1,18})")


def iperf3(text: str) -> Work | None:
    """Packets that iperf3 -u has sent; of several streams [SUM], the last such line of a report."""
    reports = text.split(_DONE)
    sent, received = (
        [lines[-1] for part in reports if (lines := list(matches(line.fullmatch, side, part)))]
        for line, side in ((_SENDER, "sender"), (_RECEIVER, "receiver"))
    )
    if not sent:
        return None
    seconds = float(sent[0]["end"]) - float(sent[0]["start"]) if len(sent) == 1 else None
    lost = sum(int(each["lost"]) for each in received) if received else None
    return of(sum(int(each["amount"]) for each in sent), "packet", seconds, lost)


def wrk(text: str) -> Work | None:
    """Requests of wrk, and of wrk2, whose last lines are the same."""
    lines = list(matches(_WRK.match, " requests in ", text))
    seconds = [float(each["time"]) * _UNITS[each["unit"] or "s"] for each in lines]
    one = seconds[0] if len(seconds) == 1 else None
    return of(sum(float(each["amount"]) for each in lines), "request", one)


def sockperf(text: str) -> Work | None:
    """Messages that sockperf has sent."""
    lines = list(matches(_SOCKPERF.search, "sockperf: ", text))
    times = [each["time"] for each in lines if each["time"]]
    one = float(times[0]) if len(lines) == len(times) == 1 else None
    return of(sum(float(each["amount"]) for each in lines), "message", one)


def fortio(text: str) -> Work | None:
    """Calls of fortio load, without those of the warm-up."""
    return _sum(_FORTIO.match, "All done ", text, "request")


def k6(text: str) -> Work | None:
    """Requests, messages or iterations in the summary at the end of a run of k6."""
    for name, unit in _K6_COUNTERS.items():
        line = re.compile(_K6.format(name=name))
        if work := _sum(line.match, f"{name}.", text, unit):
            return work
    return None


def ghz(text: str) -> Work | None:
    """Calls in the summary of ghz."""
    if not text.lstrip().startswith("Summary:"):
        return None
    return _sum(_GHZ.fullmatch, "  Count:", text, "request")


def _sum(
    match: Callable[[str], re.Match[str] | None], mark: str, text: str, unit: str
) -> Work | None:
    return of(sum(amounts(match, mark, text)), unit)
