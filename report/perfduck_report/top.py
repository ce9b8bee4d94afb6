"""What `perfduck top SELECTOR [FUNCTION --by callers|callees]` prints."""

import polars as pl

from perfduck_diff.calls import Calls
from perfduck_diff.top import Top
from perfduck_model.words import noun
from perfduck_report import tables
from perfduck_report.diff_words import run_facts
from perfduck_report.names import markdown_text, visible
from perfduck_report.numbers import UnitScale, amount, scale
from perfduck_report.screen import PIPE, Screen, flow, sentence

LIMIT = "--limit N shows more"
_AMOUNTS = ("self", "total", "blamed")
_RANKED_BY_BLAME = ("subsystem", "program", "pod")


def report(top: Top, format: str, screen: Screen = PIPE) -> str:
    """The ranking; as text and markdown with a heading that says what the numbers are. Core PMUs of
    a hybrid CPU come one after the other."""
    if format not in ("text", "markdown"):
        return tables.FORMATS[format](top.all_rows, screen)
    return "\n".join(_of_one_pmu(each, format, screen) for each in (top, *top.other_pmus))


def _of_one_pmu(top: Top, format: str, screen: Screen) -> str:
    by = scale(top.unit, top.total)
    rows = _known(titled(in_unit(top.rows, by)))
    lines = heading(top, by)
    more = tables.left_out(len(rows), top.row_count, LIMIT)
    if format == "markdown":
        gap = "\n" if more else ""
        shown = "  \n".join(markdown_text(line) for line in lines)
        return f"{shown}\n\n{tables.markdown(rows)}{gap}{more}"
    shown = "".join(f"{part}\n" for line in lines for part in sentence(line, screen.prose, "  "))
    is_paths = "path" in rows.columns
    body = _paths(rows, by.unit, screen) if is_paths else tables.text(rows, screen)
    gap = "\n" if more and is_paths else ""
    return f"{shown}\n{body}{gap}{more}"


def _known(rows: pl.DataFrame) -> pl.DataFrame:
    """Without containers where none has a name."""
    is_empty = "containers" in rows.columns and rows["containers"].is_null().all()
    return rows.drop("containers") if is_empty else rows


def in_unit(rows: pl.DataFrame, by: UnitScale) -> pl.DataFrame:
    """Amounts in the unit of the heading."""
    amounts = [name for name in _AMOUNTS if name in rows.columns]
    return rows.with_columns(*(pl.col(name) * by.factor for name in amounts))


def titled(rows: pl.DataFrame) -> pl.DataFrame:
    """With a heading that says what the share of a row is of."""
    return rows.rename({"share": f"{share_of(rows)} %"})


def share_of(rows: pl.DataFrame) -> str:
    """What the share of a row is a part of: all calls, or what all rows are blamed for or have of
    their own."""
    if "blamed" not in rows.columns:
        return "calls"
    return "blamed" if rows.columns[0] in _RANKED_BY_BLAME else "self"


def heading(top: Top, by: UnitScale) -> list[str]:
    """Profiles, event, total and idle; what the runs are; what is missing or unsure."""
    runs = top.profiles[0] if len(top.profiles) == 1 else f"{len(top.profiles)} profiles"
    total = f"{amount(top.total * by.factor)} {noun(by.unit, top.total)}"
    lines = [
        f"{runs}: {top.event}, {total} in all (idle left out: {amount(top.idle * by.factor)})",
        run_facts(top.facts, top.unit.partition("/")[2]),
        *(
            f"{each.name} lists {each.listed:,} of {each.raw:,} samples: the rest is in no row"
            for each in top.partial
        ),
        *(note.text for note in top.notes),
        *top.provenance,
    ]
    return [visible(line) for line in lines]


def _paths(rows: pl.DataFrame, unit: str, screen: Screen) -> str:
    """Weight and subsystem in a line, the call chain below it: in a pipe in one line."""
    width = screen.width or 10**9
    meaning = f"(self: {visible(unit)} in exactly this call chain)"
    lines = [f"{'self':>8}  {'self %':>7}  subsystem  {meaning}"]
    for row in rows.iter_rows(named=True):
        names = [visible(name) for name in row["path"].split(";")]
        share = f"{amount(row['self %'])} %"
        lines.append(f"{amount(row['self']):>8}  {share:>7}  {visible(row['subsystem'])}")
        indent = " " * 10
        lines += [*flow(names, width, separator=" > ", first=indent, rest=indent), ""]
    return "".join(f"{line}\n" for line in lines[:-1])


def calls_report(calls: Calls, format: str, screen: Screen = PIPE) -> str:
    """The callers or callees; as text and markdown with a heading."""
    if format not in ("text", "markdown"):
        return tables.FORMATS[format](calls.rows, screen)
    words = visible if format == "text" else markdown_text
    runs = calls.profiles[0] if len(calls.profiles) == 1 else f"{len(calls.profiles)} profiles"
    by = scale(calls.unit, calls.rows["total"].max() or 0.0)  # type: ignore[arg-type]
    heading = words(f"{runs}: {calls.event}, {by.unit}, {calls.side} of {calls.function}")
    lines = (run_facts(calls.facts, calls.unit.partition("/")[2]), *(n.text for n in calls.notes))
    facts = ("\n" if format == "text" else "  \n").join(words(line) for line in lines)
    if calls.rows.is_empty():
        return f"{heading}: none recorded\n{facts}\n"
    rows = titled(in_unit(calls.rows, by))
    gap = "  " if format == "markdown" else ""
    more = tables.left_out(len(rows), calls.row_count, LIMIT)
    more = f"\n{more}" if more and format == "markdown" else more
    return f"{heading}{gap}\n{facts}\n\n{tables.FORMATS[format](rows, screen)}{more}"
