"""How much the recorded program got done, from what the program itself reported: see
perfduck_ingest.load_reports."""

from collections.abc import Callable
from pathlib import Path

from perfduck_ingest.load_reports import json_reports, netperf, text_reports
from perfduck_ingest.load_reports.amount import AN_AMOUNT as AN_AMOUNT
from perfduck_ingest.load_reports.amount import SeveralReports
from perfduck_ingest.load_reports.amount import UnusableReport as UnusableReport
from perfduck_ingest.load_reports.amount import Work as Work
from perfduck_ingest.load_reports.amount import is_amount as is_amount
from perfduck_model.errors import PerfduckError
from perfduck_model.small_file import reason, text_of
from perfduck_model.words import listed

# To read another program's report, add a function; of one in JSON in json_reports.py.
_REPORTS: dict[str, Callable[[str], Work | None]] = {
    "iperf3 -u": text_reports.iperf3,
    "wrk": text_reports.wrk,
    "sockperf": text_reports.sockperf,
    "netperf": netperf.netperf,
    "neper": netperf.neper,
    "fortio": text_reports.fortio,
    "k6": text_reports.k6,
    "ghz": text_reports.ghz,
}
KNOWN = "iperf3, wrk, sockperf, netperf, neper, fortio, k6 or ghz"


def work_in(text: str) -> Work | None:
    """The work in what one of the programs above printed; None where there is none of them.
    ValueError for JSON that is none, UnusableReport for a program that failed, and for several
    programs."""
    works = {name: work for name, read in _REPORTS.items() if (work := read(text))}
    if len(works) > 1:
        several = f"reports of {listed(list(works))}"
        raise SeveralReports(several)
    # last: logs in JSON are before some reports in text
    return next(iter(works.values()), None) or json_reports.read(text)


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
    except SeveralReports as error:
        message = f"{path}: expected reports of one program that can be added up, got {error}"
        raise PerfduckError(message) from error
    except ValueError as error:
        message = f"{expected}, got JSON with {error}"
        raise PerfduckError(message) from error
    first = next(iter(text[:1000].splitlines()), "")[:60]
    is_text = not any(mark in text[:1000] for mark in ("\0", "\ufffd"))
    message = f"{expected}, got {repr(first) if is_text else 'binary data'}"
    raise PerfduckError(message)
