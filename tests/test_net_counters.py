"""Counters of the network stack: what is read of them, and how often a packet passes a station."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import FIXTURES

import perfduck
from perfduck.attachments import parsed
from perfduck.net_counters import net
from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore

FOLDER = FIXTURES / "net_counters"
TEXT = FIXTURES / "perf_script" / "v7-default" / "input.txt.xz"
WORK = {"native": 108_940, "docker0-nat": 83_850}
SNMP = "Ip: Forwarding InReceives\nIp: 1 {}\n"
FILES = "/proc/net/softnet_stat, snmp, snmp6 or dev"
TWICE = f"==> a/snmp <==\n{SNMP.format(1)}\n==> b/a/snmp <==\n{SNMP.format(1)}"
SOFTNET = "{:08x} 00000000 00000000\n"


def words(answer: perfduck.TopResult | perfduck.CompareResult) -> str:
    """The text of an answer as one line."""
    return " ".join(answer.to_text().split())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> perfduck.ProfileStore:
    """Two recordings with the counters of two paths; the samples do not matter."""
    opened = perfduck.open(tmp_path_factory.mktemp("net") / "s.duckdb")
    for number, (name, work) in enumerate(WORK.items()):
        text = TEXT if number else FIXTURES / "perf_script" / "net-chain" / "input.txt.xz"
        opened.ingest(
            text,
            name=name,
            work=work,
            unit="packet",
            labels={"scenario": name},
            attach=[f"net={FOLDER / name}.txt"],
        )
    return opened


@pytest.mark.slow
@pytest.mark.parametrize("by", ["direction", "traversal"])
def test_a_packet_behind_docker0_is_received_three_times_and_by_ip_twice(
    store: perfduck.ProfileStore, by: str
) -> None:
    native, behind = (words(store.top(name, by=by)) for name in WORK)  # type: ignore[arg-type]
    assert (
        "counted per packet: __netif_receive_skb_core 1.00, ip_rcv 1.00 (b 1.00), ip_output 1.00"
        " (a 1.00); received by devices: b/eth0 1.00"
    ) in native
    assert (
        "counted per packet: __netif_receive_skb_core 3.00, ip_rcv 2.00 (a 1.00, b 1.00),"
        " ip_forward 1.00 (a 1.00), ip_output 2.00 (a 1.00, a-p1 1.00); received by devices:"
        " a/docker0 1.00, a/vethp1 1.00, b/eth0 1.00"
    ) in behind


@pytest.mark.slow
def test_diff_and_compare_say_it_of_each_side(store: perfduck.ProfileStore) -> None:
    compared = words(store.compare("*", "scenario", by="direction", order=list(WORK)))
    grown = " ".join(store.diff("native", "docker0-nat").render("text").split())
    for text in (compared, grown):
        assert "counted per packet: __netif_receive_skb_core 1.00, ip_rcv 1.00" in text
        assert "counted per packet: __netif_receive_skb_core 3.00, ip_rcv 2.00" in text


@pytest.mark.slow
def test_without_counters_an_answer_says_that_it_has_no_counts(demo_store: Path) -> None:
    with perfduck.open(demo_store) as opened:
        top = opened.top("native.udp64.1", by="traversal")
        other = opened.top("native.udp64.1", by="class")
        compared = opened.compare("workload=udp64", "scenario", by="traversal")
    assert "samples have no counts" in words(top)
    assert "samples have no counts" in words(compared)
    assert "samples have no counts" not in words(other)


def counts(before: str, after: str, tmp_path: Path) -> dict[str, int]:
    """By counter, of the files before and after."""
    heads = (
        f"==> {moment}/f <==\n{text}" for moment, text in (("before", before), ("after", after))
    )
    (tmp_path / "net").write_text("\n".join(heads))
    path = tmp_path / "one.duckdb"
    with perfduck.open(path) as opened:
        opened.ingest(TEXT, name="a", attach=[f"net={tmp_path / 'net'}"])
    with DuckDbStore(path) as store:
        ids = [each.profile_id for each in store.profiles.all()]
        return {each.counter: each.value for each in store.attachments.net_counts(ids)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        (SNMP.format(5), SNMP.format(12), {"IpInReceives": 7}),
        (SNMP.format(12), SNMP.format(5), {"IpInReceives": 5}),  # a namespace made again
        (SOFTNET.format(5), SOFTNET.format(12), {"processed": 7}),
        (SOFTNET.format(0xFFFFFFFE), SOFTNET.format(5), {"processed": 7}),  # 32 bits
    ],
)
def test_a_count_is_what_was_added_during_the_run(
    before: str, after: str, counted: dict[str, int], tmp_path: Path
) -> None:
    assert counts(before, after, tmp_path) == counted


@pytest.mark.slow
def test_what_was_not_read_before_counts_since_it_was_made(tmp_path: Path) -> None:
    """As does a /proc/net/dev alone; of a machine's softnet_stat that says nothing."""
    (tmp_path / "net").write_text(
        f"==> softnet_stat <==\n{SOFTNET.format(9)}\n==> ns/snmp <==\n{SNMP.format(3000)}"
    )
    with perfduck.open(tmp_path / "s.duckdb") as opened:
        opened.ingest(TEXT, name="a", work=1000, unit="packet", attach=[f"net={tmp_path / 'net'}"])
        text = words(opened.top("a", by="traversal"))
    assert (
        "counted per packet since devices and namespaces were made, as nothing was read before the"
        " run: ip_rcv 3.00 (ns 3.00)"
    ) in text
    assert "__netif_receive_skb_core 9" not in text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", f"f: expected {FILES}, each once, got none"),
        ("==> before/x <==\nhello\n", f"f:2: expected {FILES}, got 'hello'"),
        (SNMP.format("x"), f"f: expected {FILES}, each once, got none"),
        (SNMP.format(1) + "oops\n", "f:3: expected a line of snmp, as in Ip: 1 64 812950, got"),
        (SOFTNET.format(1) + "oops\n", "f:2: expected hexadecimal numbers of softnet_stat, got"),
        (SNMP.format(1 << 63), "f: expected counters of 63 bits, got after snmp IpInReceives"),
        (TWICE, "each once, got a counter twice"),
    ],
)
def test_what_is_no_such_file_is_refused_in_a_line(text: str, error: str) -> None:
    with pytest.raises(PerfduckError) as raised:
        net(text, "f")
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


@given(
    st.text(alphabet="=> </\nabIp:0123456789 |-"),
    st.sampled_from(["", SNMP.format(1), SOFTNET.format(1)]),
)
def test_any_text_is_read_or_refused(text: str, more: str) -> None:
    try:
        rows = parsed("net", "f", more + text).rows["net_counter"]
    except PerfduckError:
        return
    assert rows.height > 0
    assert rows["value"].min() >= 0  # type: ignore[operator]
