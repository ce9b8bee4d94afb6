import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import FIXTURES

from perfduck_tags.blame import blame
from perfduck_tags.direction import DIRECTIONS, ENTRIES, directions, entries, stations
from perfduck_tags.rules import DATA
from perfduck_tags.tagger import Tagger

RULES = DATA / "direction_rules.csv"

SENDTO = "udp_sendmsg inet_sendmsg __sys_sendto __x64_sys_sendto do_syscall_64"
SOFTIRQ = "process_backlog __napi_poll net_rx_action handle_softirqs"
ON_ENABLE = f"{SOFTIRQ} do_softirq __local_bh_enable_ip"
INLINE = f"{ON_ENABLE} __dev_queue_xmit ip_output ip_send_skb {SENDTO}"
RECEIVED = f"ip_rcv __netif_receive_skb_one_core {INLINE}"
DEVICE = "dev_hard_start_xmit __dev_queue_xmit"

STACKS = (
    ("egress", f"copy_from_iter {SENDTO}"),
    ("egress", f"nf_conntrack_in nf_hook_slow __ip_local_out ip_send_skb {SENDTO}"),
    ("egress", f"netif_rx veth_xmit {DEVICE} ip_output ip_send_skb {SENDTO}"),
    ("egress", f"br_forward br_dev_xmit {DEVICE} ip_output ip_send_skb {SENDTO}"),
    ("ingress", f"memcpy {SOFTIRQ} do_softirq __local_bh_enable_ip {DEVICE} {SENDTO}"),
    ("ingress", f"sock_def_readable __udp_enqueue_schedule_skb udp_queue_rcv_skb {RECEIVED}"),
    ("ingress", f"br_handle_frame_finish br_nf_hook_thresh __netif_receive_skb_core {INLINE}"),
    ("ingress", "_copy_to_iter udp_recvmsg sock_recvmsg __sys_recvfrom do_syscall_64"),
    ("ingress", "schedule __skb_wait_for_more_packets udp_recvmsg __sys_recvfrom"),
    ("forward", f"nf_nat_ipv4_out nf_hook_slow ip_output ip_forward {RECEIVED}"),
    ("forward", f"veth_xmit {DEVICE} br_forward br_handle_frame __netif_receive_skb_core {INLINE}"),
    ("forward", f"vxlan_xmit {DEVICE} ip_finish_output2 ip_output ip_forward {RECEIVED}"),
    ("forward", f"veth_xmit {DEVICE} skb_do_redirect __netif_receive_skb_core {INLINE}"),
    ("forward", f"bq_xmit_all xdp_do_flush veth_poll {SOFTIRQ}"),
    # An answer is a packet of its own, and what comes in while a socket is locked is not sent.
    ("egress", f"veth_xmit {DEVICE} __tcp_transmit_skb tcp_send_ack tcp_v4_rcv {RECEIVED}"),
    ("egress", f"__alloc_skb icmp_reply icmp_echo icmp_rcv {RECEIVED}"),
    ("ingress", f"tcp_ack tcp_v4_do_rcv __release_sock release_sock tcp_sendmsg {SENDTO}"),
    # Of a queue nobody knows who put the packet there.
    ("egress", f"veth_xmit {DEVICE} __qdisc_run net_tx_action handle_softirqs run_ksoftirqd"),
    ("egress", "napi_consume_skb virtnet_poll_tx __napi_poll net_rx_action handle_softirqs"),
    ("ingress", "skb_release_data tun_get_user tun_chr_write_iter vfs_write"),
    ("egress", f"tpacket_rcv dev_queue_xmit_nit {DEVICE} ip_output ip_send_skb {SENDTO}"),
    ("none", "unix_stream_sendmsg sock_write_iter vfs_write"),
    ("none", "udp_poll sock_poll do_select"),
    ("none", f"hrtimer_interrupt asm_sysvec_apic_timer_interrupt ip_rcv {INLINE}"),
    ("none", f"rcu_core handle_softirqs __local_bh_enable_ip {DEVICE} {SENDTO}"),
    ("none", "gc_worker process_one_work kthread"),
)


