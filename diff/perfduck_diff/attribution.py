"""From what the scan found to claims a person can read."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from perfduck_diff.comparison import Comparison
from perfduck_diff.moderated import Rows
from perfduck_diff.pairing import Pair, pairs
from perfduck_diff.result import Change, Child, Claim
from perfduck_diff.runs import Floats, gathered
from perfduck_diff.scan import Found, Scan, judged, scan
from perfduck_diff.tree import ROOT

SHOWN = 0.05  # of a claim's delta: smaller parts are not listed
CARRIES = 0.90  # a callee with this much of the claim is followed down
SURE = 1.645  # one-sided 95 %


@dataclass(frozen=True, slots=True)
class Attribution:
    """Claims by size, what missed the cut, and what is left over."""

    claims: tuple[Claim, ...]
    shrunk: tuple[Claim, ...]
    below: tuple[Claim, ...]
    unattributed: Change
    tested: int
    level: float


def attribute(work: Comparison) -> Attribution:
    """Scan, pair and describe."""
    found = _screened(work, _scanned(work))
    grown = _ordered([f for f in found.grown if f.stands])
    shrunk = _ordered([f for f in found.shrunk if f.stands])
    rest = _ordered([f for f in (*found.grown, *found.shrunk) if not f.stands])
    matched = pairs(work.tree, work.model, grown, shrunk)
    taken = [*found.grown, *found.shrunk]
    return Attribution(
        claims=_claims(work, grown, taken, {pair.grown: (pair, pair.shrunk) for pair in matched}),
        shrunk=_claims(work, shrunk, taken, {pair.shrunk: (pair, pair.grown) for pair in matched}),
        below=_claims(work, rest, taken, {}),
        unattributed=_unattributed(work, [*grown, *shrunk]),
        tested=found.tested,
        level=work.options.level,
    )


def _scanned(work: Comparison) -> Scan:
    """The scan over the nodes that a claim can name: not the whole, nor code without a name."""
    can_claim = np.array([any(_is_named(work, code) for code in part) for part in work.tree.chain])
    return scan(work.tree, work.rows, work.screen, work.least, work.options.level, can_claim)


def _is_named(work: Comparison, code: int) -> bool:
    return _name(work, code) != "unknown" and not work.runs.frames[code].is_nameless


def _ordered(found: list[Found]) -> list[Found]:
    return sorted(found, key=lambda claim: (-abs(claim.delta), claim.node))


def _screened(work: Comparison, found: Scan) -> Scan:
    """Without replicates only new paths stand; everywhere only what is large enough."""
    if work.unreplicated:
        return _unreplicated(work, found)
    if not work.options.smallest:
        return found
    return Scan(_large(work, found.grown), _large(work, found.shrunk), found.tested)


def _unreplicated(work: Comparison, found: Scan) -> Scan:
    """Only a path that base never had stands, by exact test."""
    exact = [_exact(work, f) for f in found.grown if not _seen(work, f)]
    new = judged(exact, found.tested, work.options.level)
    rest = [_sampled(work, f) for f in (*found.grown, *found.shrunk) if _seen(work, f)]
    grown = tuple(f for f in rest if f.delta > 0)
    return Scan((*new, *grown), tuple(f for f in rest if f.delta <= 0), found.tested)


def _sampled(work: Comparison, found: Found) -> Found:
    test = work.model(Rows(found.rates[None, :], found.mix[None, :]))
    p = float(min(test.growth[0], test.shrinkage[0]))
    error, freedom = float(test.error[0]), float(test.freedom[0])
    return replace(found, error=error, freedom=freedom, p=p, q=1.0, stands=False)


def _large(work: Comparison, found: tuple[Found, ...]) -> tuple[Found, ...]:
    least = work.options.smallest
    return tuple(replace(f, stands=f.stands and abs(f.delta) >= least) for f in found)


def _seen(work: Comparison, found: Found) -> bool:
    return bool(found.rates[work.design.base].sum() > 0)


def _exact(work: Comparison, found: Found) -> Found:
    """All hits fell on new by chance, binomial."""
    base, new = (1 / work.design.grain[side].mean() for side in work.design.sides)
    hits = (found.rates / work.design.grain)[work.design.new].sum()
    return replace(found, p=float((new / (base + new)) ** hits))


def _claims(
    work: Comparison, found: list[Found], taken: list[Found], halves: dict[int, tuple[Pair, int]]
) -> tuple[Claim, ...]:
    made = []
    for position, each in enumerate(found):
        claim = _claim(work, each, position + 1, taken)
        if position in halves:
            pair, partner = halves[position]
            claim = replace(claim, label=pair.label, partner=partner + 1)
        made.append(claim)
    return tuple(made)


def _claim(work: Comparison, found: Found, rank: int, taken: list[Found]) -> Claim:
    codes = work.tree.path(found.node)
    function = next(code for code in reversed(codes) if _is_named(work, code))
    low, high = _limits(work, found)
    parts = _parts(work, found, taken)
    return Claim(
        rank=rank,
        path=tuple(_name(work, code) for code in codes),
        function=_name(work, function),
        subsystem=_charged(work, function, parts),
        base=float(found.rates[work.design.base].mean()),
        new=float(found.rates[work.design.new].mean()),
        delta=found.delta,
        low=low,
        high=high,
        p=found.p,
        q=found.q,
        label=_label(work, found),
        children=_children(work, found, taken),
        parts=parts,
        cv=_spread_to_explain(work, found),
    )


def _charged(work: Comparison, function: int, parts: tuple[Child, ...]) -> str:
    """The function's own subsystem; for a helper, the one that is charged for most of it."""
    frame = work.runs.frames[function]
    return parts[0].function if frame.role == "helper" and parts else frame.subsystem


