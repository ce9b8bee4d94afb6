"""Names of other machines and older kernels have the tags of those that the catalogue has."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from perfduck.ingestion import IngestRequest, ingest
from perfduck_diff.engine.stacks import is_entry
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_symbols import names
from perfduck_tags import catalogue
from perfduck_tags.blame import CONTEXTS
from perfduck_tags.entries import SOFTIRQ_LOOPS
from perfduck_tags.tagger import Tagger

ROOT = Path(__file__).parent.parent.parent
TAGS = ROOT / "fixtures" / "tags"
KERNEL = names.KERNEL


def tagged(*functions: tuple[str, str], release: str = "6.1") -> pl.DataFrame:
    rows = [(number, name, dso, None) for number, (name, dso) in enumerate(functions)]
    schema = {"symbol_id": pl.Int64, "name": pl.String, "dso": pl.String, "address": pl.Int64}
    return Tagger(kernel_release=release).tag(pl.DataFrame(rows, schema=schema, orient="row"))


def subsystems(*functions: tuple[str, str], release: str = "6.1") -> dict[str, str]:
    tags = tagged(*functions, release=release)
    return dict(tags.select("name", "subsystem").iter_rows())


@pytest.fixture(scope="module", params=[path.name for path in TAGS.iterdir() if path.is_dir()])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, DuckDbStore]]:
    path = tmp_path_factory.mktemp("tags") / "store.duckdb"
    with DuckDbStore(path, write=True) as store:
        ingest(store, IngestRequest(str(TAGS / request.param / "input.txt")))
        yield request.param, store


EXPECTED = {
    "arm64-names": {
        "cpu_do_idle": "idle", "el0_svc": "syscall_entry", "invoke_syscall": "syscall_entry",
        "gic_handle_irq": "interrupts", "el1h_64_irq": "interrupts",
        "__arch_copy_from_user": "string_copy", "queued_spin_lock_slowpath": "locking",
        "__arm64_sys_sendto": "socket", "__se_sys_sendto": "socket", "SyS_sendto": "socket",
        "nf_conntrack_in": "conntrack",
    },
    "nat-conntrack-modules-before-4.19": {
        "ipv4_conntrack_in": "conntrack", "nf_nat_ipv4_fn": "nat", "nf_nat_ipv4_in": "nat",
        "nf_nat_ipv4_out": "nat", "nf_nat_masquerade_ipv4": "nat", "masquerade_tg": "nat",
    },
    "softirq-context": {"__softirqentry_text_start": "softirq", "SYSC_sendto": "socket"},
}  # fmt: skip


LISTED = pl.read_csv(TAGS / "functions.csv", schema_overrides={"kernel": pl.String})


@pytest.mark.parametrize("kernel", LISTED["kernel"].unique(maintain_order=True))
def test_listed_functions_have_the_subsystem_beside_them(kernel: str) -> None:
    rows = LISTED.filter(kernel=kernel).fill_null("")
    functions = [
        (name, f"[{module}]" if module else KERNEL)
        for name, module in rows.select("function", "module").iter_rows()
    ]
    tags = tagged(*functions, release=kernel if kernel[0].isdigit() else "6.1")
    got = rows.with_columns(got=tags["subsystem"])
    assert got.filter(pl.col("got") != pl.col("subsystem")).rows() == []


def test_the_functions_of_a_case_have_their_subsystem(case: tuple[str, DuckDbStore]) -> None:
    name, store = case
    found = dict(store.rows("select name, subsystem from symbol"))
    assert {one: found[one] for one in EXPECTED[name]} == EXPECTED[name]


def test_the_contexts_of_a_case(case: tuple[str, DuckDbStore]) -> None:
    name, store = case
    contexts = {context for (context,) in store.rows("select distinct context from hit")}
    assert (
        contexts
        == {
            "arm64-names": {"task", "irq", "idle"},
            "nat-conntrack-modules-before-4.19": {"softirq-inline", "softirq-irq", "irq"},
            "softirq-context": {"softirq-inline"},
        }[name]
    )


def test_the_schema_lists_the_contexts_that_are_used() -> None:
    schema = (ROOT / "store" / "perfduck_store" / "duckdb" / "schema.sql").read_text()
    (line,) = (line for line in schema.splitlines() if line.strip().startswith("context "))
    assert set(line.partition("-- ")[2].replace(" or ", ", ").split(", ")) == set(CONTEXTS)


CALLS = ["sendto", "read", "epoll_wait", "futex", "clone", "mmap", "connect", "ioctl"]
SPELLED = ["__x64_sys_", "__ia32_sys_", "__arm64_sys_", "__s390x_sys_", "__riscv_sys_",
           "__powerpc_sys_", "__se_sys_", "__do_sys_", "SyS_", "SYSC_", "sys_"]  # fmt: skip
COMPAT = ["__ia32_compat_sys_", "__x32_compat_sys_", "__arm64_compat_sys_", "__se_compat_sys_",
          "__do_compat_sys_", "compat_SyS_", "C_SYSC_", "compat_sys_"]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("prefixes", [SPELLED, COMPAT], ids=["native", "compat"])
def test_a_system_call_has_one_tag_whatever_its_prefix(prefixes: list[str], call: str) -> None:
    tags = tagged(*((prefix + call, KERNEL) for prefix in prefixes))
    assert tags["canonical"].n_unique() == 1
    assert tags.select("area", "subsystem", "role").n_unique() == 1
    if prefixes == SPELLED:
        assert "unknown" not in tags["subsystem"].to_list()


def test_a_function_of_its_own_is_no_system_call() -> None:
    assert subsystems(("sys_imageblit", KERNEL))["sys_imageblit"] != "socket"


MERGED = pl.read_csv(catalogue.MERGED,
                     comment_prefix="#")  # fmt: skip


def test_merged_modules_have_an_area_and_a_file_that_rules_know() -> None:
    functions = [("a_function_of_then", f"[{module}]") for module in MERGED["module"].unique()]
    tags = tagged(*functions, release="4.15")
    assert set(tags["tagged_by"]) == {"module"}
    assert "modules" not in tags["area"].to_list()
    by_module = dict(tags.select("dso", "subsystem").iter_rows())
    assert by_module["[nft_masq_ipv4]"] == by_module["[nft_chain_nat_ipv4]"] == "nat"
    assert by_module["[nf_tables_ipv4]"] == "nftables"
    assert by_module["[nf_conntrack_proto_gre]"] == "conntrack"


def test_modules_that_are_built_in_here_are_known_by_their_file() -> None:
    assert subsystems(
        ("packet_rcv", "[af_packet]"), ("tcp_v6_rcv", "[ipv6]"), ("ip6_rcv_core", "[ipv6]"),
        ("unix_stream_sendmsg", "[unix]"),
    ) == {"packet_rcv": "packet", "tcp_v6_rcv": "tcp", "ip6_rcv_core": "ipv6",
          "unix_stream_sendmsg": "unix"}  # fmt: skip


@pytest.mark.parametrize("release", ["4.15", "5.10", "6.1", "7.2"])
def test_functions_that_move_or_are_inlined_have_one_subsystem(release: str) -> None:
    wanted = {
        "tcp6_gro_receive": "tcp", "tcp6_gro_complete": "tcp", "tcpv6_offload_init": "tcp",
        "dst_output": "routing", "sch_handle_ingress": "dev_rx", "sch_handle_egress": "dev_tx",
        "xmit_one": "dev_tx", "sk_filter_trim_cap": "socket", "__do_softirq": "softirq",
        "handle_softirqs": "softirq", "__softirqentry_text_start": "softirq",
    }  # fmt: skip
    assert subsystems(*((name, KERNEL) for name in wanted), release=release) == wanted


@pytest.mark.parametrize(
    ("subsystem", "functions"),
    [
        ("idle", ["cpu_do_idle", "cpu_v7_do_idle", "enabled_wait", "snooze_loop", "psw_idle",
                  "wait_for_interrupt", "default_idle_call", "acpi_safe_halt", "mwait_idle",
                  # arm64 and riscv below firmware, powerpc, mips, x86
                  "psci_cpu_suspend_enter", "psci_enter_idle_state", "__invoke_psci_fn_smc",
                  "__psci_enter_domain_idle_state", "__cpu_suspend_enter", "arm_enter_idle_state",
                  "sbi_cpuidle_enter_state", "sbi_suspend", "__sbi_enter_domain_idle_state",
                  "riscv_sbi_hart_suspend", "power9_idle_type", "isa300_idle_stop_mayloss",
                  "idle_return_gpr_loss", "cede_processor", "ppc6xx_idle", "__r4k_wait",
                  "intel_idle_ibrs", "acpi_idle_enter_bm", "amd_e400_idle"]),
        ("syscall_entry", ["el0_svc_common.constprop.0", "do_el0_svc", "el0t_64_sync_handler",
                           "vector_swi", "do_trap_ecall_u", "system_call_exception",
                           "__do_syscall", "do_syscall_64"]),
        ("interrupts", ["el1_irq", "el0t_64_irq_handler", "__irq_svc", "do_ext_irq", "__do_irq",
                        "riscv_intc_irq", "apic_timer_interrupt", "asm_sysvec_call_function",
                        "__handle_domain_irq", "end_repeat_nmi", "asm_call_irq_on_stack",
                        # guests of Xen and Hyper-V
                        "xen_hvm_callback_vector", "xen_evtchn_do_upcall",
                        "xen_do_hypervisor_callback", "asm_exc_xen_hypervisor_callback",
                        "hyperv_callback_vector", "hyperv_vector_handler",
                        "hv_stimer0_callback_vector", "hv_stimer0_vector_handler"]),
        ("exceptions", ["page_fault", "do_async_page_fault", "asm_exc_page_fault",
                        "exc_page_fault", "exc_invalid_op", "el0_da", "do_el0_ia_bp_hardening",
                        "do_trap_load_fault", "ret_from_except_lite", "do_hash_page"]),
    ],
)  # fmt: skip
def test_entries_of_all_machines_are_contexts(subsystem: str, functions: list[str]) -> None:
    tags = tagged(*((name, KERNEL) for name in functions))
    assert dict(tags.select("name", "subsystem").iter_rows()) == dict.fromkeys(functions, subsystem)
    assert set(tags["role"]) == {"context"}


def test_the_loops_that_blame_knows_are_entries_of_stacks() -> None:
    assert all(is_entry(name) for name in SOFTIRQ_LOOPS)


@pytest.mark.parametrize("library", ["libc.so.6", "libpython3.11.so.1.0", "libstdc++.so.6.0.30"])
def test_a_library_is_the_same_by_path_and_by_base_name(library: str) -> None:
    by_path, by_name = tagged(("f", f"/usr/lib/x86_64-linux-gnu/{library}"), ("f", library))[
        "subsystem"
    ]
    assert by_path == by_name != "user"
