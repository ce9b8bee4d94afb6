"""The text that opreport prints: image summary, -l, -d and -c, with any of its columns.

    CPU: Intel Architectural Perfmon, speed 2300 MHz (estimated)
    Counted CPU_CLK_UNHALTED events (Clock cycles when not halted) with a unit mask of 0x00 (No
    unit mask) count 1000000
    samples  %        image name               app name                 symbol name
    896       3.9221  kallsyms                 iperf3                   _raw_spin_unlock_irqrestore

    -------------------------------------------------------------------------------   with -c:
      3        100.000  kallsyms               nf_hook_slow                           a caller
    12       0.5454  kallsyms                  ipt_do_table                           the function
      12       92.3077  kallsyms               ipt_do_table [self]                    its callees
      1         7.6923  kallsyms               conntrack_mt_v3

An arc is twice in a call graph, with its caller and with its callee: the callees' lines are
taken. Percentages say how much a threshold cut off. Reports of a difference are refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import NoReturn

from msgspec import structs

from perfduck_ingest.importer import ImportOptions, Recording
from perfduck_ingest.oprofile.events import Counter
from perfduck_ingest.oprofile.report_columns import (
    ReportColumns,
    ReportRows,
    Row,
    guessed_columns,
    header_columns,
)
from perfduck_ingest.oprofile.report_counts import ReportCounts, facts_of
from perfduck_ingest.oprofile.report_header import ReportHeader
from perfduck_ingest.oprofile.report_summary import HEADING, Summary, is_merged
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits

NAME = "opreport-text"

_CHUNK = 1 << 20
_SEPARATOR = "-" * 79
_SELF = " [self]"
_FEW = 3  # lines that need no --lenient: a prompt, an `echo` of the script
_MOST_SKIPPED = 0.01
_MOST_BYTES = 1 << 40  # of a function
_MOST_SHARE = 150.0  # images add up to 100 % once more
_GUESS_FROM = 200  # rows that the columns of a table without header are guessed from
_HEADERLESS = re.compile(
    r"(?:[0-9a-f]{8}(?:[0-9a-f]{8})?\s+)?\d+\s+(?:\d+\s+)?(?:\d+\.\d{3,4}|\d\.\de-\d\d|0)(?:\s.*)?"
)
_CPU = re.compile(r"CPU: .+")
_COUNTED = re.compile(r"Counted \S+ events .*count \d+|Profiling through timer interrupt")


def open(source: Source) -> Recording | None:
    """The report, if the text has a header or a table of opreport's, or begins with rows of one."""
    return Recording(NAME, partial(read, source)) if _is_report(source) else None


def _is_report(source: Source) -> bool:
    if source.is_directory or b"\0" in source.head:
        return False
    lines = source.head.decode("utf-8", "replace").splitlines()[:2000]
    if any(header_columns(line) or HEADING.fullmatch(line) for line in lines):
        return True
    if any(_CPU.fullmatch(line) for line in lines) and any(
        _COUNTED.fullmatch(line) for line in lines
    ):
        return True
    return _is_headerless(lines[:-1] if len(lines) > 1 else lines)


def _is_headerless(lines: list[str]) -> bool:
    header = ReportHeader()
    others = (line for line in lines if line != _SEPARATOR and not header.take(line))
    rows = list(islice(others, 50))
    if header.error is not None and not rows:
        return True
    return bool(rows) and all(_HEADERLESS.match(line.strip()) for line in rows)


def read(source: Source, options: ImportOptions) -> Iterator[Batch]:
    """The whole report in one batch: it is as long as the program has functions."""
    report = _Report(source.name)
    for number, line in _lines(source):
        report.take(number, line)
    yield report.batch(lenient=options.lenient)


