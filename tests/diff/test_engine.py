import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import answer, noisy, runs_of

from perfduck_diff.engine.result import shape
from perfduck_report import diff_words

NAMES = st.sampled_from(["do_syscall_64", "handle_softirqs", "udp/a", "udp/b", "nat/c", "d"])
STACK = st.lists(NAMES, min_size=1, max_size=6).map(";".join)
HITS = st.dictionaries(
    STACK, st.lists(st.integers(0, 3000), min_size=4, max_size=4), min_size=1, max_size=25
)

GROWTH = {
    "do_syscall_64;ip/ip_output": (900, 900),
    "do_syscall_64;ip/ip_output;udp/udp_sendmsg": (700, 700),
    "do_syscall_64;udp/udp_sendmsg;slab/kmem_cache_alloc": (400, 400),
    "handle_softirqs;dev_rx/net_rx_action;ip/ip_rcv": (1500, 1500),
    "handle_softirqs;dev_rx/net_rx_action;ip/ip_rcv;nat/nf_nat_in": (500, 1000),
    "handle_softirqs;dev_rx/net_rx_action;bridge/br_handle_frame": (0, 800),
}


@pytest.mark.slow
@given(HITS)
@settings(max_examples=40, deadline=None)
def test_claims_and_the_rest_add_up_to_the_growth_of_the_total(hits: dict[str, list[int]]) -> None:
    found = answer(runs_of(hits), 2)
    parts = [claim.delta for claim in (*found.claims, *found.shrunk)]
    assert sum(parts) + found.unattributed.delta == pytest.approx(found.total.delta, abs=1e-6)


@pytest.mark.slow
@given(HITS)
@settings(max_examples=25, deadline=None)
def test_subsystems_add_up_to_the_total(hits: dict[str, list[int]]) -> None:
    found = answer(runs_of(hits), 2)
    assert sum(row.delta for row in found.subsystems) == pytest.approx(found.total.delta, abs=1e-6)


@pytest.mark.slow
@given(HITS)
@settings(max_examples=25, deadline=None)
def test_the_same_runs_twice_are_silent(hits: dict[str, list[int]]) -> None:
    doubled = {stack: [row[0], row[1], row[0], row[1]] for stack, row in hits.items()}
    found = answer(runs_of(doubled), 2)
    assert (found.claims, found.shrunk, found.total.delta) == ((), (), 0)


@pytest.mark.slow
@given(HITS, st.permutations([0, 1]), st.permutations([2, 3]))
@settings(max_examples=25, deadline=None)
def test_the_order_of_runs_does_not_matter(
    hits: dict[str, list[int]], base: list[int], new: list[int]
) -> None:
    found = answer(runs_of(hits), 2)
    other = answer(runs_of({s: [row[i] for i in base + new] for s, row in hits.items()}), 2)
    assert [(c.path, c.rank) for c in found.claims] == [(c.path, c.rank) for c in other.claims]
    assert found.total.delta == pytest.approx(other.total.delta)
    assert found.verdict == other.verdict


@pytest.mark.slow
@given(HITS)
@settings(max_examples=30, deadline=None)
def test_swapping_the_sides_turns_growth_into_shrinkage(hits: dict[str, list[int]]) -> None:
    found = answer(runs_of(hits), 2)
    other = answer(runs_of({s: [*row[2:], *row[:2]] for s, row in hits.items()}), 2)
    assert sorted(c.path for c in found.claims) == sorted(c.path for c in other.shrunk)


def test_each_growth_is_claimed_once_and_ranked_by_size() -> None:
    found = answer(noisy(GROWTH, 3), 3)
    assert [claim.function for claim in found.claims] == ["br_handle_frame", "nf_nat_in"]
    assert [claim.label for claim in found.claims] == ["new path", ""]
    assert found.claims[0].low < 80 < found.claims[0].high
    assert found.verdict == "regression"


def test_a_stack_is_cut_where_the_softirq_begins() -> None:
    found = answer(noisy(GROWTH, 3), 3)
    assert found.claims[0].path[0] == "handle_softirqs"
    nested = {"do_syscall_64;udp/udp_sendmsg;" + k: v for k, v in GROWTH.items()}
    assert answer(noisy(nested, 3), 3).claims[0].path == found.claims[0].path
    whole = answer(noisy(nested, 3), 3, tree="path").claims[0].path
    assert whole[:2] == ("do_syscall_64", "udp_sendmsg")


def test_the_subsystem_tree_speaks_of_subsystems() -> None:
    found = answer(noisy(GROWTH, 3), 3, tree="subsystem")
    assert found.claims[0].path == ("softirq", "dev_rx", "bridge")


def test_recursion_is_counted_once() -> None:
    once = answer(runs_of({"a;b": [100, 100, 300, 300]}), 2)
    often = answer(runs_of({"a;b;b;b": [100, 100, 300, 300]}), 2)
    assert often.total == once.total
    assert often.claims[0].path == once.claims[0].path == ("a", "b")


