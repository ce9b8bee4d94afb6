"""From runs to an answer: measure, attribute, judge."""

from dataclasses import replace
from typing import Any

import numpy as np

from perfduck_diff.engine import checks
from perfduck_diff.engine.attribution import attribute
from perfduck_diff.engine.comparison import Comparison, DiffOptions, changes, measure
from perfduck_diff.engine.dimensions import SPLITS, cells
from perfduck_diff.engine.gate import judge
from perfduck_diff.engine.moderated_t import NodeRates, benjamini_hochberg
from perfduck_diff.engine.power import detectable, sensitivity
from perfduck_diff.engine.result import (
    Change,
    Diff,
    FunctionRow,
    Sensitivity,
    Side,
    Split,
    SplitRow,
    SubsystemRow,
    Verdict,
)
from perfduck_diff.engine.run_matrix import Run, RunMatrix
from perfduck_diff.engine.scan import LEVEL
from perfduck_diff.engine.sign_flip import exact_test
from perfduck_diff.keys import MatrixKey
from perfduck_model.arrays import Float64, Int64

TOTAL_LEVEL = LEVEL / 2  # besides the claims, so the two together stay near 5 %


def run_diff(runs: RunMatrix, base: Int64, new: Int64, options: DiffOptions | None = None) -> Diff:
    """The whole answer."""
    work = measure(runs, base, new, options or DiffOptions())
    exact = None
    if (level := work.options.exact_level) is not None:
        exact = exact_test(work, level)
    claims = attribute(work, exact)
    sides = checks.Sides(runs, base, new, work.raw.sum(axis=0))
    doubts = (
        *work.unit.reasons,
        *checks.reasons(sides, work.options.bounds, learned=work.options.noise is not None),
        *checks.weighed(work.options.doubts, work.options.bounds),
    )
    functions, function_count = _functions(work)
    answer = Diff(
        unit=work.unit.unit,
        event=runs.event,
        normalised=work.unit.words,
        tree=work.options.tree,
        base=_side(work, sides, base),
        new=_side(work, sides, new),
        verdict="pass",
        reasons=doubts,
        total=changes(work, work.whole, work.total())[0],
        subsystems=_subsystems(work),
        splits=tuple(Split(by=by, rows=_split(work, by)) for by in SPLITS),
        claims=claims.claims,
        shrunk=claims.shrunk,
        below=claims.below,
        functions=functions,
        function_count=function_count,
        moves=claims.moves,
        unattributed=claims.unattributed,
        common=_common(work),
        sensitivity=_sensitivity(work),
        exact=exact,
        budgets=judge(work, work.options.budgets) if work.options.budgets else (),
        tested=claims.tested,
    )
    return replace(answer, verdict=_verdict(answer))


def _verdict(answer: Diff) -> Verdict:
    """Growth that is shown is a regression, unless all of it is below the tolerance; a pass has to
    be shown as well. Both by the exact test too, where there is one."""
    if any(reason.blocks for reason in answer.reasons):
        return "inconclusive"
    if answer.budgets:
        verdicts = {row.verdict for row in answer.budgets}
        return next(v for v in _WORST_FIRST if v in verdicts)
    exact = answer.exact
    if _is_tolerated(answer):
        return "pass" if exact is None or exact.excess <= exact.level else "inconclusive"
    grew = answer.total.p is not None and answer.total.p <= TOTAL_LEVEL
    is_shown = exact is None or exact.growth <= exact.level
    if is_shown and (grew or any(claim.gates for claim in answer.claims)):
        return "regression"
    return "inconclusive"


def _is_tolerated(answer: Diff) -> bool:
    """Whether growth of the total above the tolerance is excluded, and that of every path that
    grew: what shrank in other places may hide it in the total."""
    limits_seen = answer.sensitivity
    if limits_seen is None or limits_seen.excluded >= limits_seen.tolerance:
        return False
    most = limits_seen.tolerance * answer.total.base
    return all(
        claim.high is not None and claim.high < most for claim in answer.claims if claim.gates
    )


def _sensitivity(work: Comparison) -> Sensitivity | None:
    total = work.total()
    if work.unreplicated or not total.rates[0, work.design.base].any():
        return None
    return sensitivity(work.whole, total, work.options.tolerance, TOTAL_LEVEL)


