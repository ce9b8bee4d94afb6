"""Programs of eBPF: whose they are by their name, and what they call is theirs."""

import lzma
import re
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import polars as pl
import pytest

import perfduck
from perfduck.attachments import parsed
from perfduck_diff.engine.dimensions import NO_PROGRAM
from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.source import Source
from perfduck_symbols.names import BPF_PROGRAM, KERNEL
from perfduck_tags.blame import blame
from perfduck_tags.tagger import Tagger

RECORDED = Path(__file__).parents[2] / "fixtures" / "bpf"
HASH = "6deef7357e7b4530"


def tagged(symbols: pl.DataFrame) -> pl.DataFrame:
    return Tagger(kernel_release="6.18.44").tag(symbols)


def of_names(*names: str, dso: str = "[bpf]") -> pl.DataFrame:
    rows = [(number, name, dso, None) for number, name in enumerate(names)]
    schema = {"symbol_id": pl.Int64, "name": pl.String, "dso": pl.String, "address": pl.Int64}
    return tagged(pl.DataFrame(rows, schema=schema, orient="row"))


OWNERS = {
    "cil_from_container": "bpf:cilium",
    "cil_to_netdev": "bpf:cilium",
    "tail_handle_ipv4": "bpf:cilium",
    "tail_handle_ipv4_from_netdev": "bpf:cilium",
    "tail_drop_notify": "bpf:cilium",
    "tail_ipv4_ct_egress": "bpf:cilium/conntrack",
    "tail_ipv6_ct_ingress_policy_only": "bpf:cilium/conntrack",
    "tail_ipv4_ct_in": "bpf:cilium/conntrack",  # cut at 15 characters
    "tail_nodeport_nat_egress_ipv4": "bpf:cilium/nat",
    "tail_nodeport_n": "bpf:cilium/nat",
    "tail_nodeport_rev_dnat_ingress_ipv6": "bpf:cilium/nat",
    "tail_nodeport_ipv4_dsr": "bpf:cilium/nat",
    "tail_handle_snat_fwd_ipv4": "bpf:cilium/nat",
    "tail_handle_nat_fwd_ipv4": "bpf:cilium/nat",
    "tail_nat_ipv46": "bpf:cilium/nat",
    "cil_sock4_connect": "bpf:cilium/lb",
    "cil_sock6_recvmsg": "bpf:cilium/lb",
    "cil_xdp_entry": "bpf:cilium/lb",
    "tail_lb_ipv4": "bpf:cilium/lb",
    "cil_lxc_policy": "bpf:cilium/policy",
    "cil_host_policy": "bpf:cilium/policy",
    "tail_ipv4_policy": "bpf:cilium/policy",
    "tail_ipv6_host_policy_ingress": "bpf:cilium/policy",
    "tail_policy_denied_ipv4": "bpf:cilium/policy",
    "cil_from_overlay": "bpf:cilium/encap",
    "cil_to_wireguard": "bpf:cilium/encap",
    "tail_srv6_encap": "bpf:cilium/encap",
    "calico_tc_main": "bpf:calico",
    "calico_connect_v4": "bpf:calico",
    "cali_tc_preamble": "bpf:calico",
    "balancer_ingress": "bpf:katran",
    "healthcheck_encap": "bpf:katran",
    "tc_packet_func_fast": "bpf:loxilb",
    "xdp_packet_func": "bpf:loxilb",
    "sd_devices": "bpf:systemd",
    "sd_fw_egress": "bpf:systemd",
    "restrict_filesystems": "bpf:systemd",
    "kprobe__tcp_connect": "bpf:bcc",
    "tracepoint__sched__sched_switch": "bpf:bcc",
    "syscall__execve": "bpf:bcc",
    "kprobe_vfs_read_1": "bpf:bpftrace",
    "profile_hz_99_1": "bpf:bpftrace",
    "99": "bpf:bpftrace",
    "BEGIN": "bpf:bpftrace",
    "count_egress": "bpf",
    "detail_handler": "bpf",
    "kprobe_vfs_read": "bpf",
    "F": "bpf",
}


@pytest.mark.parametrize("name", OWNERS)
@pytest.mark.parametrize("dso", ["[bpf]", "own", KERNEL])
def test_a_program_has_the_owner_that_its_name_tells(name: str, dso: str) -> None:
    symbol = f"bpf_prog_{HASH}_{name}"
    row = of_names(symbol, dso=symbol if dso == "own" else dso).row(0, named=True)
    assert (row["subsystem"], row["role"], row["tagged_by"]) == (OWNERS[name], "domain", "rule")


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        (f"bpf_prog_{HASH}_sd_devices", "bpf_prog:sd_devices"),
        (f"bpf_prog_{HASH}_Filter", "bpf_prog:Filter"),
        (f"bpf_prog_{HASH}", f"bpf_prog_{HASH}"),
        (f"bpf_prog_{HASH}_F", f"bpf_prog_{HASH}_F"),  # subprograms without a name of their own
        ("bpf_prog_run", "bpf_prog_run"),
    ],
)
def test_a_program_is_the_same_after_it_was_compiled_again(name: str, canonical: str) -> None:
    assert of_names(name)["canonical"].item() == canonical