def test_one_run_a_side_is_inconclusive_and_says_what_would_explain_it() -> None:
    found = answer(noisy({**GROWTH, "d": (1000, 2500)}, 1), 1)
    assert found.verdict == "inconclusive"
    assert [claim.function for claim in found.claims] == ["br_handle_frame"]
    assert found.claims[0].low > 60
    [grown] = [claim for claim in found.below if claim.function == "d"]
    assert grown.cv == pytest.approx(0.37, abs=0.03)


def test_pairs_remove_what_two_runs_have_in_common() -> None:
    drift = np.array([1.0, 1.6, 0.7, 1.2, 0.9])
    hits = {"a": [*(3000 * drift), *(3300 * drift)], "b": 2 * [*(5000 * drift)]}
    runs = runs_of(hits)
    assert answer(runs, 5).claims == ()
    plain, paired = answer(runs, 5).total, answer(runs, 5, paired=True).total
    assert paired.p is not None
    assert plain.p is not None
    assert paired.p < plain.p


MOVED = [
    ("handle_softirqs;x;udp_rcv", "do_syscall_64;y;udp_rcv", "moved"),
    ("handle_softirqs;poll_old;z", "handle_softirqs;poll_new;z", "renamed"),
    ("handle_softirqs;poll_old", "handle_softirqs;poll_new", "renamed"),
    ("handle_softirqs;x;csum_partial", "handle_softirqs;x", "inlined"),
]
BESIDE = {"handle_softirqs;x;other": (2000, 2000), "do_syscall_64;y;p": (900, 900)}


@pytest.mark.parametrize(("base", "new", "label"), MOVED)
def test_cost_that_only_moved_is_labelled_and_is_no_growth(base: str, new: str, label: str) -> None:
    found = answer(noisy({**BESIDE, base: (1000, 0), new: (0, 1000)}, 3), 3, tolerance=0.2)
    assert (found.claims, found.shrunk) == ((), ())
    assert [move.label for move in found.moves] == [label]
    assert found.moves[0].moved == pytest.approx(100, rel=0.1)
    assert found.moves[0].source[-1] == base.split(";")[-1] or label == "renamed"
    assert found.verdict == "pass"


@pytest.mark.parametrize(("base", "new", "label"), MOVED)
def test_growth_beside_a_move_is_found_and_is_net_of_it(base: str, new: str, label: str) -> None:
    found = answer(noisy({**BESIDE, base: (1000, 0), new: (0, 2000)}, 3), 3)
    [claim] = found.claims
    assert claim.delta == pytest.approx(100, rel=0.1)
    assert found.shrunk == ()
    assert found.verdict == "regression"
    assert (claim.label, claim.moved) == (label, pytest.approx(100, rel=0.1))


@pytest.mark.parametrize(("one", "other", "label"), MOVED)
def test_what_moved_goes_from_base_to_new(one: str, other: str, label: str) -> None:
    for weight in (600, 1700):  # of new: the lighter side is laid over the heavier
        ends = {**BESIDE, one: (1000, 0), other: (0, weight)}
        back = {**BESIDE, one: (0, 1000), other: (weight, 0)}
        [there], [here] = (answer(noisy(runs, 3), 3).moves for runs in (ends, back))
        assert (there.source, there.path) == (here.path, here.source)
        for move, base, new in ((there, one, other), (here, other, one)):
            assert {"outlined": "inlined"}.get(move.label, move.label) == label
            assert set(move.source) <= set(base.split(";"))
            assert set(move.path) <= set(new.split(";"))


NAMED, NAMELESS = "do_syscall_64;y;vdso/gettime", "do_syscall_64;y;vdso/[unknown] in vdso"


@pytest.mark.parametrize(
    ("base", "new", "side"), [(NAMED, NAMELESS, "base"), (NAMELESS, NAMED, "new")]
)
def test_a_side_without_a_name_renamed_nothing(base: str, new: str, side: str) -> None:
    same = answer(noisy({**BESIDE, base: (1000, 0), new: (0, 1000)}, 3), 3)
    assert (same.claims, same.shrunk) == ((), ())
    said = diff_words.moved(same.moves[0])
    assert f"(with callees) of gettime has that name in {side} only" in said
    grown = answer(noisy({**BESIDE, base: (1000, 0), new: (0, 2000)}, 3), 3)
    assert f"has a name in {side} only; net +" in diff_words.label(grown.claims[0])