def _lines(source: Source) -> Iterator[tuple[int, str]]:
    """The lines by their numbers; of a chunk of line ends alone, which may be gigabytes, one."""
    rest = b""
    number = rows = 0
    for chunk in source.chunks(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        if whole and not any(whole):
            number += len(whole) - 1
            whole = whole[:1]
        for line in whole:
            number += 1
            yield number, _text(line)
        rows += len(whole)
        if rows > limits.most_rows:
            raise PerfduckError.at(
                source.name, expected=f"a report of at most {limits.most_rows:,} lines", got="more"
            )
        if len(rest) > limits.longest_line:
            raise PerfduckError.at(
                where=f"{source.name}:{number + 1}",
                expected="opreport's text",
                got=f"a line of over {limits.longest_line >> 20} MB",
            )
    if rest:
        yield number + 1, _text(rest)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


@dataclass(slots=True)
class _Group:
    """A function and the lines that belong to it: details, or callees."""

    row: Row
    below: list[Row] = field(default_factory=list)


class _Report:
    """Takes a report line by line."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._header = ReportHeader()
        self._tally = ReportCounts()
        self._rows: ReportRows | None = None
        self._summary: Summary | None = None
        self._is_callgraph = False
        self._group: _Group | None = None
        self._is_lost = False  # the function of the lines below was not understood
        self._waiting: list[tuple[int, str]] = []  # lines before the shape of the table is known
        self._last = (0, "")

    def take(self, number: int, line: str) -> None:
        """Take in one line."""
        self._last = (number, line)
        if self._rows is None and self._summary is None:
            self._take_before(number, line)
        elif not self._take_row(line) and not self._header.take(line):
            self._skip(number, line, "not a row of the report")
            self._lose_group(line)

    def _skip(self, number: int, line: str, reason: str) -> None:
        self._tally.skipped.append((number, line[:1000], reason))

    def _take_before(self, number: int, line: str) -> None:
        """A line before the table: the header's, the heading of a table, or a row without one."""
        if header := header_columns(line):
            columns, is_difference = header
            if is_difference:
                raise PerfduckError.at(
                    where=f"{self._name}:{number}",
                    expected="the report of one profile",
                    got=(
                        "a differential report (diff %): ingest the two sides and use "
                        "`perfduck diff`"
                    ),
                )
            self._rows = ReportRows(columns)
            self._skip_waiting()
        elif HEADING.fullmatch(line):
            self._summary = Summary()
            self._summary.take(line, self._tally)
            self._skip_waiting()
        elif line == _SEPARATOR:
            self._is_callgraph = True
            self._waiting += [(number, line)] if self._waiting else []
        elif not self._header.take(line):
            self._waiting.append((number, line))
            if len(self._waiting) >= _GUESS_FROM:
                self._guess()

    def _skip_waiting(self) -> None:
        for number, line in self._waiting:
            self._skip(number, line, "before the table")
        self._waiting = []

    def _guess(self) -> None:
        """Find the shape of a table without header (-n) from its first rows."""
        waiting, self._waiting = self._waiting, []
        columns = guessed_columns([line for _, line in waiting])
        if waiting[0][1].startswith((" ", "\t")) and not self._is_callgraph:
            self._summary = Summary()
        elif columns is not None:
            self._rows = ReportRows(columns)
        else:
            self._refuse(*waiting[0])
        for number, line in waiting:
            self.take(number, line)

    def _take_row(self, line: str) -> bool:
        if self._summary is not None:
            return self._summary.take(line, self._tally)
        if line == _SEPARATOR:
            self._is_callgraph = True
            self._close_group()
            return True
        return self._take_indented(line) if line.startswith("  ") else self._take_function(line)

    def _lose_group(self, line: str) -> None:
        """Lines below a function that was not understood are not those of the one before it."""
        if not line.startswith("  "):
            self._close_group()
            self._is_lost = True

    def _take_function(self, line: str) -> bool:
        row = self._rows.parse(line) if self._rows else None
        if row is None:
            return False
        self._close_group()
        self._group = _Group(row)
        self._tally.share(row.percents)
        return True

    def _take_indented(self, line: str) -> bool:
        """A caller or callee, or a place in a function. Callers stand before their function."""
        if self._rows is None or self._is_lost:
            return False
        parse = self._rows.parse if self._is_callgraph else self._rows.parse_detail
        row = parse(line[2:])
        if row is not None and self._group is not None:
            self._group.below.append(row)
        return row is not None and (self._group is not None or self._is_callgraph)

    def _close_group(self) -> None:
        group, self._group, self._is_lost = self._group, None, False
        if group is not None and self._is_callgraph:
            self._count_calls(group)
        elif group is not None:
            self._count_details(group)

    def _count_details(self, group: _Group) -> None:
        """The samples are those of the function's row; details say where in it they are."""
        row = group.row
        self._count(row, row.counts)
        image, app = self._places(row)
        for detail in group.below:
            offset = (detail.vma or 0) - (row.vma or 0)
            if 0 <= offset < _MOST_BYTES:
                self._tally.detail(
                    detail.counts, image=image, app=app, symbol=row.symbol, offset=offset
                )

    def _count(self, row: Row, counts: tuple[int, ...]) -> None:
        image, app = self._places(row)
        self._tally.hit(counts, image=image, app=app, symbol=row.symbol)

    def _count_calls(self, group: _Group) -> None:
        row = group.row
        self._count(row, row.counts)
        image, app = self._places(row)
        for callee in group.below:
            if not callee.symbol.endswith(_SELF):
                to = (self._places(callee)[0], callee.symbol)
                self._tally.arc(callee.counts, image=image, app=app, symbol=row.symbol, to=to)

    def _places(self, row: Row) -> tuple[str, str]:
        """Image and application. Where only one application was hit, the column that would be
        equal in all rows is left out."""
        names = self._rows.columns.names if self._rows else ()
        if "image" in names:
            return row.image, row.app
        return row.app, row.app

    def batch(self, *, lenient: bool) -> Batch:
        """What was taken in; refused, if not `lenient`, where much was not understood."""
        if self._waiting:
            self._guess()
        self._close_group()
        if self._summary is not None:
            self._summary.finish(self._tally)
        self._check_table()
        self._check_shares()
        if not lenient:
            self._check_skipped()
        self._drop_merged_apps()
        columns = self._columns()
        facts = structs.replace(facts_of(columns), raw_samples=self._tally.raw_samples())
        return self._tally.batch(self._name, columns, self._header.axis, facts)

    def _check_skipped(self) -> None:
        skipped, lines = len(self._tally.skipped), self._last[0]
        if skipped > max(_FEW, _MOST_SKIPPED * lines):
            number = self._tally.skipped[0][0]
            message = (
                f"{self._name}:{number}: expected opreport's text, but {skipped} of {lines} lines"
                f" could not be parsed{' (--lenient keeps the rest)' * (skipped * 2 < lines)}"
            )
            raise PerfduckError(message)

    def _check_table(self) -> None:
        if self._rows is None and self._summary is None:
            self._refuse(*self._last)

    def _check_shares(self) -> None:
        """Rows that are counted twice: images whose indentation was lost, two reports in a file."""
        share = max(self._tally.shares.values(), default=0.0)
        if share > _MOST_SHARE:
            raise PerfduckError.at(
                where=f"{self._name}:{self._last[0]}",
                expected="one report, whose rows add up to 100 %",
                got=(
                    f"{share:.0f} %: two reports, or a summary that lost its indentation? "
                    "Save each with `opreport ... > FILE`"
                ),
            )

    def _refuse(self, number: int, line: str) -> NoReturn:
        got = self._header.error or line[:80]
        raise PerfduckError.at(
            where=f"{self._name}:{max(number, 1)}", expected="a table of opreport", got=f"{got!r}"
        )

    def _drop_merged_apps(self) -> None:
        """With --merge=lib the column `app name` holds images: those of the image column where
        there is one. An application that is a library has rows of other images, too."""
        places = {(image, app) for _, image, app, *_ in self._tally.hits}
        if all(image == app for image, app in places) and is_merged([app for _, app in places]):
            self._tally.drop_apps()

    def _columns(self) -> list[tuple[Counter, int | None]]:
        classes = self._summary.classes if self._summary else self._table().classes
        try:
            return self._header.columns(max(classes, 1))
        except ValueError as error:
            message = f"{self._name}:{self._last[0]}: expected {error}"
            raise PerfduckError(message) from error

    def _table(self) -> ReportColumns:
        return self._rows.columns if self._rows else ReportColumns(False, 1, False, ())
