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

from perfduck_ingest.load_reports.amount import Work, amounts, of

# One line each. Numbers of more digits count nothing.
_IPERF3 = re.compile(r"\[(?:SUM|\s*\d+)\].*\b\d+/(?P<amount>\d{1,18}) \(.*\)\s+sender")
_DONE = "iperf Done."  # the end of a report
_WRK = re.compile(r"\s*(?P<amount>\d{1,18}) requests in ")
_SOCKPERF = re.compile(
    r"sockperf: (?:\[Total Run\].*?\bSentMessages=|Total of )(?P<amount>\d{1,18})\b"
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
    reports = [list(amounts(_IPERF3.fullmatch, "sender", part)) for part in text.split(_DONE)]
    sent = [found[-1] for found in reports if found]
    return of(sum(sent), "packet") if sent else None


def wrk(text: str) -> Work | None:
    """Requests of wrk, and of wrk2, whose last lines are the same."""
    return _sum(_WRK.match, " requests in ", text, "request")


def sockperf(text: str) -> Work | None:
    """Messages that sockperf has sent."""
    return _sum(_SOCKPERF.search, "sockperf: ", text, "message")


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
