"""A diff for a pull request's comment or a step summary: short, with the long part folded."""

from collections.abc import Iterable

from perfduck_diff.result import Claim, Diff
from perfduck_report.diff_words import (
    chance,
    heading,
    interval,
    label,
    percent,
    reason,
    signed,
    verdict,
)  # fmt: skip
from perfduck_report.numbers import amount

_SIGNS = {"pass": "✅", "regression": "❌", "inconclusive": "❔"}
ROWS = 12


def report(diff: Diff) -> str:
    """Verdict, budgets, claims; subsystems behind a fold."""
    parts = [
        f"### {_SIGNS[diff.verdict]} perfduck: {_plain(verdict(diff))}\n",
        f"{_plain(heading(diff))}\n",
        "".join(f"- {_plain(reason(entry))}\n" for entry in diff.reasons),
        _budgets(diff),
        _claims("Grew", diff.claims),
        _claims("Shrank", diff.shrunk),
        _rest(diff),
        _folded("By subsystem", _subsystems(diff)),
        "".join(f"- {_plain(line)}\n" for line in diff.context),
    ]
    return "\n".join(part for part in parts if part)


def _plain(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*").replace("_", r"\_")


def _code(text: str) -> str:
    return f"`{text.replace('|', '¦')}`"


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(columns)
    rule = ["---" if position == 0 else "---:" for position in range(len(names))]
    return "".join(f"| {' | '.join(row)} |\n" for row in [names, rule, *rows])


def _claims(title: str, claims: tuple[Claim, ...]) -> str:
    if not claims:
        return ""
    rows = [
        [
            _code(" > ".join(claim.path[-3:])), claim.subsystem, amount(claim.base),
            amount(claim.new), f"**{signed(claim.delta)}**", interval(claim), chance(claim.q),
            label(claim),
        ]
        for claim in claims[:ROWS]
    ]  # fmt: skip
    return _table([title, "subsystem", "base", "new", "delta", "95 %", "q", ""], rows)


def _rest(diff: Diff) -> str:
    total, rest = diff.total, diff.unattributed
    return (
        f"Total {amount(total.base)} → {amount(total.new)} {diff.unit} ({percent(total)}), of which"
        f" unattributed {signed(rest.delta)} ({interval(rest)}).\n"
    )


def _subsystems(diff: Diff) -> str:
    rows = sorted(diff.subsystems, key=lambda row: (-abs(row.delta), row.subsystem))[:ROWS]
    return _table(
        ["subsystem", "base", "new", "delta", "95 %", "q"],
        [
            [_plain(row.subsystem), amount(row.base), amount(row.new), signed(row.delta),
             interval(row), chance(row.q)]
            for row in rows
        ],
    )  # fmt: skip


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>\n"


def _budgets(diff: Diff) -> str:
    if not diff.budgets:
        return ""
    rows = [
        [_SIGNS[row.verdict], _plain(row.name), signed(row.limit), signed(row.delta), interval(row)]
        for row in diff.budgets
    ]
    return _table(["", "budget", "limit", "delta", "90 %"], rows)
