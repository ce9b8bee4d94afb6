"""A list of recordings with their work and labels.

    file,name,work,unit,scenario,workload,run
    native.udp64.1.txt.xz,native.udp64.1,2168120,packet,native,udp64,1

Files are looked for beside the manifest. Every column but the first four is a label.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from perfduck_ingest.ingest import Request
from perfduck_ingest.work import Work
from perfduck_store.errors import PerfduckError

_COLUMNS = ("file", "name", "work", "unit")


def requests(path: Path, template: Request) -> Iterator[Request]:
    """A request for each line, with the options and labels of the template."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: expected a manifest, got {error}"
        raise PerfduckError(message) from error
    rows = csv.DictReader(text.splitlines())
    if "file" not in (rows.fieldnames or ()):
        message = f"{path}:1: expected columns file,name,work,unit and labels, got {text[:60]!r}"
        raise PerfduckError(message)
    for row in rows:
        yield _request(path, rows.line_num, row, template)


def _request(path: Path, line: int, row: dict[str, str], template: Request) -> Request:
    if None in row or None in row.values():
        message = f"{path}:{line}: expected as many fields as columns, got another number"
        raise PerfduckError(message)
    labels = {key: value for key, value in row.items() if key not in _COLUMNS and value}
    return replace(
        template,
        source=str(path.parent / row["file"]),
        name=row.get("name") or None,
        work=_work(path, line, row) or template.work,
        labels=template.labels | labels,
    )


def _work(path: Path, line: int, row: dict[str, str]) -> Work | None:
    amount, unit = row.get("work"), row.get("unit")
    if not amount:
        return None
    try:
        return checked_work(float(amount), unit or "")
    except ValueError as error:
        message = f"{path}:{line}: expected a positive number as work and its unit, got {amount!r}"
        raise PerfduckError(message) from error


def checked_work(amount: float, unit: str) -> Work:
    """Work that is a number of something; ValueError otherwise."""
    if not (0 < amount < float("inf") and unit):
        raise ValueError(amount)
    return Work(amount, unit)
