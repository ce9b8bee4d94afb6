"""A diff as text of 100 columns."""

import textwrap
from collections.abc import Callable

from rich import box
from rich.table import Table

from perfduck_diff.keys import View
from perfduck_diff.result import Change, Child, Claim, Diff
from perfduck_report import diff_words as words
from perfduck_report.numbers import amount
from perfduck_report.tables import WIDTH, rendered

ROWS = 15  # subsystems, functions
_COLOURS = {"pass": 32, "regression": 31, "inconclusive": 33}


def report(diff: Diff, by: View | None = None, *, colour: bool = False) -> str:
    """The whole answer, or one view of it; colour for terminals."""
    parts = [
        f"{words.heading(diff)}\n{_coloured(words.verdict(diff), diff.verdict, colour=colour)}\n",
        "".join(f"  {words.reason(entry)}\n" for entry in diff.reasons),
        _budgets(diff),
        _totals(diff),
        *(view(diff) for name, view in _VIEWS.items() if by in (None, name)),
        "".join(f"{line}\n" for line in diff.context),
    ]
    return "\n".join(part for part in parts if part)


def _coloured(text: str, kind: str, *, colour: bool) -> str:
    first, colon, rest = text.partition(":")
    return f"\x1b[1;{_COLOURS[kind]}m{first}\x1b[0m{colon}{rest}" if colour else text


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for position, name in enumerate(columns):
        table.add_column(name, justify="left" if position == 0 else "right", no_wrap=True)
    return table


def _totals(diff: Diff) -> str:
    table = _table("", "base", "new", "delta", "", "95 % interval", "p")
    _add(table, "total", diff.total)
    _add(table, "  claimed", _sum((*diff.claims, *diff.shrunk)))
    _add(table, "  unattributed", diff.unattributed)
    table.add_row("idle (left out)", amount(diff.base.idle), amount(diff.new.idle))
    spread = [
        f"{side.spread:.1%}" if side.spread is not None else "" for side in (diff.base, diff.new)
    ]
    table.add_row("spread of the runs", *spread)
    return rendered(table)


def _sum(claims: tuple[Claim, ...]) -> Change:
    return Change(
        base=sum(claim.base for claim in claims),
        new=sum(claim.new for claim in claims),
        delta=sum(claim.delta for claim in claims),
    )


def _add(table: Table, name: str, change: Change) -> None:
    table.add_row(
        name,
        amount(change.base),
        amount(change.new),
        words.signed(change.delta),
        words.percent(change),
        words.interval(change),
        words.chance(change.p),
    )


def _paths(diff: Diff) -> str:
    parts = [
        _claims(f"Grew ({diff.tested} paths tested)", diff.claims),
        _claims("Shrank", diff.shrunk),
        _below(diff),
    ]
    return "\n".join(part for part in parts if part)


def _claims(title: str, claims: tuple[Claim, ...]) -> str:
    if not claims:
        return f"{title}: nothing\n" if title.startswith("Grew") else ""
    return f"{title}\n\n" + "\n".join(_claim(claim) for claim in claims)


def _claim(claim: Claim) -> str:
    sure = f"({words.interval(claim)})  q {words.chance(claim.q)}"
    name = f"{claim.function} [{claim.subsystem}]"
    lines = [
        f"{claim.rank:3}  {words.signed(claim.delta):>8}  {name}  {words.label(claim)}",
        f"{'':15}{amount(claim.base)} -> {amount(claim.new)}  {sure}",
        *_wrapped(" > ".join(claim.path)),
        *_carried("callees", claim.children),
        *_carried("charged", claim.parts if len(claim.parts) > 1 else ()),
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * 15 + first,
        subsequent_indent=" " * 15 + rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _carried(title: str, parts: tuple[Child, ...]) -> list[str]:
    if not parts:
        return []
    text = ", ".join(f"{part.function} {part.share:.0%}" for part in parts[:8])
    return _wrapped(text, f"{title}: ", " " * (len(title) + 2))


def _below(diff: Diff) -> str:
    if not diff.below:
        return ""
    shown = [
        f"{claim.function} {words.signed(claim.delta)}{_explained(claim)}"
        for claim in diff.below[:10]
    ]
    title = "Not claimed: chance among so many is not excluded"
    if any(claim.cv is not None for claim in diff.below):
        title = "Not claimed: in brackets the spread between runs that would explain it"
    return "\n".join([title, *_wrapped(", ".join(shown))]) + "\n"


def _explained(claim: Claim) -> str:
    return "" if claim.cv is None else f" ({claim.cv:.0%})"


def _subsystems(diff: Diff) -> str:
    table = _table("subsystem (charged)", "base", "new", "delta", "", "95 % interval", "q")
    rows = sorted(diff.subsystems, key=lambda row: (-abs(row.delta), row.subsystem))[:ROWS]
    for row in sorted(rows, key=lambda row: (-row.delta, row.subsystem)):
        table.add_row(
            row.subsystem, amount(row.base), amount(row.new), words.signed(row.delta),
            words.percent(row), words.interval(row), words.chance(row.q),
        )  # fmt: skip
    return rendered(table)


def _functions(diff: Diff) -> str:
    table = _table("function (self)", "subsystem", "base", "new", "delta", "95 % interval")
    rows = sorted(diff.functions, key=lambda row: (-abs(row.delta), row.function))[:ROWS]
    for row in sorted(rows, key=lambda row: (-row.delta, row.function)):
        table.add_row(
            row.function[:40].replace("[", r"\["), row.subsystem, amount(row.base), amount(row.new),
            words.signed(row.delta), words.interval(row),
        )  # fmt: skip
    return rendered(table) if rows else ""


def _budgets(diff: Diff) -> str:
    if not diff.budgets:
        return ""
    table = _table("budget", "limit", "delta", "90 % interval", "verdict")
    for row in diff.budgets:
        limit, delta = words.signed(row.limit), words.signed(row.delta)
        table.add_row(row.name, limit, delta, words.interval(row), row.verdict)
    return rendered(table)


_VIEWS: dict[View, Callable[[Diff], str]] = {
    "path": _paths,
    "subsystem": _subsystems,
    "function": _functions,
}
