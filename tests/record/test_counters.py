"""Counters of devices: in /proc/net/dev and what ethtool -S prints."""

from contextlib import suppress
from pathlib import Path

import pytest
from command import run_text
from hypothesis import given
from hypothesis import strategies as st
from recordings import FIXTURES

from perfduck_ingest.counters import CounterName, counter_name, value, work_between
from perfduck_ingest.work import Work
from perfduck_model.errors import PerfduckError

NETDEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo \
colls carrier compressed
    lo: 3254816   27390    1    2    0     0          0         0  3254816   27390    0    0    0 \
    0       0          0
veth12: 100 2 3 4 5 6 7 8 109 10 11 12 13 14 15 16
"""
ETHTOOL = """\
NIC statistics:
     peer_ifindex: 12
     rx_queue_0_xdp_packets: 7
     [0]: rx_ucast_packets: 51
"""


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("netdev:lo:rx_bytes", NETDEV, 3254816),
        ("netdev:lo:rx_packets", NETDEV, 27390),
        ("netdev:veth12:tx_packets", NETDEV, 10),
        ("netdev:veth12:tx_compressed", NETDEV, 16),
        ("netdev:veth12:rx_multicast", NETDEV, 8),
        ("ethtool:eth0:rx_queue_0_xdp_packets", ETHTOOL, 7),
    ],
)
def test_a_counter_is_read_by_device_and_name(name: str, text: str, expected: int) -> None:
    assert value(counter_name(name), text, "here") == expected


def test_the_columns_are_those_that_sysfs_has() -> None:
    text = Path("/proc/net/dev").read_text()
    for counter in ("rx_packets", "tx_bytes", "rx_errors", "tx_carrier_errors"):
        known = Path(f"/sys/class/net/lo/statistics/{counter}").read_text()
        name = counter.replace("carrier_errors", "carrier")
        before = value(CounterName("netdev", "lo", name), text, "here")
        assert before <= int(known)
        assert (
            value(CounterName("netdev", "lo", name), Path("/proc/net/dev").read_text(), "")
            >= before
        )


@pytest.mark.parametrize(
    ("counter", "unit"),
    [("rx_packets", "packet"), ("tx_bytes", "byte"), ("rx_queue_0_xdp_packets", "packet"),
     ("rx_dropped", "rx_dropped")],
)  # fmt: skip
def test_the_unit_is_what_the_counter_is_called_by(counter: str, unit: str) -> None:
    assert CounterName("netdev", "lo", counter).unit == unit


@pytest.mark.slow
def test_ingest_takes_what_was_counted_between_two_files(tmp_path: Path) -> None:
    (tmp_path / "before").write_text(NETDEV)
    (tmp_path / "after").write_text(NETDEV.replace("27390", "27490"))
    counter = "netdev:lo:rx_packets"
    assert work_between(f"{counter}:before:after", tmp_path) == Work(100, "packet")
    recording = FIXTURES / "perf_script" / "net-chain" / "input.txt.xz"
    (tmp_path / "runs.csv").write_text(
        f"file,name,work_from\n{recording},a,{counter}:before:after\n"
    )
    store = ["--store", tmp_path / "s.duckdb"]
    assert run_text(["ingest", "--manifest", tmp_path / "runs.csv", *store]).returncode == 0
    done = run_text(["profiles", "--format", "csv", *store])
    assert ",100.0,packet," in done.stdout
    other = f"{counter}:{tmp_path}/before:{tmp_path}/after"
    done = run_text(["ingest", recording, "--work-from", other, *store])
    assert "a: already in the store" in done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("netdev:lo:rx_packets:after:before", "expected a counter that grew, got 2 before and 1"),
        ("netdev:lo:rx_packets:before:before", "expected a counter that grew, got no change"),
        ("netdev:lo:rx_packets:before", "expected netdev:DEVICE:COUNTER or ethtool:DEVICE:COUNTER"),
        ("netdev:lo:rx_packets:before:none", "none: expected /proc/net/dev or what ethtool -S"),
        ("netdev:eth7:rx_packets:before:after", "before: expected device eth7, got lo"),
        ("ethtool:lo:x:before:after", "before: expected NIC statistics"),
        ("netdev:lo:x:before:after", "expected counter x, got none: there are rx_bytes,"),
    ],
)
def test_what_cannot_be_counted_is_said_in_a_line(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "before").write_text("lo: 1 1\n")
    (tmp_path / "after").write_text("lo: 1 2\n")
    if "after:before" not in text:
        (tmp_path / "before").write_text("lo: 1 1\n")
    with pytest.raises(PerfduckError, match=expected.split(",")[0].replace(".", r"\.")) as caught:
        work_between(text, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("1 18446744073709551615", "expected a positive number, 1e-9 to 1e18, got 18,446,744,073,"),
        ("1 " + "9" * 5000, "expected device lo, got 'lo: 1 999"),
    ],
)
def test_a_counter_that_no_device_has_is_refused(tmp_path: Path, after: str, expected: str) -> None:
    (tmp_path / "before").write_text("lo: 1 1\n")
    (tmp_path / "after").write_text(f"lo: {after}\n")
    recording = FIXTURES / "perf_script" / "net-chain" / "input.txt.xz"
    work = f"netdev:lo:rx_packets:{tmp_path}/before:{tmp_path}/after"
    done = run_text(["ingest", recording, "--work-from", work, "--store", tmp_path / "s.duckdb"])
    assert done.returncode == 2
    assert expected in done.stderr
    assert not (tmp_path / "s.duckdb").exists()


@given(st.text(max_size=400))
def test_any_text_has_the_counter_or_is_refused(text: str) -> None:
    for name in ("netdev:lo:rx_packets", "ethtool:lo:a"):
        for made in (text, f"lo: {text}", f"NIC statistics:\n {text}: 1"):
            with suppress(PerfduckError):
                assert value(counter_name(name), made, "here") >= 0
