"""Parts of a diff in words, for every report that people read."""

from perfduck_diff.result import BudgetRow, Change, Claim, Diff, Reason, Side
from perfduck_report.numbers import amount

VERDICTS = {
    "pass": "no growth that the engine stands by",
    "regression": "it grew, and not by chance",
    "inconclusive": "cannot be told from this",
}


def heading(diff: Diff) -> str:
    """Both sides, event and unit in a line."""
    return f"{side(diff.base)} -> {side(diff.new)}: {diff.event}, {diff.unit}"


def side(runs: Side) -> str:
    """The runs of a side: by the labels they share, else by their names."""
    names = runs.profiles
    if len(names) == 1:
        return names[0]
    shared = " ".join(value for _, value in sorted(runs.labels.items()))
    return f"{shared or common(names)} ({len(names)} runs)"


def common(names: tuple[str, ...]) -> str:
    """What the names begin with, and a star."""
    first, last = min(names), max(names)
    same = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
    )
    return f"{first[:same]}*"


def verdict(diff: Diff) -> str:
    """The verdict and what it means, or what stands against one."""
    blocking = [reason for reason in diff.reasons if reason.blocks]
    if blocking:
        return f"{diff.verdict}: {blocking[0].text}"
    if diff.budgets:
        return f"{diff.verdict}: {budgets(diff.budgets)}"
    if diff.verdict == "regression":
        return f"{diff.verdict}: {grown(diff)}"
    return f"{diff.verdict}: {VERDICTS[diff.verdict]}"


def grown(diff: Diff) -> str:
    """How many paths grew, and the total."""
    gating = sum(claim.gates for claim in diff.claims)
    paths = f"{gating} path{'' if gating == 1 else 's'} grew"
    return f"{paths}, the total by {signed(diff.total.delta)} {diff.unit} ({percent(diff.total)})"


def budgets(rows: tuple[BudgetRow, ...]) -> str:
    """How many budgets went which way."""
    counts = {kind: sum(row.verdict == kind for row in rows) for kind in VERDICTS}
    said = {"pass": "kept", "regression": "exceeded", "inconclusive": "undecided"}
    return ", ".join(f"{n} budget{'' if n == 1 else 's'} {said[k]}" for k, n in counts.items() if n)


def reason(entry: Reason) -> str:
    """A doubt in a line."""
    return f"{'blocks' if entry.blocks else 'note'}: {entry.text}"


def signed(value: float) -> str:
    """An amount with its sign."""
    return f"{'+' if value > 0 else ''}{amount(value)}"


def interval(change: Change) -> str:
    """The limits of the difference."""
    if change.low is None or change.high is None:
        return ""
    return f"{signed(change.low)} .. {signed(change.high)}"


def percent(change: Change) -> str:
    """Growth in per cent of base."""
    if not change.base:
        return "new" if change.new else "0 %"
    return f"{100 * change.delta / change.base:+.1f} %"


def chance(p: float | None) -> str:
    """A probability with one digit that matters."""
    if p is None:
        return ""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def label(claim: Claim) -> str:
    """What kind of claim it is, and where its other half stands."""
    if claim.partner is None:
        return claim.label
    other = "grown" if claim.delta < 0 else "shrunk"
    return f"{claim.label} (with {other} {claim.partner})"