def _common(work: Comparison) -> Change | None:
    """What the total would be in every run if all paths had changed like most of them."""
    if not work.shared.units:
        return None
    total = work.total()
    alike = work.shared.factor[None, :] * total.rates[0, work.design.base].mean()
    return changes(work, work.whole, replace(total, rates=alike))[0]


_WORST_FIRST: tuple[Verdict, ...] = ("regression", "inconclusive", "pass")


def _side(work: Comparison, sides: checks.Sides, columns: Int64) -> Side:
    some = sides.some(columns)
    idle = [run.idle / work.unit.divisor[column] for run, column in zip(some, columns, strict=True)]
    works = [run.work for run in some if run.work]
    durations = [run.duration_s for run in some if run.duration_s]
    return Side(
        profiles=tuple(run.name for run in some),
        total=float(sides.totals[columns].mean()),
        idle=float(np.mean(idle)),
        work=float(np.mean(works)) if works else None,
        duration_s=float(np.mean(durations)) if durations else None,
        samples=int(work.runs.hits[:, columns].sum()),
        spread=checks.spread(sides.totals[columns]),
        shared=_shared_part(work, sides.totals[columns], columns),
        totals=tuple(sides.totals[columns].tolist()),
        labels=_shared(some),
    )


def _shared_part(work: Comparison, totals: Float64, columns: Int64) -> float | None:
    """How much of the totals' variance goes when each run is divided by its factor."""
    if not work.shared.units or len(columns) < 2 or not totals.any():
        return None
    without_shared = totals / work.shared.factor[columns]
    relative = [float(part.var() / part.mean() ** 2) for part in (totals, without_shared)]
    return max(1 - relative[1] / relative[0], 0.0) if relative[0] else None


def _shared(runs: list[Run]) -> dict[str, str]:
    first = runs[0].labels
    return {k: v for k, v in sorted(first.items()) if all(run.labels.get(k) == v for run in runs)}


def _subsystems(work: Comparison) -> tuple[SubsystemRow, ...]:
    names = work.runs.subsystems
    tested = _tested(work, work.measured(work.runs.blame, len(names)))
    made = [
        SubsystemRow(subsystem=name, area=work.runs.area.get(name, "unknown"), **fields)
        for name, fields in zip(names, tested, strict=True)
    ]
    return tuple(sorted(made, key=lambda row: (-row.delta, row.subsystem)))


def _split(work: Comparison, by: MatrixKey) -> tuple[SplitRow, ...]:
    """Those that cost anything on either side."""
    split = cells(work.runs, by)
    tested = _tested(work, work.classes.rows(split, work.unit))
    made = [
        SplitRow(name=name, **fields)
        for name, fields in zip(split.names, tested, strict=True)
        if fields["base"] or fields["new"]
    ]
    return tuple(sorted(made, key=lambda row: (-row.delta, row.name)))


def _tested(work: Comparison, rows: NodeRates) -> list[dict[str, Any]]:
    """The change of each row as measured, with q over all of them, and what would be seen."""
    rows_of_change = changes(work, work.plain, rows)
    least = detectable(work.plain(rows), LEVEL).tolist()
    q = benjamini_hochberg(np.array([1.0 if each.p is None else each.p for each in rows_of_change]))
    unknown = (None, None) if work.unreplicated else None
    tests = [unknown or pair for pair in zip(q.tolist(), least, strict=True)]
    return [
        _fields(change) | {"q": value, "detectable": smallest}
        for change, (value, smallest) in zip(rows_of_change, tests, strict=True)
    ]


def _functions(work: Comparison) -> tuple[tuple[FunctionRow, ...], int]:
    """Those that changed most, and how many changed."""
    leaf = work.runs.stacks.ends(leaf=True)
    rows = work.measured(np.maximum(leaf, 0), len(work.runs.frames))
    delta = work.plain(rows).delta
    order = np.argsort(-np.abs(delta), kind="stable")[: work.options.functions]
    frames = [work.runs.frames[code] for code in order]
    made = [
        FunctionRow(function=f.name, dso=f.dso, subsystem=f.subsystem, **_fields(change))
        for f, change in zip(frames, changes(work, work.plain, rows[order]), strict=True)
        if change.delta
    ]
    ordered = tuple(sorted(made, key=lambda row: (-row.delta, row.function, row.dso)))
    return ordered, int(np.count_nonzero(delta))


def _fields(change: Change) -> dict[str, Any]:
    return {name: getattr(change, name) for name in ("base", "new", "delta", "low", "high", "p")}
