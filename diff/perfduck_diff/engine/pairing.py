"""Cost that moved between paths that both sides have: growth and shrinkage of one group are netted.

+ 812 ns  ksoftirqd > ... > udp_rcv
- 301 ns  do_syscall_64 > ... > udp_rcv                      moved: same function
- 480 ns  asm_sysvec_call_function > ... > udp_rcv           moved: many to one
+  31 ns  what is left: the net, tested like any growth

What may have become what: the same function at the end of the path, a caller or callee of it, or a
sibling. Among these as much as possible is matched, the likeliest first (a transport problem,
scipy.optimize.linprog), and halves that exchange a notable part of either are one group. Its claim
is the sum of all of its halves, run by run, so the interval includes how they vary together.
"""

from dataclasses import dataclass, replace

import numpy as np

from perfduck_diff.engine.moderated_t import ModeratedTTest, NodeRates
from perfduck_diff.engine.scan import NodeChange, Scan, judged
from perfduck_diff.engine.tree import ROOT, Tree
from perfduck_model.arrays import Float64

NOTABLE = 0.2  # part of the larger half that has to be matched for the two to be of one group
_LIKELY = {"moved": 1.0, "inlined": 0.9, "renamed": 0.8}


@dataclass(frozen=True, slots=True)
class Netted:
    """A group of halves: what is left of them, and what of it only moved."""

    change: NodeChange
    label: str
    halves: tuple[NodeChange, ...]  # of the other sign
    moved: float  # what the halves of the lesser sign add up to


def netted(
    tree: Tree, model: ModeratedTTest, scan: Scan, level: float
) -> tuple[Scan, list[Netted]]:
    """The scan with every group as one, and the groups. Only groups with a significant half."""
    groups = [
        group
        for group in _groups(tree, list(scan.grown), list(scan.shrunk))
        if any(half.is_significant for half in group)
    ]
    if not groups:
        return scan, []
    nets = [_net(tree, model, group) for group in groups]
    gone = {half.node for group in groups for half in group}
    lists = []
    for halves, is_growth in ((scan.grown, True), (scan.shrunk, False)):
        remaining = [half for half in halves if half.node not in gone]
        remaining += [net.change for net in nets if (net.change.delta > 0) is is_growth]
        lists.append(judged(remaining, scan.tested, level))
    netted_scan = Scan(lists[0], lists[1], scan.tested)
    by_node = {half.node: half for half in (*netted_scan.grown, *netted_scan.shrunk)}
    return netted_scan, [replace(net, change=by_node[net.change.node]) for net in nets]


def _groups(
    tree: Tree, grown: list[NodeChange], shrunk: list[NodeChange]
) -> list[list[NodeChange]]:
    flow = _flow(tree, grown, shrunk)
    group = {half.node: half.node for half in (*grown, *shrunk)}

    def top(node: int) -> int:
        while group[node] != node:
            node = group[node]
        return node

    for row, more in enumerate(grown):
        for column, less in enumerate(shrunk):
            if flow[row, column] > 0 and flow[row, column] >= NOTABLE * max(
                more.delta, -less.delta
            ):
                group[top(more.node)] = top(less.node)
    together: dict[int, list[NodeChange]] = {}
    for half in (*grown, *shrunk):
        together.setdefault(top(half.node), []).append(half)
    return [halves for halves in together.values() if len(halves) > 1]


def _flow(tree: Tree, grown: list[NodeChange], shrunk: list[NodeChange]) -> Float64:
    """How much of each shrinkage became which growth: grown x shrunk."""
    label = [[_label(tree, more.node, less.node) for less in shrunk] for more in grown]
    pairs = [(r, c) for r, row in enumerate(label) for c, text in enumerate(row) if text]
    flow = np.zeros((len(grown), len(shrunk)))
    if not pairs:
        return flow
    from scipy.optimize import linprog  # 0.1 s to load, and most comparisons need none

    limits = np.zeros((len(grown) + len(shrunk), len(pairs)))
    for number, (row, column) in enumerate(pairs):
        limits[row, number] = limits[len(grown) + column, number] = 1.0
    most = [*(more.delta for more in grown), *(-less.delta for less in shrunk)]
    value = [-_LIKELY[label[row][column]] for row, column in pairs]
    solved = linprog(value, A_ub=limits, b_ub=np.maximum(most, 0.0), method="highs")
    for (row, column), amount in zip(pairs, solved.x, strict=True):
        flow[row, column] = amount
    return flow


def _label(tree: Tree, up: int, down: int) -> str:
    """What would make of one the other; '' if they have nothing in common."""
    if ROOT in (up, down):
        return ""
    if tree.chain[up][-1] == tree.chain[down][-1]:
        return "moved"
    if up in tree.ancestors(down) or down in tree.ancestors(up):
        return "inlined"
    return "renamed" if tree.parent[up] == tree.parent[down] else ""


def _net(tree: Tree, model: ModeratedTTest, group: list[NodeChange]) -> Netted:
    rates = np.sum([half.rates for half in group], axis=0)
    mix = np.sum([half.mix for half in group], axis=0)
    test = model(NodeRates(rates[None, :], mix[None, :]))
    delta, error, freedom = (float(x[0]) for x in (test.delta, test.error, test.freedom))
    p = float(min(test.growth[0], test.shrinkage[0]))
    signs = [[half for half in group if (half.delta > 0) is (delta > 0) and half.delta]]
    signs.append([half for half in group if half not in signs[0]])
    largest = max(signs[0] or signs[1], key=lambda half: (abs(half.delta), -half.node))
    other = max(signs[1] or signs[0], key=lambda half: (abs(half.delta), -half.node))
    net = NodeChange(largest.node, rates, mix, delta, error, freedom, p, largest.weight)
    moved = abs(sum(half.delta for half in signs[1]))
    label = _label(tree, largest.node, other.node) or "moved"
    return Netted(net, label, tuple(signs[1]), moved)
