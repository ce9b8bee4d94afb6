"""Parts of a diff in words, for every report that people read."""

from collections.abc import Callable

from perfduck_diff.result import BudgetRow, Change, Claim, Diff, Reason, RunFacts, Side
from perfduck_report.numbers import amount, many, per_second, seconds
from perfduck_report.numbers import percent as share

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
    paths = f"{many(gating, 'path')} grew"
    return f"{paths}, the total by {signed(diff.total.delta)} {diff.unit} ({percent(diff.total)})"


def budgets(rows: tuple[BudgetRow, ...]) -> str:
    """How many budgets went which way."""
    counts = {kind: sum(row.verdict == kind for row in rows) for kind in VERDICTS}
    said = {"pass": "kept", "regression": "exceeded", "inconclusive": "undecided"}
    return ", ".join(f"{many(n, 'budget')} {said[k]}" for k, n in counts.items() if n)


def budget(row: BudgetRow, unit: str) -> str:
    """How far a budget was used, or that nothing was there to use it."""
    if not row.base and not row.new:
        return row.text
    return f"grew by {signed(row.delta)} ({interval(row)}) {unit}, budget {signed(row.limit)}"


def runs(diff: Diff) -> list[tuple[str, str, str]]:
    """What stands behind both sides, a row each: samples, length and throughput of the runs."""
    sides = (diff.base, diff.new)
    per = diff.unit.partition("/")[2]
    rows = [
        ("idle (left out)", [amount(side.idle) for side in sides]),
        ("runs", [f"{len(side.profiles)}" for side in sides]),
        ("run length", [_or_none(seconds, side.duration_s) for side in sides]),
        ("samples", [f"{side.samples:,}" for side in sides]),
        ("throughput", [per_second(side.work, per, side.duration_s) for side in sides]),
        ("spread of the runs", [_or_none(share, side.spread) for side in sides]),
    ]
    return [(name, base, new) for name, (base, new) in rows if base or new]


def side_facts(diff: Diff) -> list[str]:
    """The same in a line for each side."""
    per = diff.unit.partition("/")[2]
    lines = []
    for title, side in (("base: ", diff.base), ("new:  ", diff.new)):
        facts = RunFacts(
            runs=len(side.profiles),
            samples=side.samples,
            duration_s=side.duration_s,
            work=side.work,
        )
        spread = "" if side.spread is None else f", spread {share(side.spread)}"
        lines.append(f"  {title}{run_facts(facts, per)}{spread}")
    return lines


def run_facts(facts: RunFacts, per: str) -> str:
    """Length, samples and throughput of some runs in a line."""
    length = f" of {seconds(facts.duration_s)}" if facts.duration_s else ""
    rate = per_second(facts.work, per, facts.duration_s)
    parts = [many(facts.runs, "run") + length, many(facts.samples, "sample"), rate]
    return ", ".join(part for part in parts if part)


def _or_none(form: Callable[[float], str], value: float | None) -> str:
    return "" if value is None else form(value)


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
    growth = 100 * change.delta / change.base
    return f"{growth:+,.0f} %" if abs(growth) >= 1000 else f"{growth:+.1f} %"


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
