"""Parts of a diff in words, for every report that people read."""

from collections.abc import Callable, Sequence

from perfduck_diff.engine.result import (
    UNBOUNDED,
    BudgetRow,
    Change,
    Claim,
    Diff,
    ExactTest,
    Moved,
    Reason,
    RunFacts,
    Sensitivity,
    Side,
    SplitRow,
    SubsystemRow,
)
from perfduck_diff.keys import MatrixKey
from perfduck_report.numbers import amount, many, per_second, seconds
from perfduck_report.numbers import percent as share

Tested = SubsystemRow | SplitRow  # a change with q
VERDICTS = ("pass", "regression", "inconclusive")


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
    """The verdict and what it rests on, or what speaks against one."""
    if diff.verdict_of:
        return f"{diff.verdict}: that of {diff.verdict_of}"
    blocking = [reason for reason in diff.reasons if reason.blocks]
    if blocking:
        return f"{diff.verdict}: cannot tell: {blocking[0].text}"
    if diff.budgets:
        return f"{diff.verdict}: {budgets(diff.budgets)}"
    if diff.verdict == "regression":
        return f"{diff.verdict}: significant growth: {grown(diff)}"
    if diff.exact is not None and not diff.exact.shows:
        return f"{diff.verdict}: cannot tell: {not_shown(diff.exact)}"
    if diff.sensitivity is None:
        return f"{diff.verdict}: cannot tell"
    if diff.verdict == "pass":
        most = part(diff.sensitivity.tolerance)
        tolerated = f"; growth below that is tolerated: {grown(diff)}" if has_grown(diff) else ""
        return f"{diff.verdict}: no growth above {most}{tolerated}"
    return f"{diff.verdict}: cannot tell: {excluded(diff.sensitivity)}"


def dimension(diff: Diff, by: MatrixKey) -> list[tuple[str, Tested]]:
    """The values of a dimension by name, and what they cost."""
    if by == "subsystem":
        return [(row.subsystem, row) for row in diff.subsystems]
    return [(row.name, row) for row in diff.split(by)]


def not_shown(exact: ExactTest) -> str:
    """Why pairs in random order show nothing."""
    if not exact.is_able:
        return f"{many(exact.pairs, 'pair')} can have no p below {_p(1 / exact.flips)}"
    return (
        f"p {_p(exact.growth)} for growth, {_p(exact.excess)} for growth below the tolerance:"
        f" one of them has to be {_p(exact.level)} or less"
    )


def exact_test(diff: Diff) -> str:
    """The exact test in a line; '' where there is none."""
    exact = diff.exact
    if exact is None:
        return ""
    p = [("growth", exact.growth), ("shrinkage", exact.shrinkage)]
    if diff.sensitivity is not None:
        p.append((f"growth of the total below {part(diff.sensitivity.tolerance)}", exact.excess))
    said = ", ".join(f"{name} p {_p(value)}" for name, value in p)
    return (
        f"exact sign-flip test of {many(exact.pairs, 'pair')} in random order: {said}"
        f" (of {exact.flips:,} ways to assign their runs; level {_p(exact.level)})"
    )


def _p(value: float) -> str:
    return f"{value:.2g}"


def estimate(diff: Diff) -> str:
    """The change of the total, its interval where there is one."""
    total = diff.total
    extent = f" ({interval(total)})" if total.low is not None else ""
    change = f"{signed(total.delta)}{extent} {diff.unit}, {percent(total)}"
    return f"total {amount(total.base)} {change}"


def in_a_line(diff: Diff) -> str:
    """The same, and the verdict."""
    of = f" of {diff.verdict_of}" if diff.verdict_of else ""
    return f"{estimate(diff)}: {diff.verdict}{of}"


def verdict_above_reasons(diff: Diff) -> str:
    """The same where every comparability check is in a line below."""
    if diff.verdict_of:
        return verdict(diff)
    blocking = sum(reason.blocks for reason in diff.reasons)
    if not blocking:
        return verdict(diff)
    verb = "blocks" if blocking == 1 else "block"
    return f"{diff.verdict}: {many(blocking, 'comparability check')} {verb}"


