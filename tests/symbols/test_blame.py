import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfduck_tags.blame import CONTEXTS, blame, interrupts_off
from perfduck_tags.tagger import Tagger

KERNEL = "[kernel.kallsyms]"
SYSCALL = ["__x64_sys_sendto", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"]
RECEIVE = ["ip_rcv", "process_backlog", "__napi_poll", "net_rx_action", "handle_softirqs"]


def tagged(names: list[str], dsos: dict[str, str]) -> pl.DataFrame:
    symbols = pl.DataFrame({"symbol_id": range(len(names)), "name": names}).with_columns(
        pl.col("name").replace_strict(dsos, default=KERNEL).alias("dso"),
        pl.lit(None, pl.Int64).alias("address"),
    )
    return Tagger(kernel_release="6.18").tag(symbols)


def charge(*stack: str, **dsos: str) -> tuple[str, str, str]:
    """Name of the charged frame, its subsystem and the context of a stack, leaf first."""
    names = list(dict.fromkeys(stack))
    symbols = tagged(names, dsos)
    stacks = pl.DataFrame({"stack_id": [7], "symbol_ids": [[names.index(name) for name in stack]]})
    charged = blame(stacks, symbols).row(0, named=True)
    return names[charged["symbol_id"]], charged["subsystem"], charged["context"]


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        (
            ["__siphash_unaligned", "hash_conntrack_raw", "nf_conntrack_in", *SYSCALL],
            ("hash_conntrack_raw", "conntrack", "task"),
        ),
        (
            [
                "memcpy", "__alloc_skb", *RECEIVE, "do_softirq.part.0", "__local_bh_enable_ip",
                "__dev_queue_xmit", *SYSCALL,
            ],
            ("ip_rcv", "ipv4", "softirq-inline"),
        ),
        (
            ["kfree", "handle_softirqs", "__irq_exit_rcu", "sysvec_apic_timer_interrupt"],
            ("handle_softirqs", "softirq", "softirq-irq"),
        ),
        (
            ["veth_poll", "__napi_poll", "handle_softirqs", "run_ksoftirqd", "smpboot_thread_fn"],
            ("veth_poll", "veth", "ksoftirqd"),
        ),
        (
            ["read_tsc", "hrtimer_interrupt", "asm_sysvec_apic_timer_interrupt", "tcp_ack"],
            ("hrtimer_interrupt", "timers", "irq"),
        ),
        (
            ["read_tsc", "asm_common_interrupt", "ip_rcv", "handle_softirqs", "run_ksoftirqd"],
            ("asm_common_interrupt", "interrupts", "irq"),
        ),
        (
            ["pv_native_safe_halt", "default_idle", "do_idle", "cpu_startup_entry"],
            ("pv_native_safe_halt", "idle", "idle"),
        ),
        (
            ["_raw_spin_unlock_irqrestore", "__wake_up_common_lock", "sock_def_readable", *SYSCALL],
            ("__wake_up_common_lock", "scheduler", "task"),
        ),
        (["__x86_indirect_thunk_rax"], ("__x86_indirect_thunk_rax", "retpoline", "task")),
        (["kfree", "rcu_do_batch", "rcu_core", "handle_softirqs", "run_ksoftirqd"],
         ("rcu_do_batch", "rcu", "ksoftirqd")),
        # A return address in the padding before the next function names no caller.
        (["memcpy", "__pfx_clear_bss", "tcp_ack"], ("tcp_ack", "tcp", "task")),
    ],
)  # fmt: skip
def test_the_innermost_domain_frame_is_charged(stack: list[str], expected: tuple[str, ...]) -> None:
    assert charge(*stack) == expected


def test_a_leaf_in_user_space_is_charged_itself() -> None:
    assert charge("main", "tcp_ack", main="/usr/bin/iperf3") == ("main", "iperf3", "task")


def test_an_unnamed_leaf_above_kernel_frames_passes_its_charge_on() -> None:
    dsos = {"[unknown]": "[unknown]"}
    assert charge("[unknown]", "cls_bpf_classify", **dsos)[1] == "tc_filter"
    assert charge("[unknown]", **dsos) == ("[unknown]", "unknown", "task")


def test_helpers_alone_are_charged_to_the_leaf() -> None:
    assert charge("memcpy", "kfree", "main", main="/bin/app") == ("memcpy", "string_copy", "task")


def test_no_stacks_give_no_blame() -> None:
    none = pl.DataFrame(schema={"stack_id": pl.Int64, "symbol_ids": pl.List(pl.Int64)})
    assert blame(none, tagged(["tcp_ack"], {})).is_empty()


NAMES = [
    "memcpy",
    "tcp_ack",
    "handle_softirqs",
    "asm_common_interrupt",
    "do_idle",
    "main",
    "[unknown]",
]
TAGGED = tagged(NAMES, {"main": "/bin/app", "[unknown]": "[unknown]"})


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, len(NAMES) - 1), min_size=1, max_size=9), max_size=9))
def test_every_stack_is_charged_once_to_one_of_its_frames(chains: list[list[int]]) -> None:
    stacks = pl.DataFrame(
        {"stack_id": range(len(chains)), "symbol_ids": chains},
        schema={"stack_id": pl.Int64, "symbol_ids": pl.List(pl.Int64)},
    )
    charged = blame(stacks, TAGGED)
    assert charged["stack_id"].to_list() == list(range(len(chains)))
    for chain, symbol in zip(chains, charged["symbol_id"], strict=True):
        assert symbol in chain
        stops = [frame for frame in chain if NAMES[frame] not in ("memcpy", "main", "[unknown]")]
        assert symbol == (stops[0] if stops and NAMES[chain[0]] != "main" else chain[0])
    assert set(charged["context"]) <= set(CONTEXTS)


def test_a_clock_that_fires_at_the_end_of_a_section_without_interrupts_is_named_so() -> None:
    symbols = tagged(["_raw_spin_unlock_irqrestore", "do_syscall_64", "tcp_ack"], {})
    offsets = pl.DataFrame(
        [
            ("cpu-clock:ppp", 0, 25, 99.0),
            ("cpu-clock:ppp", 0, 4, 1.0),
            ("cpu-clock:ppp", 1, 70, 94.0),  # below the 95 % that make an artefact
            ("cpu-clock:ppp", 1, 4, 6.0),
            ("cpu-clock:ppp", 2, 4, 9.0),  # hot at one instruction, but interrupts are on
            ("cycles", 0, 25, 99.0),  # a hardware counter interrupts there as well
        ],
        schema=["event", "symbol_id", "offset", "weight"],
        orient="row",
    )
    assert interrupts_off(offsets, symbols).rows() == [("cpu-clock:ppp", 0, 25, 99.0, 0.99)]