def _name(work: Comparison, code: int) -> str:
    frame = work.runs.frames[code]
    return frame.subsystem if work.options.tree == "subsystem" else frame.name


def _label(work: Comparison, found: Found) -> str:
    if found.delta > 0 and not _seen(work, found):
        return "new path"
    return "unreplicated" if work.unreplicated else ""


def _limits(work: Comparison, found: Found) -> tuple[float, float]:
    if work.unreplicated and not _seen(work, found):
        grain = work.design.grain[work.design.new][0]
        hits = found.rates[work.design.new][0] / grain
        low, high = special.gammaincinv(hits, 0.025), special.gammaincinv(hits + 1, 0.975)
        return float(low * grain), float(high * grain)
    reach = float(special.stdtrit(found.freedom, 0.975)) * found.error
    return found.delta - reach, found.delta + reach


def _spread_to_explain(work: Comparison, found: Found) -> float | None:
    """The run-to-run spread at which a change like this is no surprise."""
    if not work.unreplicated:
        return None
    mean = found.rates.mean()
    return float(abs(found.delta) / (mean * np.sqrt(2) * SURE)) if mean else None


def _delta(work: Comparison, rates: Floats) -> float:
    base, new = (rates[side].mean() for side in work.design.sides)
    return float(new - base)


def _children(work: Comparison, found: Found, taken: list[Found]) -> tuple[Child, ...]:
    """Which callees carry the claim, from where it first divides."""
    earlier = _earlier(work, found, taken)
    node = found.node
    while True:
        parts = [
            (child, _left(work, child, earlier)) for child in work.tree.children(node).tolist()
        ]
        single = [child for child, delta in parts if delta / found.delta >= CARRIES]
        if not single:
            break
        node = single[0]
    own = _left(work, node, earlier) - sum(delta for _, delta in parts)
    named = [(_name(work, work.tree.chain[child][0]), delta) for child, delta in parts]
    if parts and node != ROOT:
        named.append((f"{_name(work, work.tree.chain[node][-1])} itself", own))
    return _listed(named, found.delta)


def _listed(named: list[tuple[str, float]], whole: float) -> tuple[Child, ...]:
    kept = sorted(named, key=lambda part: (-part[1] / whole, part[0]))
    return tuple(
        Child(function=name, delta=delta, share=delta / whole)
        for name, delta in kept
        if abs(delta / whole) >= SHOWN
    )


def _earlier(work: Comparison, found: Found, taken: list[Found]) -> list[Found]:
    return [f for f in taken if f.node != found.node and found.node in work.tree.ancestors(f.node)]


def _left(work: Comparison, node: int, earlier: list[Found]) -> float:
    """The delta of a node without the claims below it."""
    whole = _delta(work, work.rows.rates[node])
    return whole - sum(
        f.delta for f in earlier if f.node == node or node in work.tree.ancestors(f.node)
    )


def _parts(work: Comparison, found: Found, taken: list[Found]) -> tuple[Child, ...]:
    """Which subsystems carry the claim, by the charge of its stacks."""
    mask = work.tree.below(found.node)
    for each in _earlier(work, found, taken):
        mask &= ~work.tree.below(each.node)
    stacks = np.flatnonzero(mask[work.tree.leaf])
    names = work.runs.subsystems
    rates = gathered(work.runs.blame[stacks], len(names), work.rate[stacks])
    return _listed(
        [(name, _delta(work, rates[row])) for row, name in enumerate(names)], found.delta
    )


def _unattributed(work: Comparison, claimed: list[Found]) -> Change:
    """The total as measured without every claim, with its interval: also what all paths share."""
    total = work.total()
    left = total.rates[0] - sum(claim.rates for claim in claimed)
    test = work.whole(Rows(np.maximum(left, 0.0)[None, :], total.mix))
    low, high = test.limits()
    return Change(
        base=float(left[work.design.base].mean()),
        new=float(left[work.design.new].mean()),
        delta=_delta(work, left),
        low=float(low[0]),
        high=float(high[0]),
    )
