import polars as pl
import pytest

from perfduck_tags.methods import METHODS
from perfduck_tags.tagger import Tagger

KERNEL = "[kernel.kallsyms]"


def tag(*rows: tuple[str, str], **known: object) -> pl.DataFrame:
    symbols = pl.DataFrame(
        [(i, name, dso, None) for i, (name, dso) in enumerate(rows)],
        schema={"symbol_id": pl.Int64, "name": pl.String, "dso": pl.String, "address": pl.Int64},
        orient="row",
    )
    return Tagger(kernel_release="6.18.44", **known).tag(symbols)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "dso", "subsystem", "role", "tagged_by"),
    [
        ("__nf_conntrack_find_get.isra.0", KERNEL, "conntrack", "domain", "catalogue"),
        ("nf_nat_ipv4_out", KERNEL, "nat", "domain", "catalogue"),
        ("ipt_do_table", KERNEL, "iptables", "domain", "catalogue"),
        ("br_handle_frame", KERNEL, "bridge", "domain", "catalogue"),
        ("ip_sabotage_in", KERNEL, "br_netfilter", "domain", "catalogue"),
        ("veth_xmit", KERNEL, "veth", "domain", "catalogue"),
        ("vxlan_xmit", KERNEL, "vxlan", "domain", "catalogue"),
        ("vxlan_xmit", "[vxlan]", "vxlan", "domain", "module"),
        ("a_name_of_tomorrow", "[nf_conntrack]", "conntrack", "domain", "module"),
        ("a_name", "/lib/modules/6.1.0/kernel/net/nf-nat.ko.xz", "nat", "domain", "module"),
        ("a_name", "[nvidia]", "nvidia", "domain", "unknown"),
        ("br_nf_pre_routing", "[br_netfilter]", "br_netfilter", "domain", "module"),
        ("__siphash_unaligned", KERNEL, "siphash", "helper", "catalogue"),
        ("its_return_thunk", KERNEL, "retpoline", "helper", "rule"),
        ("process_backlog", KERNEL, "napi_backlog", "domain", "catalogue"),
        ("handle_softirqs", KERNEL, "softirq", "context", "catalogue"),
        ("bpf_prog_6deef7357e7b4530_sd_devices", "[bpf]", "bpf:systemd", "domain", "rule"),
        ("bpf_prog_6deef7357e7b4530", "bpf_prog_6deef7357e7b4530", "bpf", "domain", "rule"),
        ("no_such_function", KERNEL, "unknown", "helper", "unknown"),
        ("vxlan_xmit", "[guest.kernel.kallsyms]", "guest:vxlan", "domain", "catalogue"),
        ("__GI___libc_write", "/usr/lib/x86_64-linux-gnu/libc.so.6", "libc", "domain", "dso"),
        ("main", "/usr/bin/python3.11", "python", "domain", "dso"),
        ("main", "/usr/sbin/nginx (deleted)", "nginx", "domain", "dso"),
        ("main", "/srv/app", "user", "domain", "dso"),
        ("[unknown]", "[unknown]", "unknown", "domain", "unknown"),
    ],
)
def test_a_function_gets_its_subsystem(
    name: str, dso: str, subsystem: str, role: str, tagged_by: str
) -> None:
    row = tag((name, dso)).row(0, named=True)
    assert (row["subsystem"], row["role"], row["tagged_by"]) == (subsystem, role, tagged_by)
    assert tagged_by in METHODS


def test_a_guess_is_the_same_whatever_was_guessed_before() -> None:
    name, other = "nf_conntrack_of_tomorrow", "nf_conntrack_expect_of_tomorrow"
    alone = tag((name, KERNEL)).row(0, named=True)
    assert (alone["subsystem"], alone["tagged_by"]) == ("conntrack", "guess")
    beside = tag((other, KERNEL), (name, KERNEL), ("no_such_function", KERNEL))
    assert beside["tagged_by"].to_list() == ["guess", "guess", "unknown"]
    assert beside.row(1, named=True) == alone | {"symbol_id": 1}


def test_rows_keep_their_order_and_only_the_source_file_may_be_null() -> None:
    rows = [
        ("main", "/bin/x"),
        ("tcp_ack", KERNEL),
        ("veth_xmit", "[veth]"),
        ("?", "[guest.kernel]"),
    ]
    tagged = tag(*rows)
    assert list(zip(tagged["name"], tagged["dso"], strict=True)) == rows
    assert tagged.drop("address", "source_file").null_count().sum_horizontal().item() == 0
    assert tagged["source_file"].to_list() == [
        None,
        "net/ipv4/tcp_input.c",
        "drivers/net/veth.c",
        None,
    ]


def test_no_symbols_give_no_tags() -> None:
    assert tag().columns[-7:] == [
        "canonical", "source_file", "area", "subsystem", "role", "tagged_by", "class",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("tcp_ack.isra.0.cold", "tcp_ack"),
        ("__pfx_tcp_ack", "tcp_ack"),
        ("__pi_memcpy", "memcpy"),
        ("f.llvm.1234567890abcdef", "f"),
        ("f.__uniq.123.llvm.45", "f"),
        ("kmem_cache_alloc_noprof", "kmem_cache_alloc"),
        ("__x64_sys_sendto", "sys_sendto"),
        ("__do_sys_sendto", "sys_sendto"),
        ("__ia32_compat_sys_ioctl", "compat_sys_ioctl"),
    ],
)
def test_a_canonical_name_is_the_same_in_every_kernel(name: str, canonical: str) -> None:
    assert tag((name, KERNEL))["canonical"].item() == canonical