def other_reasons(diff: Diff) -> list[Reason]:
    """The doubts that the verdict does not say: it says the first of those that block."""
    blocking = next((reason for reason in diff.reasons if reason.blocks), None)
    return [reason for reason in diff.reasons if reason is not blocking]


def has_grown(diff: Diff) -> bool:
    """Whether growth is shown, of the total or of a path."""
    return (diff.total.low or 0) > 0 or any(claim.gates for claim in diff.claims)


def grown(diff: Diff) -> str:
    """How many paths grew, and the total."""
    gating = sum(claim.gates for claim in diff.claims)
    paths = f"{many(gating, 'path')} grew, " if gating else ""
    return f"{paths}the total by {signed(diff.total.delta)} {diff.unit} ({percent(diff.total)})"


def summary(diff: Diff) -> list[str]:
    """What all paths share, and what such runs can tell."""
    lines = [everything(diff), extents(diff), exact_test(diff)]
    sensitivity = diff.sensitivity
    if sensitivity is not None:
        smallest = ", ".join([f"total {part(sensitivity.findable)}", *_smallest(diff)])
        lines.append(f"found in 8 of 10 comparisons like this: growth of {smallest}")
        if diff.verdict == "pass" or diff.budgets:
            lines.append(_limit(sensitivity, "growth of the total"))
    return [line for line in lines if line]


_MANIFOLD = 100  # growth as a part of base
_BEYOND = 4  # claims in the line on what all paths share
MAIN = 3  # subsystems in the summary: those that cost most


def _smallest(diff: Diff) -> list[str]:
    rows = [row for row in diff.subsystems if row.detectable is not None and row.base]
    main = sorted(rows, key=lambda row: (-row.base, row.subsystem))[:MAIN]
    return [f"{row.subsystem} {part((row.detectable or 0) / row.base)}" for row in main]


def excluded(known: Sensitivity) -> str:
    """What the runs exclude, and what it takes to exclude the tolerance."""
    return f"{_limit(known, 'growth')}; {needed(known)}"


def _limit(known: Sensitivity, growth: str) -> str:
    if known.excluded >= UNBOUNDED:
        return f"no {growth} is excluded, however large"
    return f"{growth} above {signed_part(known.excluded)} is excluded"


def needed(known: Sensitivity) -> str:
    """How many runs exclude the tolerance."""
    aim = f"to exclude {part(known.tolerance)}"
    if known.runs is None:
        return f"{aim} takes over 100 runs a side: the runs differ too much"
    longer = known.runs_twice_as_long
    other = f" (or {longer} of twice the length)" if longer and longer < known.runs else ""
    return f"{aim}, record about {known.runs} runs a side{other}"


def extents(diff: Diff) -> str:
    """The totals of the runs, and how much of their spread all paths of a run share."""
    several = [
        (name, side)
        for name, side in (("base", diff.base), ("new", diff.new))
        if len(side.totals) > 1
    ]
    text = ", ".join(
        f"{name} {amount(min(side.totals))}..{amount(max(side.totals))}" for name, side in several
    )
    shared = [side.shared for _, side in several if side.shared is not None]
    if not shared:
        return f"runs: {text}" if text else ""
    return f"runs: {text}; {share(min(shared))} or more of their spread is common to all paths"


def signed_part(value: float) -> str:
    """A part as per cent with its sign."""
    return f"{'+' if 0 < value < _MANIFOLD else ''}{part(value)}"


def part(value: float) -> str:
    """A part as per cent, two digits that matter; from 10,000 % on by how much it multiplies."""
    if value >= _MANIFOLD:
        return f"{value + 1:,.0f} x base"
    return f"{100 * value:.2g} %" if value < 1 else f"{100 * value:,.0f} %"


def everything(diff: Diff) -> str:
    """What all paths share against what single paths did; '' where the two are not apart."""
    common = diff.common
    if common is None or common.p is None or common.low is None or common.high is None:
        return ""
    claims = [f"{one.function} {signed(one.delta)}" for one in (*diff.claims, *diff.shrunk)]
    beyond = ", ".join(cut(claims, _BEYOND)) or "nothing significant"
    sure = _how_sure(diff, is_significant=common.low > 0 or common.high < 0)
    return f"everything {percent(common)} ({sure}); beyond that {beyond}"