@pytest.mark.parametrize(
    ("name", "subsystem"),
    [
        ("__htab_map_lookup_elem", "bpf_maps"), ("htab_lru_map_update_elem", "bpf_maps"),
        ("htab_percpu_map_lookup_elem", "bpf_maps"), ("array_map_lookup_elem", "bpf_maps"),
        ("trie_lookup_elem", "bpf_maps"), ("bpf_lru_pop_free", "bpf_maps"),
        ("bpf_ringbuf_reserve", "bpf_maps"), ("bpf_get_stackid", "bpf_maps"),
        ("__dev_map_lookup_elem", "bpf_maps"), ("bpf_sk_storage_get", "bpf_helpers"),
        ("bpf_skb_store_bytes", "bpf_helpers"), ("bpf_skb_load_bytes", "bpf_helpers"),
        ("bpf_l4_csum_replace", "bpf_helpers"), ("bpf_redirect_peer", "bpf_helpers"),
        ("bpf_ktime_get_ns", "bpf_helpers"), ("bpf_probe_read_kernel", "bpf_helpers"),
        ("bpf_perf_event_output", "bpf_helpers"), ("bpf_map_lookup_elem", "bpf_helpers"),
    ],
)  # fmt: skip
def test_what_programs_call_passes_the_blame_on(name: str, subsystem: str) -> None:
    row = of_names(name, dso=KERNEL).row(0, named=True)
    assert (row["subsystem"], row["role"]) == (subsystem, "helper")


@pytest.mark.parametrize(
    "name",
    ["xdp_do_redirect", "bpf_prog_run_generic_xdp", "cls_bpf_classify", "dev_map_enqueue",
     "__cgroup_bpf_run_filter_skb", "map_update_elem", "bpf_mem_refill",
     "bpf_prog_load", "bpf_check", "sk_psock_verdict_recv"],
)  # fmt: skip
def test_what_runs_programs_or_makes_them_is_blamed_itself(name: str) -> None:
    assert of_names(name, dso=KERNEL)["role"].item() == "domain"


@pytest.mark.parametrize(
    ("stack", "blamed"),
    [
        (["packet_tuple", "tail_ipv4_ct_egress"], "tail_ipv4_ct_egress"),
        (["memcpy", "packet_tuple", "tail_ipv4_ct_egress"], "tail_ipv4_ct_egress"),
        (["inner", "outer"], "outer"),
        (["packet_tuple", "bpf_for_each_array_elem", "outer"], "packet_tuple"),
        (["tail_ipv4_ct_egress", "outer"], "tail_ipv4_ct_egress"),
    ],
)
def test_a_subprogram_of_no_known_owner_is_the_program_that_calls_it(
    stack: list[str], blamed: str
) -> None:
    kernel = ("memcpy", "bpf_for_each_array_elem", "cls_bpf_classify")
    frames = [*stack, "cls_bpf_classify"]
    names = [name if name in kernel else f"bpf_prog_{HASH}_{name}" for name in frames]
    symbols = of_names(*names, dso=KERNEL)
    stacks = pl.DataFrame({"stack_id": [7], "symbol_ids": [list(range(len(names)))]})
    found = blame(stacks, symbols).join(symbols, on="symbol_id")
    assert found["name"].item() == f"bpf_prog_{HASH}_{blamed}"


@pytest.mark.parametrize(
    ("stack", "blamed"),
    [
        (["htab_map_hash", "__htab_map_lookup_elem", "udp_send_skb"], "__htab_map_lookup_elem"),
        (["memcpy", "bpf_probe_read_kernel", "udp_send_skb"], "bpf_probe_read_kernel"),
        (["memcpy", "udp_send_skb"], "udp_send_skb"),
    ],
)
def test_a_helper_below_no_program_is_not_of_the_function_that_is_traced(
    stack: list[str], blamed: str
) -> None:
    symbols = of_names(*stack, dso=KERNEL)
    stacks = pl.DataFrame({"stack_id": [7], "symbol_ids": [list(range(len(stack)))]})
    found = blame(stacks, symbols).join(symbols, on="symbol_id")
    assert found["name"].item() == blamed


def recorded_text() -> str:
    return lzma.decompress((RECORDED / "input.txt.xz").read_bytes()).decode()


def chains() -> list[list[str]]:
    """The functions of each sample that perf script printed, leaf first."""
    samples = [sample.splitlines()[1:] for sample in recorded_text().split("\n\n")]
    return [[re.sub(r"\+0x\w+$", "", line.split()[1]) for line in each if line] for each in samples]


