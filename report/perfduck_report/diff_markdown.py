"""A diff for a pull request's comment or a step summary: short, with the long part folded."""

from collections.abc import Callable, Sequence
from functools import partial

from perfduck_diff.engine.dimensions import DIMENSIONS, SPLITS
from perfduck_diff.engine.result import Claim, Diff
from perfduck_diff.keys import MatrixKey, View
from perfduck_report import diff_words as words
from perfduck_report import readable
from perfduck_report.names import markdown_code as _code
from perfduck_report.names import markdown_text as _plain
from perfduck_report.numbers import amount
from perfduck_report.screen import PIPE, Screen
from perfduck_report.tables import left_out, markdown_rows

_SIGNS = {"pass": "✅", "regression": "❌", "inconclusive": "❔"}
ROWS = 12
_FRAMES = 3  # of a path, at its end


def report(diff: Diff, by: View | None = None, _: Screen = PIPE) -> str:
    """Verdict, budgets, claims; tables behind a fold, which is open where one was asked for."""
    diff = readable.diff(diff)
    has_claims = by in (None, "path")
    parts = [
        f"### {_SIGNS[diff.verdict]} perfduck: {_plain(words.verdict(diff))}\n",
        f"{_plain(words.heading(diff))}\n",
        "".join(f"- {_plain(words.reason(entry))}\n" for entry in words.other_reasons(diff)),
        "".join(f"- {_plain(line)}\n" for line in words.summary(diff)),
        _budgets(diff),
        _claims("Grew", diff.claims) if has_claims else "",
        _claims("Shrank", diff.shrunk) if has_claims else "",
        _moves(diff) if has_claims else "",
        _rest(diff),
        *(
            _folded(f"By {view}", table(diff), is_open=by == view)
            for view, table in _TABLES.items()
            if by == view or (by is None and _is_worth_a_table(diff, view))
        ),
        "".join(f"- {_plain(line)}\n" for line in diff.context),
        *(report(each, by) for each in diff.other_pmus),
    ]
    return "\n".join(part for part in parts if part)


def _is_worth_a_table(diff: Diff, view: View) -> bool:
    """Whether a dimension has more than one row, as programs of eBPF often have not."""
    return view not in SPLITS or len(diff.split(view)) > 1


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---" if position == 0 else "---:" for position in range(len(columns))]
    return markdown_rows([columns, rule, *rows])


def _claims(title: str, claims: tuple[Claim, ...]) -> str:
    if not claims:
        return ""
    rows = [
        [
            _code(_end(claim.path)), _plain(claim.subsystem), amount(claim.base),
            amount(claim.new), f"**{words.signed(claim.delta)}**", words.interval(claim),
            words.chance(claim.q), words.label(claim),
        ]
        for claim in claims[:ROWS]
    ]  # fmt: skip
    heads = [title, "subsystem", "base", "new", "delta", "95 %", "q", ""]
    return _table(heads, rows) + _left_out(len(rows), len(claims))


def _end(path: tuple[str, ...]) -> str:
    return " > ".join(["..."] * (len(path) > _FRAMES) + list(path[-_FRAMES:]))


def _moves(diff: Diff) -> str:
    if not diff.moves:
        return ""
    lines = "".join(f"- {_plain(words.moved(move))}\n" for move in diff.moves[:ROWS])
    more = len(diff.moves) - ROWS
    return f"Moved, which is no growth:\n\n{lines}{f'- and {more} smaller' if more > 0 else ''}\n"


def _rest(diff: Diff) -> str:
    total, rest, unit = diff.total, diff.unattributed, _plain(diff.unit)
    text = (
        f"Total {amount(total.base)} → {amount(total.new)} {unit} ({words.percent(total)}), of"
        f" which unattributed {words.signed(rest.delta)} ({words.interval(rest)}).\n"
    )
    rows = [[name, _plain(base), _plain(new)] for name, base, new in words.runs(diff)]
    return f"{text}\n{_table(['', 'base', 'new'], rows)}"


def _dimension(by: MatrixKey, diff: Diff) -> str:
    rows = words.dimension(diff, by)
    shown = sorted(rows, key=lambda row: (-abs(row[1].delta), row[0]))[:ROWS]
    name = _code if by in ("program", "traversal") else _plain
    return _table(
        [f"{by} ({DIMENSIONS[by].weight})", "base", "new", "delta", "95 %", "q"],
        [
            [name(value), amount(row.base), amount(row.new), words.signed(row.delta),
             words.interval(row), words.chance(row.q)]
            for value, row in shown
        ],
    ) + _left_out(len(shown), len(rows))  # fmt: skip


def _functions(diff: Diff) -> str:
    rows = sorted(diff.functions, key=lambda row: (-abs(row.delta), row.function, row.dso))[:ROWS]
    return _table(
        ["function (self)", "subsystem", "base", "new", "delta", "95 %"],
        [
            [_code(row.function), _plain(row.subsystem), amount(row.base), amount(row.new),
             words.signed(row.delta), words.interval(row)]
            for row in rows
        ],
    ) + _left_out(len(rows), diff.function_count, words.functions_in_json(diff))  # fmt: skip


def _left_out(shown: int, there_are: int, how: str = "--format json has all") -> str:
    """A paragraph of its own: a line right below a table would be a row of it."""
    line = left_out(shown, there_are, how)
    return f"\n{line}" if line else ""


def _folded(title: str, body: str, *, is_open: bool) -> str:
    start = "<details open>" if is_open else "<details>"
    return f"{start}<summary>{title}</summary>\n\n{body}\n</details>\n"


def _budgets(diff: Diff) -> str:
    if not diff.budgets:
        return ""
    rows = [
        [
            _SIGNS[row.verdict],
            _plain(row.name),
            words.signed(row.limit),
            words.signed(row.delta),
            words.interval(row),
        ]
        for row in diff.budgets
    ]
    return _table(["", "budget", "limit", "delta", "90 %"], rows)


_TABLES: dict[View, Callable[[Diff], str]] = {
    **{by: partial(_dimension, by) for by in DIMENSIONS},
    "function": _functions,
}
