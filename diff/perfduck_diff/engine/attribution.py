"""From what the scan found to claims a person can read."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from perfduck_diff.engine import moves
from perfduck_diff.engine.alignment import Move
from perfduck_diff.engine.comparison import Comparison
from perfduck_diff.engine.moderated_t import NodeRates
from perfduck_diff.engine.pairing import Netted, netted
from perfduck_diff.engine.result import Change, Child, Claim, ExactTest, Moved
from perfduck_diff.engine.run_matrix import gathered
from perfduck_diff.engine.scan import LEVEL, NodeChange, Scan, judged, scan
from perfduck_diff.engine.tree import ROOT
from perfduck_model.arrays import Bool, Float64

SHOWN = 0.05  # of a claim's delta: smaller parts are not listed
CARRIES = 0.90  # a callee with this much of the claim is followed down
SURE = 1.645  # one-sided 95 %


@dataclass(frozen=True, slots=True)
class Attribution:
    """Claims by size, what missed the cut, and what is left over."""

    claims: tuple[Claim, ...]
    shrunk: tuple[Claim, ...]
    below: tuple[Claim, ...]
    moves: tuple[Moved, ...]
    unattributed: Change
    tested: int


def attribute(work: Comparison, exact: ExactTest | None = None) -> Attribution:
    """Scan, net and describe."""
    scanned = _scanned(work)
    scan, groups = netted(work.tree, work.screen, scanned, LEVEL)
    scan = _screened(work, scan)
    if exact is not None:
        scan = _shown(scan, exact)
    grown = _ordered([f for f in scan.grown if f.is_significant])
    shrunk = _ordered([f for f in scan.shrunk if f.is_significant])
    nets = {group.change.node: group for group in groups}
    rest = [f for f in (*scan.grown, *scan.shrunk) if not f.is_significant and f.node not in nets]
    context = _Context(
        [*scanned.grown, *scanned.shrunk], [*moves.renames(work), *work.aligned.moves], nets
    )
    return Attribution(
        claims=_claims(work, grown, context),
        shrunk=_claims(work, shrunk, context),
        below=_claims(work, _ordered(rest), context),
        moves=moves.listed(work, context.moves, list(_standing(groups, scan))),
        unattributed=_unattributed(work, [*grown, *shrunk]),
        tested=scan.tested,
    )


@dataclass(frozen=True, slots=True)
class _Context:
    """What a claim is described with."""

    taken: list[NodeChange]  # all that the scan took out of the tree
    moves: list[Move]
    nets: dict[int, Netted]  # by node


def _standing(groups: list[Netted], scan: Scan) -> Iterator[Netted]:
    """Groups with what became of them: only what is large enough is significant."""
    now = {each.node: each for each in (*scan.grown, *scan.shrunk)}
    for group in groups:
        yield replace(group, change=now[group.change.node])


def _scanned(work: Comparison) -> Scan:
    """The scan over the nodes that a claim can name: not the whole, nor code without a name."""
    can_claim = np.array([any(_is_named(work, code) for code in part) for part in work.tree.chain])
    return scan(work.tree, work.rows, work.screen, work.least, LEVEL, can_claim)


def _is_named(work: Comparison, code: int) -> bool:
    return _name(work, code) != "unknown" and not work.runs.frames[code].is_nameless


def _ordered(changes: list[NodeChange]) -> list[NodeChange]:
    return sorted(changes, key=lambda claim: (-abs(claim.delta), claim.node))


def _screened(work: Comparison, scan: Scan) -> Scan:
    """Without replicates only new paths stand; everywhere only what is large enough."""
    if work.unreplicated:
        return _unreplicated(work, scan)
    if not work.options.smallest:
        return scan
    return Scan(_large(work, scan.grown), _large(work, scan.shrunk), scan.tested)


def _shown(scan: Scan, exact: ExactTest) -> Scan:
    """Nothing is claimed where the exact test does not show that anything changed that way."""
    sides = ((scan.grown, exact.growth), (scan.shrunk, exact.shrinkage))
    grown, shrunk = (
        tuple(replace(f, is_significant=f.is_significant and p <= exact.level) for f in changes)
        for changes, p in sides
    )
    return Scan(grown, shrunk, scan.tested)


def _unreplicated(work: Comparison, scan: Scan) -> Scan:
    """Only a path that base never had is significant, by exact test."""
    exact = [_exact(work, f) for f in scan.grown if not _seen(work, f)]
    new = judged(exact, scan.tested, LEVEL)
    rest = [_sampled(work, f) for f in (*scan.grown, *scan.shrunk) if _seen(work, f)]
    grown = tuple(f for f in rest if f.delta > 0)
    return Scan((*new, *grown), tuple(f for f in rest if f.delta <= 0), scan.tested)


def _sampled(work: Comparison, change: NodeChange) -> NodeChange:
    test = work.model(NodeRates(change.rates[None, :], change.mix[None, :]))
    p = float(min(test.growth[0], test.shrinkage[0]))
    error, freedom = float(test.error[0]), float(test.freedom[0])
    return replace(change, error=error, freedom=freedom, p=p, q=1.0, is_significant=False)


def _large(work: Comparison, changes: tuple[NodeChange, ...]) -> tuple[NodeChange, ...]:
    least = work.options.smallest
    return tuple(
        replace(f, is_significant=f.is_significant and abs(f.delta) >= least) for f in changes
    )


def _seen(work: Comparison, change: NodeChange) -> bool:
    return bool(change.rates[work.design.base].sum() > 0)


def _exact(work: Comparison, change: NodeChange) -> NodeChange:
    """All hits fell on new by chance, binomial."""
    base, new = (1 / work.design.grain[side].mean() for side in work.design.sides)
    hits = (change.rates / work.design.grain)[work.design.new].sum()
    return replace(change, p=float((new / (base + new)) ** hits))


def _claims(work: Comparison, changes: list[NodeChange], context: _Context) -> tuple[Claim, ...]:
    return tuple(_claim(work, each, rank, context) for rank, each in enumerate(changes, 1))


def _claim(work: Comparison, change: NodeChange, rank: int, context: _Context) -> Claim:
    codes = work.tree.path(change.node)
    function = next(code for code in reversed(codes) if _is_named(work, code))
    low, high = _limits(work, change)
    stacks = _stacks(work, change, context.taken)
    net = context.nets.get(change.node)
    whole = change.delta + (np.sign(change.delta) * net.moved if net else 0.0)
    parts = _parts(work, stacks, whole)
    base, new = (float(change.rates[side].mean()) for side in work.design.sides)
    came = _origin(work, net) or moves.origin(work, context.moves, stacks, max(base, new))
    laid_over = moves.laid_over(work, context.moves, stacks)
    label = _label(work, change, came, laid_over.moved)
    if label == "new path":
        came = laid_over  # all that base has of it, notable or not
    return Claim(
        rank=rank,
        path=tuple(_name(work, code) for code in codes),
        function=_name(work, function),
        subsystem=_charged(work, function, parts),
        base=base,
        new=new,
        delta=change.delta,
        low=low,
        high=high,
        p=change.p,
        q=change.q,
        label=label,
        moved=came.moved if came else 0.0,
        source=moves.named(work, came.source) if came else (),
        target=moves.named(work, came.target) if came else (),
        children=_children(work, change, context.taken, whole),
        parts=parts,
        cv=_spread_to_explain(work, change),
    )


def _origin(work: Comparison, net: Netted | None) -> moves.Origin | None:
    """Where most of a group's lesser sign is: before if it shrank, now if it grew."""
    if net is None:
        return None
    half = max(net.halves, key=lambda half: (abs(half.delta), -half.node))
    other = tuple(work.tree.path(half.node))
    label = moves.kind(work, net.label, work.tree.chain[net.change.node][-1], other[-1])
    source, target = (other, ()) if net.change.delta > 0 else ((), other)
    return moves.Origin(label, net.moved, source, target)


