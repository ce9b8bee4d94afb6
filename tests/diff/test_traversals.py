"""Which station of its way a packet is at, and for which time in the stack."""

from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import answer, runs_of

import perfduck
from perfduck_diff.engine.dimensions import DIMENSIONS, NO_STATION
from perfduck_diff.engine.traversals import station_passes

LOOP = "handle_softirqs;process_backlog"
IN = "__netif_receive_skb_one_core"
BRIDGED = f"{LOOP};{IN};__netif_receive_skb_core;br_handle_frame;netif_receive_skb;{IN}"
OUT = "ip_output;ip_finish_output2;__dev_queue_xmit"


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        (f"{LOOP};{IN}", "__netif_receive_skb_core #1"),
        (f"{BRIDGED};nf_hook_slow", "__netif_receive_skb_core #2"),
        (f"{BRIDGED};ip_rcv;ip_forward", "ip_forward #1"),
        (f"{BRIDGED};ip_rcv;{OUT};br_dev_xmit;__dev_queue_xmit", "__dev_queue_xmit #2"),
        (f"{LOOP};{IN};ip_rcv;nf_hook_slow;ip_sabotage_in;ip_rcv_finish", "ip_rcv #1"),
        (f"{LOOP};{IN};ip_rcv;udp_rcv;vxlan_rcv;netif_rx;ip_rcv", "ip_rcv #2"),
        (f"{OUT};vxlan_xmit;ip_local_out;ip_output;nf_hook_slow", "ip_output #2"),
        # What was before the softirq loop is of another packet, or of this one: nobody knows.
        (f"{OUT};veth_xmit;do_softirq;{BRIDGED}", "__netif_receive_skb_core #2"),
        (f"{OUT};veth_xmit;do_softirq;{LOOP};kfree", NO_STATION),
        ("do_syscall_64;udp_recvmsg", NO_STATION),
    ],
)
def test_the_innermost_station_counts(stack: str, expected: str) -> None:
    names, numbers = DIMENSIONS["traversal"].values(runs_of({stack: [1]}))
    assert [names[number] for number in numbers] == [expected]


STATION = {"ip_rcv": "ip_rcv", "ip_list_rcv": "ip_rcv", "ip_output": "ip_output"}


@given(
    st.lists(
        st.lists(st.sampled_from([*STATION, "kfree", "do_IRQ"]), min_size=1), min_size=1, max_size=6
    )
)
def test_passes_are_counted_as_frame_by_frame(chains: list[list[str]]) -> None:
    runs = runs_of({f"{';'.join(chain)};leaf{i}": [1] for i, chain in enumerate(chains)})
    expected = []
    for row, chain in enumerate(chains):
        last = max((at for at, name in enumerate(chain) if name == "do_IRQ"), default=0)
        met: list[str] = []
        for station, _ in groupby(chain[last:], STATION.get):
            if station:
                met.append(station)
                expected.append((row, f"{station} #{met.count(station)}"))
    passes = station_passes(runs)
    found = zip(passes.stack.tolist(), passes.number.tolist(), strict=True)
    assert [(stack, passes.names[number]) for stack, number in found] == expected


def test_a_diff_has_a_row_for_each_station() -> None:
    runs = runs_of({f"{LOOP};{IN}": [100, 101, 99, 100], f"{BRIDGED};ip_rcv": [0, 0, 50, 51]})
    rows = {row.name: row.new for row in answer(runs, 2).split("traversal")}
    assert rows == pytest.approx({
        "__netif_receive_skb_core #1": answer(runs, 2).total.new - rows["ip_rcv #1"],
        "ip_rcv #1": rows["ip_rcv #1"],
    })  # fmt: skip
    assert rows["ip_rcv #1"] > 0


def test_top_counts_a_stack_once_for_each_pass(demo_store: Path) -> None:
    with perfduck.open(demo_store) as store:
        bridged = store.top("scenario=docker0-nat,workload=udp64", by="traversal", limit=100)
        native = store.top("scenario=native,workload=udp64", by="traversal", limit=100).frame
    rows = bridged.frame
    assert rows["self"].sum() == pytest.approx(bridged.data.total)
    total = dict(rows[["traversal", "total"]].iter_rows())
    assert 0 < total["__netif_receive_skb_core #2"] < total["__netif_receive_skb_core #1"]
    assert not native["traversal"].str.ends_with("#2").any()
