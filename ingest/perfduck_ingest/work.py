"""How much the recorded program got done, from what the program itself reported: see
perfduck_ingest.load_reports."""

from collections.abc import Callable
from pathlib import Path

from perfduck_ingest.load_reports import json_reports, netperf, text_reports
from perfduck_ingest.load_reports.amount import AN_AMOUNT as AN_AMOUNT
from perfduck_ingest.load_reports.amount import Work as Work
from perfduck_ingest.load_reports.amount import is_amount as is_amount
from perfduck_ingest.load_reports.json_reports import ReportedFailure as ReportedFailure
from perfduck_model.errors import PerfduckError
from perfduck_model.small_file import reason, text_of

# To read another program's report, add a function.
_REPORTS: dict[str, Callable[[str], Work | None]] = {
    "iperf3 -u": text_reports.iperf3,
    "wrk": text_reports.wrk,
    "sockperf": text_reports.sockperf,
    "netperf": netperf.netperf,
    "neper": netperf.neper,
    "fortio": text_reports.fortio,
    "k6": text_reports.k6,
    "ghz": text_reports.ghz,
    "iperf3, fortio, k6 or ghz in JSON": json_reports.read,  # logs in JSON are before some of those
}
KNOWN = "iperf3, wrk, sockperf, netperf, neper, fortio, k6 or ghz"


def work_in(text: str) -> Work | None:
    """The work in what one of the programs above printed; None where there is none of them.
    ValueError for JSON that is none, ReportedFailure for a program that failed."""
    reports = (work for read in _REPORTS.values() if (work := read(text)))
    return next(reports, None)


def work_from(path: Path) -> Work:
    """The work in a report of one of the programs above."""
    try:
        text = text_of(path, errors="replace")
    except OSError as error:
        raise PerfduckError.at(path, expected=f"a report of {KNOWN}", got=reason(error)) from error
    expected = f"{path}:1: expected a report of {KNOWN} with work in it"
    try:
        if work := work_in(text):
            return work
    except ValueError as error:
        message = f"{expected}, got JSON with {error}"
        raise PerfduckError(message) from error
    first = next(iter(text[:1000].splitlines()), "")[:60]
    message = f"{expected}, got {first!r}"
    raise PerfduckError(message)