def test_what_base_has_of_a_new_path_is_said_to_have_moved_there() -> None:
    hits = {
        **BESIDE,
        "handle_softirqs;x;ip_rcv;sock_wfree": (250, 0),
        "handle_softirqs;x;bridge/br;sock_wfree": (0, 400),
        "handle_softirqs;x;bridge/br;nat/n": (0, 6000),
        "handle_softirqs;x;bridge/br": (0, 3000),
        "handle_softirqs;x;ip_rcv": (800, 800),
    }
    found = answer(noisy(hits, 3), 3)
    [claim] = found.claims
    assert (claim.label, claim.function) == ("new path", "br")
    assert claim.base == pytest.approx(25, rel=0.1)
    assert claim.moved == pytest.approx(claim.base)
    assert claim.source == ("handle_softirqs", "x", "ip_rcv", "sock_wfree")
    size = diff_words.amount(claim.base)
    assert diff_words.label(claim).startswith(f"new path; {size} moved here, the largest part from")
    parts = [each.delta for each in (*found.claims, *found.shrunk)]
    assert sum(parts) + found.unattributed.delta == pytest.approx(found.total.delta)


def test_a_renamed_entry_with_a_dispatcher_below_it_is_no_growth() -> None:
    calls = {name: 300 + 40 * number for number, name in enumerate("abcdef")}
    base = {f"do_syscall_64;vfs/{name}": (hits, 0) for name, hits in calls.items()}
    new = {f"do_syscall;x64_sys_call;vfs/{name}": (0, hits) for name, hits in calls.items()}
    own = {"do_syscall_64": (400, 0), "do_syscall": (0, 400)}
    found = answer(noisy({**base, **new, **own}, 3), 3)
    assert (found.claims, found.shrunk) == ((), ())


def test_a_claim_says_which_callees_and_subsystems_carry_it() -> None:
    grown = {
        "handle_softirqs;x;bridge/br;nat/n": (0, 600),
        "handle_softirqs;x;bridge/br;conntrack/c": (0, 300),
        "handle_softirqs;x;bridge/br": (0, 100),
        "handle_softirqs;x": (3000, 3000),
    }
    [claim] = answer(noisy(grown, 3), 3).claims
    assert [child.function for child in claim.children] == ["n", "c", "br itself"]
    assert [part.function for part in claim.parts] == ["nat", "conntrack", "bridge"]
    assert sum(child.share for child in claim.children) == pytest.approx(1)


def test_without_work_a_diff_is_per_cpu_second_and_says_so() -> None:
    runs = runs_of({"a": [100, 100, 100, 100]}, work=None)
    found = answer(runs, 2, tolerance=0.5)
    assert (found.unit, found.verdict) == ("ms/cpu-s", "pass")
    assert "work is not known" in found.reasons[0].text


def test_work_on_one_side_only_leaves_no_verdict() -> None:
    runs = runs_of({"a": [100, 100, 100, 100]}, work=[1e4, 1e4, None, None])
    assert answer(runs, 2).verdict == "inconclusive"


def test_a_warm_machine_in_one_run_costs_power_not_truth() -> None:
    random = np.random.default_rng(3)
    hits = {f"do_syscall_64;f{i}": random.poisson(300, 6).astype(float) for i in range(40)}
    for row in hits.values():
        row[5] *= 1.15
    assert answer(runs_of(hits), 3).claims == ()


def test_json_has_the_agreed_keys_and_no_nan() -> None:
    text = json.dumps(shape(answer(noisy(GROWTH, 1), 1)), allow_nan=False)
    found = json.loads(text)
    assert {"unit", "event", "base", "new", "verdict", "reasons", "total", "subsystems",
            "claims", "shrunk", "functions", "unattributed"} <= set(found)  # fmt: skip
    assert {"rank", "path", "function", "subsystem", "base", "new", "delta", "low", "high", "p",
            "q", "label"} <= set(found["claims"][0])  # fmt: skip


def test_a_growth_too_small_to_matter_is_not_claimed() -> None:
    runs = noisy(GROWTH, 3)
    assert len(answer(runs, 3, smallest=60.0).claims) == 1
    assert replace(answer(runs, 3, smallest=60.0), claims=()).below[0].function == "nf_nat_in"


def test_no_claim_is_the_whole_or_has_no_name() -> None:
    grown = {f"main;{name}": (20.0, 40.0) for name in "abcdefghij"}
    runs = runs_of({path: [int(b), int(b), int(n), int(n)] for path, (b, n) in grown.items()})
    spread = runs_of({name.split(";")[1]: [20, 20, 40, 40] for name in grown})
    for found in (answer(runs, 2), answer(spread, 2)):
        assert "all" not in {claim.function for claim in (*found.claims, *found.shrunk)}
    assert answer(spread, 2).total.delta > 0


def test_growth_in_code_without_a_name_is_claimed_by_its_caller() -> None:
    nameless = "[unknown] in libc.so.6"
    hits = {"main;work": [900] * 6, f"main;work;{nameless}": [300] * 3 + [900] * 3,
            nameless: [300] * 3 + [900] * 3, "[unknown]": [300] * 3 + [900] * 3}  # fmt: skip
    found = answer(runs_of(hits), 3)
    assert [claim.function for claim in found.claims] == ["work"]
    assert found.unattributed.delta > 1.5 * found.claims[0].delta
