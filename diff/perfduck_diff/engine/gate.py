"""Budgets: a few questions fixed beforehand, and three answers.

A budget passes only if the upper limit of the growth is under it, fails only if the lower limit is
above it, and is inconclusive between; of pairs in random order the exact test (sign_flip.py) has to
show it as well. The failures hold for all budgets together (Holm). To take from the runs how
budgets depend on each other (maxT) finds no more at the same rate of false alarms
(docs/diff-evaluation.md).
"""

from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
from scipy import special

from perfduck_diff.engine.budget import Budget, Budgets
from perfduck_diff.engine.comparison import Comparison
from perfduck_diff.engine.moderated_t import NodeRates, Test
from perfduck_diff.engine.power import raised
from perfduck_diff.engine.result import BudgetRow, Verdict
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_diff.engine.sign_flip import p_of
from perfduck_model.arrays import Bool

LEVEL = 0.05


def judge(work: Comparison, budgets: Budgets) -> tuple[BudgetRow, ...]:
    """Every budget with its verdict.

    Raises PerfduckError for an amount in another unit, and for per cent of what base has not.
    """
    unit = work.unit.unit
    in_unit = [replace(each, amount=each.amount_in(unit)) for each in budgets.budgets]
    level = LEVEL if work.options.exact_level is None else work.options.exact_level
    rows = [_measured(work, budget, level) for budget in in_unit]
    p = np.array([row.p if row.p is not None else 1.0 for row, _ in rows])
    order = np.argsort(p, kind="stable")
    rejected = np.zeros(len(p), dtype=np.bool_)
    for step, which in enumerate(order):
        if p[which] > level / (len(p) - step):
            break
        rejected[which] = True
    return tuple(
        _worded(row, _outcome(row, over=bool(over), kept=kept), work)
        for (row, kept), over in zip(rows, rejected, strict=True)
    )


def _outcome(row: BudgetRow, *, over: bool, kept: bool) -> Verdict:
    if not row.base and not row.new:
        return "pass"
    if over:
        return "regression"
    return "pass" if kept else "inconclusive"


def _measured(work: Comparison, budget: Budget, level: float) -> tuple[BudgetRow, bool]:
    """The row, and whether growth above its limit is excluded."""
    mask = _mask(work.runs, budget)
    one = np.array([1])
    rows = work.total() if budget.kind == "total" else work.measured(mask.astype(np.int64), 2)[one]
    base, new = (float(rows.rates[0, side].mean()) for side in work.design.sides)
    _has_base(work, budget, base, new)
    limit = budget.amount * base if budget.relative else budget.amount
    test = _against(work, rows, budget)
    delta, error, freedom = new - base, float(test.error[0]), float(test.freedom[0])
    reach = float(special.stdtrit(freedom, 1 - LEVEL)) * error
    p = float(special.stdtr(freedom, (limit - delta) / error)) if error else 0.5
    above, under = _exact(work, rows, budget)
    name = budget.name if budget.kind == "total" else f"{budget.kind} {budget.name}"
    row = BudgetRow(
        name=name, limit=limit, verdict="pass", text="", base=base, new=new, delta=delta,
        low=delta - reach, high=delta + reach, p=max(p, above),
    )  # fmt: skip
    return row, delta + reach <= limit and under <= level


def _exact(work: Comparison, rows: NodeRates, budget: Budget) -> tuple[float, float]:
    """The exact p of growth above the limit, and of growth below it; 0 where there is no test."""
    if work.options.exact_level is None:
        return 0.0, 0.0
    base, new = (rows.rates[0, side] for side in work.design.sides)
    limit = (1 + budget.amount) * base if budget.relative else base + budget.amount
    return p_of(limit, new)


def _has_base(work: Comparison, budget: Budget, base: float, new: float) -> None:
    if not budget.relative or base or not new:
        return
    raise budget.wrong(
        expected=f'an amount like "20 {_quantity(work)}"',
        got=f"{budget.amount * 100:g} % of base, which has no sample of it",
    )


def _quantity(work: Comparison) -> str:
    return work.unit.unit.partition("/")[0]


def _against(work: Comparison, rows: NodeRates, budget: Budget) -> Test:
    """A budget in per cent moves with base: new - (1 + part) x base is tested."""
    model = work.whole if budget.kind == "total" else work.plain
    return raised(model, rows, budget.amount if budget.relative else 0.0)


def _mask(runs: RunMatrix, budget: Budget) -> Bool:
    if budget.kind == "total":
        return np.ones(runs.stacks.size, dtype=np.bool_)
    if budget.kind == "subsystem":
        return np.array([name == budget.name for name in runs.subsystems])[runs.blame]
    if ";" in budget.name:
        return np.array(
            [fnmatchcase(_folded(runs, row), budget.name) for row in range(runs.stacks.size)]
        )
    return runs.stacks.any(
        np.array([fnmatchcase(frame.name, budget.name) for frame in runs.frames])
    )


def _folded(runs: RunMatrix, row: int) -> str:
    return ";".join(runs.frames[code].name for code in runs.stacks.chain(row))


def _absent(work: Comparison, row: BudgetRow) -> BudgetRow:
    """No hit in any run of new: more than three samples over all of them are excluded at 95 %."""
    new = work.plain.design.grain[work.plain.design.new]
    most = -float(np.log(LEVEL)) * float(new.mean()) / len(new)
    text = f"no sample on either side; growth above {most:.2g} {_quantity(work)} is excluded"
    return replace(row, text=text, high=most, name=f"{row.name} (no sample)")


def _worded(row: BudgetRow, verdict: Verdict, work: Comparison) -> BudgetRow:
    limits = f"{row.low:+.4g} to {row.high:+.4g}"
    if not row.base and not row.new:
        return _absent(work, row)
    text = f"grew by {row.delta:+.4g} ({limits}) {work.unit.unit}, budget {row.limit:+.4g}"
    return replace(row, verdict=verdict, text=text)