def _charged(work: Comparison, function: int, parts: tuple[Child, ...]) -> str:
    """The function's own subsystem; for a helper, the one that is charged for most of it."""
    frame = work.runs.frames[function]
    return parts[0].function if frame.role == "helper" and parts else frame.subsystem


def _name(work: Comparison, code: int) -> str:
    frame = work.runs.frames[code]
    return frame.subsystem if work.options.tree == "subsystem" else frame.name


def _label(work: Comparison, change: NodeChange, came: moves.Origin | None, moved: float) -> str:
    """`moved`: what of it was laid over, notable or not. The path is new if base had but that."""
    if came and not work.unreplicated:
        return came.label
    if change.delta > 0 and change.rates[work.design.base].mean() <= moved * (1 + 1e-9):
        return "new path"
    return "unreplicated" if work.unreplicated else ""


def _limits(work: Comparison, change: NodeChange) -> tuple[float, float]:
    if work.unreplicated and not _seen(work, change):
        grain = work.design.grain[work.design.new][0]
        hits = change.rates[work.design.new][0] / grain
        low, high = special.gammaincinv(hits, 0.025), special.gammaincinv(hits + 1, 0.975)
        return float(low * grain), float(high * grain)
    reach = float(special.stdtrit(change.freedom, 0.975)) * change.error
    return change.delta - reach, change.delta + reach


