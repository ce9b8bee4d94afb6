import numpy as np
import pytest
from made_runs import PERIOD, runs_of

from perfduck_diff.engine.flame import ROOT, Flame, flame, hottest

# base, base, new, new; 10,000 packets each
HITS = {
    "do_syscall_64;net/send;net/copy": [100, 110, 100, 110],
    "do_syscall_64;net/send": [10, 10, 10, 10],
    "user/main;do_syscall_64;net/send;nat/translate": [0, 0, 40, 44],
    "handle_softirqs;net/poll;net/poll;net/poll": [20, 20, 0, 0],
}
BASE, NEW = np.arange(2), np.arange(2, 4)
PER_HIT = PERIOD / 1e4


def of(tree: str = "rerooted", **options: int) -> Flame:
    return flame(runs_of(HITS), BASE, NEW, tree=tree, **options)  # type: ignore[arg-type]


def node(drawn: Flame, *path: str) -> list[float]:
    found = drawn.find(path)
    assert found is not None, path
    return (drawn.inclusive()[found] / PER_HIT).tolist()


@pytest.mark.parametrize("tree", ["path", "rerooted", "subsystem"])
def test_all_weight_is_under_the_root_on_both_sides(tree: str) -> None:
    assert (of(tree).inclusive()[ROOT] / PER_HIT).tolist() == pytest.approx([135, 157])


def test_a_rerooted_tree_puts_system_calls_of_all_callers_together() -> None:
    assert node(of(), "do_syscall_64", "send") == pytest.approx([115, 157])
    assert node(of("path"), "main", "do_syscall_64", "send", "translate") == pytest.approx([0, 42])


def test_a_function_that_calls_itself_is_one_frame() -> None:
    drawn = of()
    assert node(drawn, "handle_softirqs", "poll") == pytest.approx([20, 0])
    assert drawn.find(("handle_softirqs", "poll", "poll")) is None


def test_parents_stand_before_children_and_the_heaviest_child_first() -> None:
    drawn = of()
    assert all(drawn.parent[n] < n for n in range(1, drawn.size))
    assert [drawn.name(n) for n in range(drawn.size)] == [
        "all", "do_syscall_64", "send", "copy", "translate", "handle_softirqs", "poll",
    ]  # fmt: skip


def test_what_is_folded_is_counted_and_stays_in_its_caller() -> None:
    drawn = of(most=4)
    assert drawn.size <= 4
    assert drawn.find(("handle_softirqs",)) is None
    assert drawn.folded == pytest.approx((20 / 135, 42 / 157))
    assert drawn.inclusive()[ROOT].tolist() == pytest.approx(of().inclusive()[ROOT].tolist())


def test_parts_are_charged_once_and_caught_once() -> None:
    drawn = of()
    for kind in ("self", "blamed"):
        pairs = np.array([getattr(part, kind) for part in drawn.parts])
        assert pairs.sum(axis=0) == pytest.approx(drawn.total)


def test_one_side_has_no_base() -> None:
    drawn = flame(runs_of(HITS), np.arange(0), np.arange(4))
    assert (drawn.inclusive()[ROOT] / PER_HIT).tolist() == pytest.approx([0, 146])


def test_the_hottest_functions_count_recursion_once() -> None:
    rows = {row.frame.name: row for row in hottest(runs_of(HITS), BASE)}
    assert rows["poll"].total / PER_HIT == pytest.approx(20)
    assert rows["send"].self / PER_HIT == pytest.approx(10)
    assert rows["send"].total / PER_HIT == pytest.approx(115)
