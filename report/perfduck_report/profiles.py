"""What `perfduck profiles` prints."""

from typing import Any

from perfduck_report import tables
from perfduck_report.names import visible
from perfduck_report.numbers import cell, many, seconds
from perfduck_report.screen import PIPE, Screen

_ONLY_IF_ANY = ("lost", "skipped")
_NUMBERS = ("samples", "duration", "work", *_ONLY_IF_ANY)


def as_text(rows: tables.Answer, screen: Screen = PIPE) -> str:
    """The recordings with their main facts; every other format has all."""
    if not rows.rows():
        return "no profiles yet: perfduck ingest FILE stores one\n"
    facts = [_facts(dict(zip(rows.columns, row, strict=True))) for row in rows.rows()]
    heads = [head for head in facts[0] if head not in _ONLY_IF_ANY or any(f[head] for f in facts)]
    cells = [[visible(cell(fact[head])) for head in heads] for fact in facts]
    return tables.aligned(heads, cells, [head in _NUMBERS for head in heads], screen)


def _facts(row: dict[str, Any]) -> dict[str, object]:
    work, unit, length = row["work"], row["work_unit"], row["duration_s"]
    return {
        "name": row["name"],
        "samples": f"{row['samples']:,}",
        "events": row["events"],
        "duration": None if length is None else seconds(length),
        "work": None if work is None else many(work, unit),
        "lost": row["lost"],
        "skipped": row["skipped"],
        "labels": row["labels"],
    }
