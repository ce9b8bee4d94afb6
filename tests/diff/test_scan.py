import numpy as np
import pytest
from made_runs import noisy

from perfduck_diff.engine.comparison import Comparison, DiffOptions, measure
from perfduck_diff.engine.scan import enough, scan, weights

SMALL = {f"do_syscall_64;vfs/f{i}": (12, 12) for i in range(60)}
GROWN = {
    "do_syscall_64;tcp/tcp_sendmsg;tcp/tcp_push": (600, 1200),
    "do_syscall_64;tcp/tcp_sendmsg;socket/try_to_wake_up": (300, 650),
}


def _compared(means: dict[str, tuple[float, float]], *, swapped: bool = False) -> Comparison:
    sides = np.arange(3), np.arange(3, 6)
    return measure(noisy(means, 3), *(sides[::-1] if swapped else sides), DiffOptions())


def _named(work: Comparison, function: str) -> int:
    names = [work.runs.frames[chain[-1]].name if chain else "" for chain in work.tree.chain]
    return names.index(function)


def test_weights_are_one_on_average_and_blind_to_the_side() -> None:
    found = []
    for swapped in (False, True):
        work = _compared(SMALL | GROWN, swapped=swapped)
        tested = enough(work.rows, work.design, work.least)
        found.append(weights(work.rows, work.design, tested))
        assert found[-1][tested].mean() == pytest.approx(1)
    assert found[0] == pytest.approx(found[1])
    assert found[0][_named(work, "tcp_push")] > 5 * found[0][_named(work, "f1")]


def test_a_claim_is_as_sure_as_the_surest_node_in_it() -> None:
    """Wake-ups are expensive by chance, so the caller is less sure than tcp_push alone."""
    work = _compared(SMALL | GROWN)
    [claim] = scan(work.tree, work.rows, work.screen, work.least).grown
    caller, callee = (_named(work, name) for name in ("tcp_sendmsg", "tcp_push"))
    p = work.screen(work.rows[np.array([caller, callee])]).growth
    assert claim.node == caller
    assert claim.p == pytest.approx(p[1])
    assert p[1] < p[0]