def _spread_to_explain(work: Comparison, change: NodeChange) -> float | None:
    """The run-to-run spread at which a change like this is no surprise."""
    if not work.unreplicated:
        return None
    mean = change.rates.mean()
    return float(abs(change.delta) / (mean * np.sqrt(2) * SURE)) if mean else None


def _delta(work: Comparison, rates: Float64) -> float:
    base, new = (rates[side].mean() for side in work.design.sides)
    return float(new - base)


def _children(
    work: Comparison, change: NodeChange, taken: list[NodeChange], claimed: float
) -> tuple[Child, ...]:
    """Which callees carry the claim, from where it first divides."""
    earlier = _earlier(work, change, taken)
    node = change.node
    while True:
        parts = [
            (child, _left(work, child, earlier)) for child in work.tree.children(node).tolist()
        ]
        single = [child for child, delta in parts if delta / claimed >= CARRIES]
        if not single:
            break
        node = single[0]
    own = _left(work, node, earlier) - sum(delta for _, delta in parts)
    named = [(_name(work, work.tree.chain[child][0]), delta) for child, delta in parts]
    if parts and node != ROOT:
        named.append((f"{_name(work, work.tree.chain[node][-1])} itself", own))
    return _listed(named, claimed)


def _listed(named: list[tuple[str, float]], whole: float) -> tuple[Child, ...]:
    by_weight = sorted(named, key=lambda part: (-part[1] / whole, part[0]))
    return tuple(
        Child(function=name, delta=delta, share=delta / whole)
        for name, delta in by_weight
        if abs(delta / whole) >= SHOWN
    )


def _earlier(work: Comparison, change: NodeChange, taken: list[NodeChange]) -> list[NodeChange]:
    return [
        f for f in taken if f.node != change.node and change.node in work.tree.ancestors(f.node)
    ]


def _left(work: Comparison, node: int, earlier: list[NodeChange]) -> float:
    """The delta of a node without the claims below it."""
    whole = _delta(work, work.rows.rates[node])
    return whole - sum(
        f.delta for f in earlier if f.node == node or node in work.tree.ancestors(f.node)
    )


def _stacks(work: Comparison, change: NodeChange, taken: list[NodeChange]) -> Bool:
    """The stacks of a claim: without those of claims below it."""
    mask = work.tree.below(change.node)
    for each in _earlier(work, change, taken):
        mask &= ~work.tree.below(each.node)
    return np.asarray(mask[work.tree.leaf])


def _parts(work: Comparison, stacks: Bool, claimed: float) -> tuple[Child, ...]:
    """Which subsystems carry the claim, by the charge of its stacks."""
    names = work.runs.subsystems
    rates = gathered(work.runs.blame[stacks], len(names), work.rate[stacks])
    return _listed([(name, _delta(work, rates[row])) for row, name in enumerate(names)], claimed)


def _unattributed(work: Comparison, claimed: list[NodeChange]) -> Change:
    """The total as measured without every claim, with its interval: also what all paths share."""
    total = work.total()
    rest = total.rates[0] - sum(claim.rates for claim in claimed)
    test = work.whole(NodeRates(np.maximum(rest, 0.0)[None, :], total.mix))
    low, high = test.limits()
    return Change(
        base=float(rest[work.design.base].mean()),
        new=float(rest[work.design.new].mean()),
        delta=_delta(work, rest),
        low=float(low[0]),
        high=float(high[0]),
    )