def program(chain: list[str]) -> str | None:
    """The innermost program of a chain, which may have called a subprogram; None where an
    interrupt runs on top of it."""
    inner = next((at for at, name in enumerate(chain) if re.match(BPF_PROGRAM, name)), None)
    if inner is None or any(name.startswith("asm_sysvec_") for name in chain[:inner]):
        return None
    return list(takewhile(lambda name: re.match(BPF_PROGRAM, name), chain[inner:]))[-1]


def read(name: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Samples, stacks and tagged symbols of a recording."""
    with Source(str(RECORDED / name)) as source:
        batches = list(opened(source).batches(ImportOptions()))
    samples, stacks, symbols = (
        pl.concat([getattr(batch, part) for batch in batches])
        for part in ("samples", "stacks", "symbols")
    )
    return samples, stacks.unique("stack_id"), tagged(symbols.unique("symbol_id"))


def test_all_that_a_recorded_program_called_is_blamed_on_it() -> None:
    samples, stacks, symbols = read("input.txt.xz")
    blamed = samples.join(blame(stacks, symbols), on="stack_id").join(symbols, on="symbol_id")
    is_program = pl.col("name").str.contains(BPF_PROGRAM)
    got = Counter(dict(blamed.filter(is_program)["name"].value_counts().iter_rows()))
    assert got == Counter(name for chain in chains() if (name := program(chain)))
    assert sum(got.values()) > 100
    owners = dict(blamed.filter(is_program).select("canonical", "subsystem").unique().iter_rows())
    assert owners == {
        "bpf_prog:cil_from_container": "bpf:cilium",
        "bpf_prog:tail_ipv4_ct_egress": "bpf:cilium/conntrack",
        "bpf_prog:tail_nodeport_nat_egress_ipv4": "bpf:cilium/nat",
        "bpf_prog:xdp_count_sources": "bpf",
        "bpf_prog:count_egress": "bpf",
    }


def test_side_band_events_name_the_programs_of_perf_data() -> None:
    samples, stacks, symbols = read("recording.data.xz")
    frames = samples.join(stacks, on="stack_id").explode("symbol_ids")
    named = frames.join(symbols, left_on="symbol_ids", right_on="symbol_id")
    programs = named.filter(pl.col("name").str.contains(BPF_PROGRAM))["name"]
    printed = Counter(name for chain in chains() for name in chain if re.match(BPF_PROGRAM, name))
    assert Counter(dict(programs.value_counts().iter_rows())) == printed


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[perfduck.ProfileStore]:
    """The recording as text and as perf.data; only the first has bpftool's list beside it."""
    with perfduck.open(tmp_path_factory.mktemp("bpf") / "store.duckdb") as store:
        attached = [f"bpf={RECORDED / 'bpf.json'}"]
        text, data = RECORDED / "input.txt.xz", RECORDED / "recording.data.xz"
        kallsyms = tmp_path_factory.mktemp("bpf") / "kallsyms"
        kallsyms.write_text(printed_kallsyms())
        store.ingest(text, name="text", labels={"format": "text"}, attach=attached)
        store.ingest(data, name="data", labels={"format": "data"}, kallsyms=kallsyms)
        yield store


def printed_kallsyms() -> str:
    """The functions of the kernel that perf script printed: the file has their addresses alone."""
    found = re.findall(r"^\s+(\w+) (\S+)\+(0x\w+) \(\[kernel", recorded_text(), re.M)
    starts = {int(address, 16) - int(offset, 16): name for address, name, offset in found}
    return "".join(f"{start:016x} t {name}\n" for start, name in sorted(starts.items()))


def counted_programs() -> Counter[str]:
    """Samples by the program that they are blamed on, by what perf script printed."""
    names = (program(chain) or NO_PROGRAM for chain in chains() if chain)
    return Counter(re.sub(BPF_PROGRAM, "", name) for name in names)


@pytest.mark.slow
def test_top_by_program_has_what_perf_script_prints(recorded: perfduck.ProfileStore) -> None:
    rows = recorded.top("text", by="program", event="cpu-clock").frame
    period = rows["blamed"].sum() / sum(counted_programs().values())
    blamed = {name: round(weight / period) for name, weight in rows[["program", "blamed"]].rows()}
    assert blamed == counted_programs()
    shown = dict(rows.select("program", "type").iter_rows())
    assert shown == {
        NO_PROGRAM: None, "cil_from_container": "sched_cls", "tail_ipv4_ct_egress": "sched_cls",
        "tail_nodeport_nat_egress_ipv4": "sched_cls", "xdp_count_sources": "xdp",
        "count_egress": "cgroup_skb",
    }  # fmt: skip
    leaves = Counter(
        program(chain) for chain in chains() if chain and re.match(BPF_PROGRAM, chain[0])
    )
    own = {name: round(weight / period) for name, weight in rows[["program", "self"]].rows()}
    assert {name: own[re.sub(BPF_PROGRAM, "", name or "")] for name in leaves} == leaves


@pytest.mark.slow
def test_without_bpftool_a_program_has_no_type(recorded: perfduck.ProfileStore) -> None:
    with_types, without = (recorded.top(name, by="program").frame for name in ("text", "data"))
    assert without["type"].null_count() == len(without)
    assert without.drop("type").rows() == with_types.drop("type").rows()


@pytest.mark.slow
def test_diff_and_compare_by_program_agree_with_top(recorded: perfduck.ProfileStore) -> None:
    top = recorded.top("text", by="program").frame
    share = dict(top.select("program", 100 * top["blamed"] / top["blamed"].sum()).iter_rows())
    diff = recorded.diff("format=text", "format=data", per="share")
    for column in ("base", "new"):
        assert dict(diff.programs[["program", column]].rows()) == pytest.approx(share)
    assert "tail_ipv4_ct_egress" in diff.render("text", by="program")
    assert "packet_tuple" not in diff.render("markdown", by="program").split("Recordings")[0]
    compared = recorded.compare("text+data", "format", by="program").frame
    total = compared.filter(program="total", group="text")["value"].item()
    values = compared.filter(pl.col("program") != "total", group="text")
    assert dict(
        values.select("program", 100 * pl.col("value") / total).iter_rows()
    ) == pytest.approx(share)


NAMELESS = """iperf3 100 [000] 1.000000: 1000000 cpu-clock:
	ffffffffc0000010 bpf_prog_11a47337d70a5500+0x10 (bpf_prog_11a47337d70a5500)
	ffffffff81000010 cls_bpf_classify+0x10 ([kernel.kallsyms])

iperf3 100 [000] 1.001000: 1000000 cpu-clock:
	ffffffffc0000110 bpf_prog_e43a321f8c676ebc_tail_nodeport_n+0x10 (bpf_prog_e43a321f8c676ebc)
	ffffffff81000010 cls_bpf_classify+0x10 ([kernel.kallsyms])

iperf3 100 [000] 1.002000: 1000000 cpu-clock:
	ffffffffc0000210 bpf_prog_0123456789abcdef+0x10 (bpf_prog_0123456789abcdef)
	ffffffff81000010 cls_bpf_classify+0x10 ([kernel.kallsyms])
"""


@pytest.mark.slow
def test_bpftool_names_programs_by_their_hash(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(NAMELESS)
    with perfduck.open(tmp_path / "store.duckdb") as store:
        attached = [f"bpf={RECORDED / 'bpf.json'}"]
        store.ingest(tmp_path / "a.txt", name="a", attach=attached)
        rows = store.top("a", by="program").frame
        (tmp_path / "b.txt").write_text(NAMELESS.replace("1.00", "2.00"))
        store.ingest(tmp_path / "b.txt", name="b")
        diff = store.diff("a", "b", per="share").programs
    assert set(diff["program"]) == set(rows["program"])
    assert dict(rows.select("program", "type").iter_rows()) == {
        "cil_from_container": "sched_cls",
        "tail_nodeport_nat_egress_ipv4": "sched_cls",
        "bpf_prog_0123456789abcdef": None,
    }


@pytest.mark.parametrize(
    "text",
    ['{"error": "no"}', "[1]", '[{"id": 1, "type": "xdp", "tag": "short"}]', "[",
     '[{"id": -1, "type": "xdp", "tag": "11a47337d70a5500"}]', '[{"id": 1, "type": "xdp"}]'],
)  # fmt: skip
def test_what_bpftool_does_not_print_is_refused(
    text: str, tmp_path: Path, recorded: perfduck.ProfileStore
) -> None:
    (tmp_path / "bpf.json").write_text(text)
    with pytest.raises(perfduck.PerfduckError, match=r"bpf\.json: expected JSON of bpftool prog"):
        recorded.attach("data", [f"bpf={tmp_path / 'bpf.json'}"])


def test_a_list_of_no_programs_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.folded").write_text("main;f 1\n")
    (tmp_path / "bpf.json").write_text("[]")
    with perfduck.open(tmp_path / "store.duckdb") as store:
        store.ingest(tmp_path / "a.folded", name="a")
        done = store.attach("a", [f"bpf={tmp_path / 'bpf.json'}"])
    assert str(done) == "a: bpf attached (it lists no program)\n"


def test_a_type_that_bpftool_does_not_know_is_a_number() -> None:
    text = '[{"id": 1, "type": 33, "tag": "11a47337d70a5500"}]'
    assert parsed("bpf", "bpf.json", text).rows["bpf_program"]["type"].to_list() == ["type 33"]
