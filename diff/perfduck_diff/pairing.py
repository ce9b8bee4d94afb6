"""Cost that only moved: a growth and a shrinkage that cancel.

+ 812 ns  handle_softirqs > net_rx_action > napi_poll_v2
- 809 ns  handle_softirqs > net_rx_action > napi_poll        renamed: same parent
+ 790 ns  ksoftirqd > ... > udp_rcv
- 801 ns  do_syscall_64 > ... > udp_rcv                      moved: same function
-  75 ns  udp_sendmsg > csum_partial
+  74 ns  udp_sendmsg, without what is claimed below it      inlined: into its caller
"""

from dataclasses import dataclass

import numpy as np

from perfduck_diff.moderated import Moderated, Rows
from perfduck_diff.scan import Found
from perfduck_diff.tree import ROOT, Tree

LEFT_OVER = 1 / 3  # of the larger half: more than that grew or shrank besides moving


@dataclass(frozen=True, slots=True)
class Pair:
    """Positions in the lists of growth and of shrinkage, and what happened."""

    grown: int
    shrunk: int
    label: str


def pairs(tree: Tree, model: Moderated, grown: list[Found], shrunk: list[Found]) -> list[Pair]:
    """Match each half at most once, the best cancelling first."""
    candidates = sorted(
        (rest, up, down, label)
        for up, more in enumerate(grown)
        for down, less in enumerate(shrunk)
        if (label := _label(tree, more.node, less.node))
        and (rest := _rest(model, more, less)) is not None
    )
    matched: list[Pair] = []
    for _, up, down, label in candidates:
        if all(up != pair.grown and down != pair.shrunk for pair in matched):
            matched.append(Pair(up, down, label))
    return matched


def _label(tree: Tree, up: int, down: int) -> str:
    """What would make of one the other; '' if they have nothing in common."""
    if ROOT in (up, down):
        return ""
    if tree.chain[up][-1] == tree.chain[down][-1]:
        return "moved"
    if up in tree.ancestors(down) or down in tree.ancestors(up):
        return "inlined"
    return "renamed" if tree.parent[up] == tree.parent[down] else ""


def _rest(model: Moderated, up: Found, down: Found) -> float | None:
    """What is left of the two in standard errors, None if that is more than noise."""
    larger = max(up.delta, -down.delta)
    if abs(up.delta + down.delta) > LEFT_OVER * larger:
        return None
    together = Rows((up.rates + down.rates)[None, :], (up.mix + down.mix)[None, :])
    z = float(np.abs(model(together).z[0]))
    return z if z <= 2 else None