def _how_sure(diff: Diff, *, is_significant: bool) -> str:
    """Whether what all paths share is a change. Where the sides do not compare, that it differs
    says nothing: a side per packet costs another amount than one per request."""
    if any(reason.blocks for reason in diff.reasons):
        return "not judged: see what blocks"
    return "significant" if is_significant else f"cannot tell: {differ(diff)}"


def cut(words: Sequence[str], most: int) -> list[str]:
    """The first of a list, and how many more there are."""
    more = len(words) - most
    return [*words[:most], *([f"and {more} more"] if more > 0 else [])]


def functions_in_json(diff: Diff) -> str:
    """How to see more functions than a table has."""
    has_all = len(diff.functions) >= diff.function_count
    return f"--format json has {'all' if has_all else f'{len(diff.functions):,}'}"


def differ(diff: Diff) -> str:
    """How far like runs differ."""
    spreads = [side.spread for side in (diff.base, diff.new) if side.spread is not None]
    runs = len(diff.base.profiles) + len(diff.new.profiles)
    return f"{runs} runs vary by {part(max(spreads))}" if spreads else "runs vary as much"


def budgets(rows: tuple[BudgetRow, ...]) -> str:
    """How many budgets went which way."""
    counts = {kind: sum(row.verdict == kind for row in rows) for kind in VERDICTS}
    words = {"pass": "kept", "regression": "exceeded", "inconclusive": "undecided"}
    return ", ".join(f"{many(n, 'budget')} {words[k]}" for k, n in counts.items() if n)


def budget(row: BudgetRow, unit: str) -> str:
    """How far a budget was used, or that nothing was there to use it."""
    if not row.base and not row.new:
        return row.text
    return f"grew by {signed(row.delta)} ({interval(row)}) {unit}, budget {signed(row.limit)}"


def runs(diff: Diff) -> list[tuple[str, str, str]]:
    """What is behind both sides, a row each: samples, length and throughput of the runs."""
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
    part = change.delta / change.base
    if part >= _MANIFOLD:
        return f"x {part + 1:,.0f}"
    return f"{100 * part:+,.0f} %" if abs(part) >= 10 else f"{100 * part:+.1f} %"


def chance(p: float | None) -> str:
    """A probability with one digit that matters."""
    if p is None:
        return ""
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def label(claim: Claim) -> str:
    """What kind of claim it is; if cost also moved, how much and from or to where."""
    if not claim.moved:
        return claim.label
    if claim.label == "new path":
        size = amount(claim.moved)
        return f"new path; {size} moved here, the largest part from {place(claim.source)}"
    where = f"from {place(claim.source)}" if claim.source else f"to {place(claim.target)}"
    if claim.label == "unreplicated":
        return f"unreplicated; {amount(claim.moved)} of it moved {where}"
    how = claim.label
    if how == "unnamed":
        in_base = _is_named(claim.source) if claim.source else not _is_named(claim.target)
        how, where = "has a name", f"in {'base' if in_base else 'new'} only"
    return f"{amount(claim.moved)} {how} {where}; net {signed(claim.delta)}"


def _is_named(path: tuple[str, ...]) -> bool:
    return not path[-1].startswith("[unknown]")


def place(path: tuple[str, ...]) -> str:
    """The end of a path."""
    return " > ".join(path[-2:]) or "the root"


def moved(move: Moved) -> str:
    """Cost that only moved, in a line. Tables of functions have self cost, so callees are named."""
    source, path = place(move.source), place(move.path)
    size = amount(move.moved) + (" (with callees)" if move.label in ("renamed", "unnamed") else "")
    text = f"{size} {move.label} from {source} to {path}"
    if move.label == "unnamed":
        ends = (source, "base", path, "new")
        name, side, nameless, other = ends if _is_named(move.source) else (*ends[2:], *ends[:2])
        text = f"{size} of {name} has that name in {side} only ({nameless} in {other})"
    return f"{text}; net there {signed(move.delta)} ({interval(move)})"
