"""Reports in JSON, each known by a key that only it has.

iperf3 -J               {"start": ..., "end": {"sum_sent": {"packets": 2168120, ...}}}
fortio load -json       {"RunType": "HTTP", "DurationHistogram": {"Count": 1184, ...}, ...}
k6 --summary-export     {"metrics": {"http_reqs": {"count": 812, "rate": ...}, ...}}
k6 handleSummary        {"metrics": {"http_reqs": {"values": {"count": 812, ...}}}}
ghz -O json             {"count": 200, "total": 181571428, "rps": 1101.4, ...}
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct, field

from perfduck_ingest.load_reports.amount import UnusableReport, Work, of
from perfduck_model.small_file import json_of

Number = int | float


class ReportedFailure(UnusableReport):
    """What a report says went wrong, where it has no work. The exit status does not say it: iperf3
    -J ends with 0 even if it did not reach its server."""

    def __init__(self, error: str) -> None:
        super().__init__(f"the error {error!r}")


class Iperf3Sum(Struct, frozen=True):
    """What was sent, of all streams."""

    packets: Number | None = None
    bytes: Number | None = None
    seconds: Number | None = None
    lost_packets: Number | None = None


class Iperf3End(Struct, frozen=True):
    """How a run ended."""

    sum_sent: Iperf3Sum | None = None
    sum: Iperf3Sum | None = None  # over UDP, as the receiver saw it; before 3.13 alone


class Iperf3Report(Struct, frozen=True):
    """The part of a report of iperf3 -J that is read."""

    end: Iperf3End = Iperf3End()  # it is frozen
    error: str | None = None


class FortioHistogram(msgspec.Struct):
    """Of the time that calls took."""

    count: int | None = msgspec.field(name="Count", default=None)


class FortioReport(msgspec.Struct):
    """The part of a report of fortio that is read."""

    kind: str = msgspec.field(name="RunType", default="")
    duration_ns: int | None = msgspec.field(name="ActualDuration", default=None)
    times: FortioHistogram = msgspec.field(
        name="DurationHistogram", default_factory=FortioHistogram
    )


class K6Values(Struct, frozen=True):
    """Of a metric, as handleSummary has them."""

    count: Number | None = None


class K6Metric(Struct, frozen=True):
    """A metric; `count` of the summary that is exported."""

    count: Number | None = None
    values: K6Values = K6Values()


class K6Report(Struct, frozen=True):
    """The part of a summary of k6 that is read."""

    metrics: dict[str, K6Metric] = field(default_factory=dict)


class GhzReport(Struct, frozen=True):
    """The part of a report of ghz that is read."""

    count: int | None = None
    total: int | None = None  # ns


# What k6 counts, the first that a script makes; an iteration is a run of the script.
_K6_COUNTERS = {
    "http_reqs": "request", "grpc_reqs": "request", "ws_msgs_sent": "message",
    "iterations": "iteration",
}  # fmt: skip


def _iperf3(text: str) -> Work | None:
    report = json_of(text, Iperf3Report)
    end = report.end
    nothing = Iperf3Sum()
    sent = end.sum_sent if end.sum_sent not in (None, nothing) else end.sum
    sent = sent or nothing
    packets, sent_bytes = sent.packets, sent.bytes
    if packets is sent_bytes is None and report.error:
        raise ReportedFailure(report.error)
    if packets is None:  # TCP reports bytes alone
        return of(sent_bytes, "byte", sent.seconds)
    return of(packets, "packet", sent.seconds, (end.sum or nothing).lost_packets)


def _fortio(text: str) -> Work | None:
    report = json_of(text, FortioReport)
    return of(report.times.count, "request", report.duration_ns and report.duration_ns / 1e9)


def _k6(text: str) -> Work | None:
    metrics = json_of(text, K6Report).metrics
    for name, unit in _K6_COUNTERS.items():
        metric = metrics.get(name, K6Metric())
        count = metric.values.count if metric.count is None else metric.count
        if work := of(count, unit):
            return work
    return None


def _ghz(text: str) -> Work | None:
    report = json_of(text, GhzReport)
    return of(report.count, "request", report.total and report.total / 1e9)


# By a key that reports of the others have not.
_READERS: Mapping[str, Callable[[str], Work | None]] = {
    "end": _iperf3,
    "DurationHistogram": _fortio,
    "metrics": _k6,
    "rps": _ghz,
}


def read(text: str) -> Work | None:
    """The work of a report in JSON; None where it is none of these. ValueError for JSON that is
    broken, or where a report has other types than such reports have; ReportedFailure."""
    if not text.lstrip().startswith("{"):
        return None
    keys = json_of(text, dict[str, msgspec.Raw]).keys()
    reader = next((reader for key, reader in _READERS.items() if key in keys), None)
    return reader(text) if reader else None
