"""Rows as a table of HTML for a notebook: no style sheet, no script, every name escaped."""

from collections.abc import Sequence
from html import escape

from perfduck_report.names import visible
from perfduck_report.numbers import cell, many
from perfduck_report.tables import Answer, numeric_columns

_MOST = 200  # rows that are shown


def table(answer: Answer, most: int = _MOST) -> str:
    """The first rows, and how many more there are."""
    rows, numbers = answer.rows(), numeric_columns(answer)
    head = _row("th", answer.columns, numbers)
    body = "".join(_row("td", [cell(value) for value in row], numbers) for row in rows[:most])
    rest = len(rows) - most
    more = note(f"{many(rest, 'row')} more" if rest > 0 else "")
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{more}"


def note(line: str) -> str:
    """A paragraph beside a table; nothing where there is nothing to say."""
    return f"<p>{escape(visible(line))}</p>" if line else ""


def paragraphs(lines: Sequence[str]) -> str:
    """A paragraph each; the first is bold."""
    shown = [escape(visible(line)) for line in lines]
    bold = [f"<b>{line}</b>" if number == 0 else line for number, line in enumerate(shown)]
    return "".join(f"<p>{line}</p>" for line in bold)


def _row(tag: str, cells: Sequence[str], numbers: Sequence[bool]) -> str:
    aligned = zip(cells, numbers, strict=True)
    return f"<tr>{''.join(_cell(tag, text, is_number) for text, is_number in aligned)}</tr>"


def _cell(tag: str, text: str, is_number: bool) -> str:
    side = "right" if is_number else "left"
    return f'<{tag} style="text-align:{side};padding:0 .5em">{escape(visible(text))}</{tag}>'
