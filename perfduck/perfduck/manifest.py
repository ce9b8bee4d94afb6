"""A list of recordings with their work and labels.

    file,name,work,unit,scenario,workload,run
    native.udp64.1.txt.xz,native.udp64.1,2168120,packet,native,udp64,1

    file,work_from,attach.iptables,scenario
    run1.data,run1.json,run1.rules,native

Files are looked for beside the manifest, or where that is a pipe, in the current directory.
`work_from` is a load generator's report or netdev:eth0:rx_packets:BEFORE:AFTER, a counter between
two files; `attach.KIND` a file to keep with the recording, `kernel` the release that ran. Every
other column is a label, `label.NAME` is one of any name, and an empty field says nothing.
"""

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from perfduck.attachments import Attachment, is_kind
from perfduck.attachments import read as read_attachment
from perfduck.ingestion import IngestRequest
from perfduck_ingest.counters import is_counter, work_between
from perfduck_ingest.kernel_release import checked_release
from perfduck_ingest.labels import ATTACH, LABEL, RESERVED, checked, checked_name, checked_value
from perfduck_ingest.work import AN_AMOUNT, Work, is_amount, work_from
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits
from perfduck_model.small_file import reason, text_of
from perfduck_model.words import did_you_mean, number

_T = TypeVar("_T")
_COLUMNS = "columns file,name,work,unit,work_from,kernel,attach.KIND and labels"
# Closer than for a mistyped word: `workload` is no `work`.
_MISTYPED = 0.75
# What load generators count, and users of others.
_UNITS = ("byte", "packet", "request", "message", "transaction", "iteration", "connection")
_NEARLY = 0.8  # packte and packtes are .83 and .86, operation .78 of iteration


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a manifest; `fields`: by column, those that say something."""

    manifest: Path
    line: int
    fields: dict[str, str]

    def wrong(self, *, expected: str, got: str) -> PerfduckError:
        return PerfduckError(f"{self.manifest}:{self.line}: expected {expected}, got {got}")

    @property
    def folder(self) -> Path:
        """Where files are looked for."""
        return Path() if self.manifest.is_fifo() else self.manifest.parent

    def path(self, column: str) -> Path:
        """The file that a column names."""
        path = self.folder / self.fields[column]
        if not os.path.lexists(path):
            raise self.wrong(expected=f"a file in column {column}", got=f"no such file: {path}")
        return path


def requests(manifest: Path, template: IngestRequest) -> list[IngestRequest]:
    """A request for each line, with the options and labels of the template. PerfduckError for the
    first line that is not right, so that nothing of the manifest is stored."""
    reader = csv.DictReader(io.StringIO(_text(manifest), newline=""))
    try:
        columns = list(reader.fieldnames or ())
        _check(manifest, columns)
        rows = list(_rows(manifest, reader))
    except csv.Error as error:
        message = f"{manifest}:{reader.line_num}: expected CSV, got: {error}"
        raise PerfduckError(message) from error
    if not rows:
        raise PerfduckError.at(
            where=f"{manifest}:2", expected="a recording on each line", got="no lines"
        )
    for column in ("file", "name"):
        _refuse_twice(rows, column)
    return [_request(row, template) for row in rows]


def _text(manifest: Path) -> str:
    try:
        # Spreadsheets write a byte order mark.
        return text_of(manifest, most_lines=limits.most_manifest_lines, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PerfduckError.at(manifest, expected="a manifest", got=reason(error)) from error


def _is_label(column: str) -> bool:
    return column not in RESERVED and not column.startswith(ATTACH)


def _label(column: str) -> str:
    """The key of a column that is a label."""
    return column.removeprefix(LABEL)


def _refuse_mistyped(manifest: Path, column: str) -> None:
    """`wrok` and `lable.run` are no labels that anyone means."""
    if column.startswith(LABEL):
        return
    first, dot, rest = column.lower().partition(".")
    columns = [ATTACH, LABEL] if dot else RESERVED
    if meant := did_you_mean(first + dot, columns, cutoff=_MISTYPED):
        meant = meant.replace("? ", f"{rest}? ")
        got = f"{column} ({meant}a label of that name is {LABEL}{column})"
        raise PerfduckError.at(where=f"{manifest}:1", expected=_COLUMNS, got=got)


def _check(manifest: Path, columns: list[str]) -> None:
    if "file" not in columns:
        raise PerfduckError.at(
            where=f"{manifest}:1", expected=_COLUMNS, got=f"{','.join(columns)[:60]!r}"
        )
    for place, column in enumerate(columns):
        if not _label(column) or _label(column) in map(_label, columns[:place]):
            got = f"{_label(column)} twice" if _label(column) else f"no name of column {place + 1}"
            raise PerfduckError.at(
                where=f"{manifest}:1", expected="a name for every column and no two alike", got=got
            )
        if _is_label(column):
            checked(_label(column), f"{manifest}:1")
            _refuse_mistyped(manifest, column)
        elif column.startswith(ATTACH) and not is_kind(column.removeprefix(ATTACH)):
            raise PerfduckError.at(
                where=f"{manifest}:1", expected="a kind of file as in attach.iptables", got=column
            )


def _rows(manifest: Path, reader: "csv.DictReader[str]") -> Iterator[_Row]:
    for fields in reader:
        row = _Row(manifest, reader.line_num, {k: v for k, v in fields.items() if v})
        if None in fields or None in fields.values():
            raise row.wrong(expected="as many fields as columns", got="another number")
        if "file" not in row.fields:
            raise row.wrong(expected="a file", got="an empty field")
        yield row


def _refuse_twice(rows: list[_Row], column: str) -> None:
    lines: dict[str, int] = {}
    for row in rows:
        value = row.fields.get(column)
        if value and lines.setdefault(value, row.line) != row.line:
            raise row.wrong(
                expected=f"another {column} in each line", got=f"{value} as in line {lines[value]}"
            )


def _request(row: _Row, template: IngestRequest) -> IngestRequest:
    return replace(
        template,
        source=str(row.path("file")),
        name=_name(row),
        work=_agreed(row, "--work", _work(row), template.work),
        kernel=_agreed(row, "--kernel", _kernel(row), template.kernel),
        labels=_labels(row, template.labels),
        attachments=(*template.attachments, *_attachments(row)),
    )


def _agreed(row: _Row, option: str, own: _T | None, of_option: _T | None) -> _T | None:
    """What the line says, else the option; one must not overrule the other."""
    if own is not None and of_option is not None and own != of_option:
        raise row.wrong(expected=f"{of_option} as {option} says", got=str(own))
    return of_option if own is None else own


def _name(row: _Row) -> str | None:
    name = row.fields.get("name")
    return None if name is None else checked_name(name, f"{row.manifest}:{row.line}")


def _kernel(row: _Row) -> str | None:
    release = row.fields.get("kernel")
    return None if release is None else checked_release(release, f"{row.manifest}:{row.line}")


def _labels(row: _Row, labels: dict[str, str]) -> dict[str, str]:
    own = {_label(key): value for key, value in row.fields.items() if _is_label(key)}
    for key, value in own.items():
        checked_value(value, f"{row.manifest}:{row.line}")
        if labels.get(key, value) != value:
            raise row.wrong(expected=f"{key}={labels[key]} as --label says", got=value)
    return labels | own


def _attachments(row: _Row) -> Iterator[Attachment]:
    for column in row.fields:
        if column.startswith(ATTACH):
            yield read_attachment(f"{column.removeprefix(ATTACH)}={row.path(column)}")


def _work(row: _Row) -> Work | None:
    amount, unit = row.fields.get("work"), row.fields.get("unit")
    if "work_from" in row.fields:
        if amount or unit:
            raise row.wrong(expected="work or work_from", got="both")
        if is_counter(row.fields["work_from"]):
            return work_between(row.fields["work_from"], row.folder)
        return work_from(row.path("work_from"))
    if not amount:
        if unit:
            raise row.wrong(
                expected=f"work in column work, counted in {unit}", got="an empty field"
            )
        return None
    try:
        return checked_work(number(amount), unit or "")
    except ValueError as error:
        raise row.wrong(expected=f"{AN_AMOUNT}, as work and its unit", got=repr(amount)) from error


def checked_work(amount: float, unit: str | None) -> Work:
    """Work that can be, of something; ValueError otherwise. PerfduckError for a unit that cannot be
    shown in a line, and for a usual unit with a letter wrong: it would never be compared with runs
    of that unit."""
    if not is_amount(amount) or unit == "":
        raise ValueError(amount)
    if unit and not unit.isprintable():
        raise PerfduckError.at(where="unit", expected="printable characters", got=f"{unit!r}")
    if unit and (meant := _mistyped(unit)):
        message = f"unit {unit}: {meant}(any other word is a unit of its own)"
        raise PerfduckError(message)
    return Work(amount, unit)


def _mistyped(unit: str) -> str:
    """Which usual unit is meant, as a question. kbytes and bytes/s are others."""
    usual = (*_UNITS, *(f"{each}s" for each in _UNITS))
    alike = [each for each in usual if each[0] == unit[0].lower()]
    if unit in usual or not unit.isalpha():
        return ""
    return did_you_mean(unit.lower(), alike, _NEARLY)