def tagged(names: list[str], dso: str = "[kernel.kallsyms]") -> pl.DataFrame:
    symbols = pl.DataFrame({"symbol_id": range(len(names)), "name": names, "dso": dso})
    return Tagger(kernel_release="6.18").tag(symbols.with_columns(address=pl.lit(None, pl.Int64)))


def direction(stack: str, dso: str = "[kernel.kallsyms]") -> str:
    names = list(dict.fromkeys(stack.split()))
    chain = [names.index(name) for name in stack.split()]
    stacks = pl.DataFrame({"stack_id": [7], "symbol_ids": [chain]})
    return str(blame(stacks, tagged(names, dso))["direction"].item())


@pytest.mark.parametrize(("expected", "stack"), STACKS)
def test_the_innermost_entry_decides(expected: str, stack: str) -> None:
    assert direction(stack) == expected


@pytest.mark.parametrize(
    ("expected", "rest"), [("none", "do_syscall_64"), ("ingress", f"tcp_ack {RECEIVED}")]
)
@pytest.mark.parametrize("name", ["udp_sendmsg", "ip_output", "handle_softirqs", "do_IRQ"])
def test_a_program_of_ebpf_is_not_the_function_that_it_is_called_like(
    name: str, expected: str, rest: str
) -> None:
    assert direction(f"htab_map_update_elem bpf_prog_0123456789abcdef_{name} {rest}") == expected


def test_functions_of_programs_have_no_direction() -> None:
    assert direction("udp_sendmsg main", "/usr/bin/app") == "none"


def test_a_return_address_in_padding_is_no_entry() -> None:
    assert direction("kfree __pfx_udp_sendmsg vfs_write") == "none"


def test_frames_of_a_station() -> None:
    names = ["__netif_receive_skb_one_core", "ip_rcv", "ip_finish_output2", "veth_xmit"]
    expected = ["__netif_receive_skb_core", "ip_rcv", "ip_output", None]
    assert stations([*names, "ip_rcv_finish"]) == [
        *((name, False) for name in expected), ("ip_rcv", True)
    ]  # fmt: skip
    assert entries(pl.Series(names)).to_list() == ["receive", "receive", "transmit", "transmit"]


def walked(chain: list[str]) -> str:
    """The rule in plain words, frame by frame."""
    is_out = False
    for kind in chain:
        if kind == "end":
            break
        if kind == "transmit":
            is_out = True
        elif kind == "receive":
            return "forward" if is_out else "ingress"
        elif kind == "send":
            return "egress"
        elif kind == "apart":
            return "egress" if is_out else "none"
    return "egress" if is_out else "none"


@pytest.mark.slow
@given(st.lists(st.lists(st.sampled_from([*ENTRIES, "end", "other"]), min_size=1), max_size=6))
def test_columns_decide_as_frame_by_frame(chains: list[list[str]]) -> None:
    frames = np.array([kind for chain in chains for kind in chain], dtype=np.str_)
    ends = np.cumsum([len(chain) for chain in chains], dtype=np.int64)
    starts = ends - np.array([len(chain) for chain in chains], dtype=np.int64)
    found = directions({k: frames == k for k in ENTRIES}, frames == "end", starts, ends)
    assert [DIRECTIONS[each] for each in found] == [walked(chain) for chain in chains]


def test_entries_are_those_of_the_first_rule() -> None:
    names = pl.Series([name for _, stack in STACKS for name in stack.split()])
    rows = [
        re.split(",", line.strip(), maxsplit=3)
        for line in (RULES.read_text().splitlines())
        if not line.startswith(("#", "entry,"))
    ]
    expected = [next((kind for kind, _, _, p in rows if re.search(p, n)), None) for n in names]
    assert entries(names).to_list() == expected


@pytest.mark.slow
def test_stacks_of_real_recordings_have_the_direction_that_was_read_off_them_by_hand() -> None:
    rows = pl.read_csv(FIXTURES / "direction" / "hand_checked.csv")
    assert [direction(stack.replace(";", " ")) for stack in rows["stack"]] == rows[
        "direction"
    ].to_list()
