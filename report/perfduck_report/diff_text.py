"""A diff as text, for a terminal of any width or a pipe."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from perfduck_diff.engine.dimensions import DIMENSIONS, SPLITS
from perfduck_diff.engine.result import Change, Child, Claim, Diff
from perfduck_diff.keys import MatrixKey, View
from perfduck_report import diff_words as words
from perfduck_report import readable
from perfduck_report.numbers import amount, many, percent
from perfduck_report.screen import PIPE, Screen, flow, sentence
from perfduck_report.tables import aligned, left_out

ROWS = 15  # subsystems, functions
MOVES = 6
BELOW = 10
CARRIED = 8  # callees, and subsystems, of a claim
_COLOURS = {"pass": 32, "regression": 31, "inconclusive": 33}
_ALL = "--format json has all"
_INDENT = " " * 15  # of a claim's lines


def report(diff: Diff, by: View | None = None, screen: Screen = PIPE) -> str:
    """The whole answer, or one view of it."""
    diff = readable.diff(diff)
    verdict = _sentences([words.verdict_above_reasons(diff)], screen)
    parts = [
        _sentences([words.heading(diff), *words.side_facts(diff)], screen)
        + _coloured(verdict, diff.verdict, colour=screen.colour),
        _sentences([f"  {words.reason(entry)}" for entry in diff.reasons], screen),
        _sentences(words.summary(diff), screen),
        _budgets(diff, screen),
        _totals(diff, screen),
        *(view(diff, screen) for name, view in _VIEWS.items() if by == name or _is_shown(by, name)),
        _sentences(diff.context, screen),
        *(report(each, by, screen) for each in diff.other_pmus),
    ]
    return "\n".join(part for part in parts if part)


def _is_shown(by: View | None, name: View) -> bool:
    """Of the dimensions subsystems alone are shown where none is asked for: a third table of the
    same total says no more of what grew."""
    return by is None and name not in SPLITS


def _coloured(text: str, kind: str, *, colour: bool) -> str:
    first, colon, rest = text.partition(":")
    return f"\x1b[1;{_COLOURS[kind]}m{first}\x1b[0m{colon}{rest}" if colour else text


def _sentences(texts: Iterable[str], screen: Screen) -> str:
    return _lines(line for text in texts for line in sentence(text, screen.prose, "  "))


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], screen: Screen, *, texts: int = 1
) -> str:
    """The first TEXTS columns hold names, the others numbers."""
    are_numbers = [position >= texts for position in range(len(columns))]
    return aligned(columns, rows, are_numbers, screen)


def _totals(diff: Diff, screen: Screen) -> str:
    idle = [amount(side.idle) for side in (diff.base, diff.new)]
    rows = [
        _row("total", diff.total),
        _row("  claimed", _sum((*diff.claims, *diff.shrunk))),
        _row("  unattributed", diff.unattributed),
        *([_row("    common to all", diff.common)] if diff.common else []),
        ["idle (left out)", *idle, "", "", "", ""],
    ]
    return _table(["", "base", "new", "delta", "", "95 % interval", "p"], rows, screen)


def _sum(claims: tuple[Claim, ...]) -> Change:
    return Change(
        base=sum(claim.base for claim in claims),
        new=sum(claim.new for claim in claims),
        delta=sum(claim.delta for claim in claims),
    )


def _row(name: str, change: Change) -> list[str]:
    return [
        name, amount(change.base), amount(change.new), words.signed(change.delta),
        words.percent(change), words.interval(change), words.chance(change.p),
    ]  # fmt: skip


def _paths(diff: Diff, screen: Screen) -> str:
    parts = [
        _claims(f"Grew ({many(diff.tested, 'path')} tested)", diff.claims, screen),
        _claims("Shrank", diff.shrunk, screen),
        _moves(diff, screen),
        _below(diff, screen),
    ]
    return "\n".join(part for part in parts if part)


def _claims(title: str, claims: tuple[Claim, ...], screen: Screen) -> str:
    if not claims:
        return f"{title}: nothing\n" if title.startswith("Grew") else ""
    return f"{title}\n\n" + "\n".join(_claim(claim, screen) for claim in claims)


def _claim(claim: Claim, screen: Screen) -> str:
    sure = f"({words.interval(claim)})  q {words.chance(claim.q)}"
    name = f"{claim.function} [{claim.subsystem}]"
    lines = [
        *_headed(
            f"{claim.rank:3}  {words.signed(claim.delta):>8}", [name, words.label(claim)], screen
        ),
        f"{_INDENT}{amount(claim.base)} -> {amount(claim.new)}  {sure}",
        *_indented(claim.path, screen, separator=" > "),
        *_carried("callees", claim.children, screen),
        *_carried("blamed", claim.parts if len(claim.parts) > 1 else (), screen),
    ]
    return _lines(lines)


def _headed(head: str, parts: Sequence[str], screen: Screen) -> list[str]:
    shown = [part for part in parts if part]
    return flow(shown, screen.prose, separator="  ", first=f"{head}  ", rest=_INDENT)


def _indented(
    parts: Sequence[str], screen: Screen, *, separator: str = ", ", first: str = ""
) -> list[str]:
    rest = _INDENT + " " * len(first)
    return flow(parts, screen.prose, separator=separator, first=_INDENT + first, rest=rest)


def _carried(title: str, parts: tuple[Child, ...], screen: Screen) -> list[str]:
    shown = [f"{part.function} {part.share:.0%}" for part in parts]
    return _indented(words.cut(shown, CARRIED), screen, first=f"{title}: ")


def _moves(diff: Diff, screen: Screen) -> str:
    if not diff.moves:
        return ""
    texts = [_INDENT + words.moved(move) for move in diff.moves[:MOVES]]
    lines = [line for text in texts for line in sentence(text, screen.prose, "  ")]
    more = len(diff.moves) - MOVES
    lines += [f"{_INDENT}and {more} smaller"] if more > 0 else []
    return _lines(["Moved, which is no growth", *lines])


def _below(diff: Diff, screen: Screen) -> str:
    if not diff.below:
        return ""
    shown = words.cut(
        [
            f"{claim.function} {words.signed(claim.delta)}{_explained(claim)}"
            for claim in diff.below
        ],
        BELOW,
    )
    title = "Not reported: not significant after correcting for multiple tests"
    if any(claim.cv is not None for claim in diff.below):
        title = "Not reported; in brackets the spread between runs that would explain the change"
    return _lines([title, *_indented(shown, screen)])


def _explained(claim: Claim) -> str:
    return "" if claim.cv is None else f" ({percent(claim.cv)})"


def _dimension(by: MatrixKey, diff: Diff, screen: Screen) -> str:
    """The rows that changed most, the largest growth first."""
    rows = words.dimension(diff, by)
    shown = sorted(rows, key=lambda row: (-abs(row[1].delta), row[0]))[:ROWS]
    return _table(
        [f"{by} ({DIMENSIONS[by].weight})", "base", "new", "delta", "", "95 % interval", "q"],
        [
            [*_row(name, row)[:-1], words.chance(row.q)]
            for name, row in sorted(shown, key=lambda row: (-row[1].delta, row[0]))
        ],
        screen,
    ) + left_out(len(shown), len(rows), _ALL)


def _functions(diff: Diff, screen: Screen) -> str:
    rows = sorted(diff.functions, key=lambda row: (-abs(row.delta), row.function))[:ROWS]
    cells = [
        [row.function, row.subsystem, amount(row.base), amount(row.new), words.signed(row.delta),
         words.interval(row)]
        for row in sorted(rows, key=lambda row: (-row.delta, row.function))
    ]  # fmt: skip
    heads = ["function (self)", "subsystem", "base", "new", "delta", "95 % interval"]
    more = left_out(len(rows), diff.function_count, words.functions_in_json(diff))
    return _table(heads, cells, screen, texts=2) + more if cells else ""


def _budgets(diff: Diff, screen: Screen) -> str:
    if not diff.budgets:
        return ""
    return _table(
        ["budget", "verdict", "limit", "delta", "90 % interval"],
        [
            [row.name, row.verdict, words.signed(row.limit), words.signed(row.delta),
             words.interval(row)]
            for row in diff.budgets
        ],
        screen,
        texts=2,
    )  # fmt: skip


_VIEWS: dict[View, Callable[[Diff, Screen], str]] = {
    "path": _paths,
    **{by: partial(_dimension, by) for by in DIMENSIONS},
    "function": _functions,
}
