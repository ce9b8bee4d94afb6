from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import FIXTURES

from perfduck.manifest import checked_work
from perfduck_ingest.load_reports.netperf import netperf, super_netperf
from perfduck_ingest.work import Work, work_from, work_in
from perfduck_ingest.work_limitations import of_work
from perfduck_model.errors import PerfduckError

EXPECTED = {
    "iperf3-udp": Work(170600, "packet"),
    "iperf3-udp-text": Work(125990, "packet"),
    "iperf3-tcp": Work(1901592576, "byte"),
    "sockperf-ping-pong": Work(133128, "message"),
    "sockperf-ping-pong-tcp": Work(46912, "message"),
    "sockperf-throughput": Work(372750, "message"),
    "sockperf-under-load": Work(40011, "message"),
    "wrk2": Work(60017, "request"),
    "fortio-text": Work(200, "request"),
    "fortio-json": Work(200, "request"),
    "k6-summary": Work(4200, "request"),
    "k6-summary-export": Work(4200, "request"),
    "k6-handle-summary": Work(4096, "request"),
    "ghz-text": Work(200, "request"),
    "ghz-json": Work(200, "request"),
    "netperf-tcp-rr": Work(65373, "transaction"),
    "netperf-tcp-rr-cpu": Work(65914.5, "transaction"),
    "netperf-tcp-stream": Work(19.29e6 / 8 * 60.01, "byte"),
    "netperf-udp-stream": Work(492775, "message"),
    "netperf-keyval": Work(555559.4, "transaction"),
    "netperf-csv": Work(84330, "transaction"),
    "super-netperf-keyval": Work(1042e6 / 8 * 10, "byte"),
    "neper-tcp-rr": Work(329605, "transaction"),
    "neper-tcp-stream": Work(10e9, "byte"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_work_is_what_the_load_generator_sent(name: str) -> None:
    work = work_from(FIXTURES / "work" / name / "input.txt")
    assert (work.amount, work.unit) == (pytest.approx(EXPECTED[name].amount), EXPECTED[name].unit)


# What the reports say of the time that they cover, and of packets that did not arrive.
SECONDS = {
    "iperf3-udp": 1.000619, "iperf3-udp-text": 1.0, "iperf3-tcp": 1.000657, "wrk2": 30.01,
    "sockperf-ping-pong": 2.0, "fortio-json": 1.001465014, "ghz-json": 0.244975818,
    "netperf-tcp-stream": 60.01,
}  # fmt: skip
LOST = {"iperf3-udp": 75429 / 170600, "iperf3-udp-text": 54726 / 125990}


@pytest.mark.parametrize("name", SECONDS)
def test_the_time_and_the_loss_of_a_report_are_read(name: str) -> None:
    work = work_from(FIXTURES / "work" / name / "input.txt")
    assert work.seconds == SECONDS[name]
    assert work.lost == (pytest.approx(LOST[name]) if name in LOST else None)


def test_reports_that_are_added_up_have_no_time() -> None:
    lines = ["6 requests in 1.00m, 1MB read", "5 requests in 500.00ms, 1MB read"]
    assert [work.seconds for line in lines if (work := work_in(line))] == [60, 0.5]
    both = work_in("\n".join(lines))
    assert (both, both and both.seconds) == (Work(11, "request"), None)


@pytest.mark.parametrize(
    ("work", "duration_s", "words"),
    [
        (Work(9, "packet", 4.0), 4.1, {}),
        (Work(9, "packet", 4.0), 4.7, {}),
        (Work(9, "packet"), 4.7, {}),
        (Work(9, "packet", 4.0), None, {}),
        (Work(9, "packet", 10.0), 4.0, {"work-time": "the work is of a report of 10 s, the"
         " recording lasted 4 s: is it of the same run?"}),
        (Work(9, "packet", 1.0), 4.0, {"work-time": "the work is of a report of 1 s, the"
         " recording lasted 4 s: is it of the same run?"}),
        (Work(9, "packet", 4.0, 0.009), 4.0, {}),
        (Work(9, "packet", 4.0, 0.44), 4.0, {"work-lost": "more than 20 % of the packets that were"
         " sent were lost on their way: work counts all that were sent"}),
    ],
)  # fmt: skip
def test_work_of_another_run_and_loss_are_limitations(
    work: Work, duration_s: float | None, words: dict[str, str]
) -> None:
    assert {code: each.text for code, each in of_work(work, duration_s).items()} == words


def test_every_recorded_report_is_tested() -> None:
    folders = {folder.name for folder in (FIXTURES / "work").iterdir() if folder.is_dir()}
    assert folders == EXPECTED.keys() | {"iperf3-refused", "sockperf-no-server"}


@pytest.mark.parametrize("name", ["iperf3-refused", "sockperf-no-server"])
def test_a_failed_run_has_no_work(name: str) -> None:
    with pytest.raises(PerfduckError, match=r"input\.txt:1: expected a report of iperf3"):
        work_from(FIXTURES / "work" / name / "input.txt")


def test_what_a_report_says_went_wrong_is_said() -> None:
    error = "unable to connect to server: Connection refused"
    with pytest.raises(PerfduckError, match=f"got JSON with the error '{error}'"):
        work_from(FIXTURES / "work" / "iperf3-refused" / "input.txt")


def test_an_error_beside_work_is_no_failure() -> None:
    """What iperf3 -J prints where it is interrupted has the work up to then, and an error."""
    text = '{"end": {"sum_sent": {"packets": 7}}, "error": "interrupt - the client has terminated"}'
    assert work_in(text) == Work(7, "packet")


def test_the_demo_manifest_says_what_the_programs_reported() -> None:
    demo = FIXTURES / "demo"
    lines = (demo / "recordings.csv").read_text().splitlines()[1:]
    for name, work, unit in (line.split(",")[1:4] for line in lines):
        report = demo / (f"{name}.wrk.txt" if unit == "request" else f"{name}.iperf3.json")
        assert work_from(report) == Work(float(work), unit)


def test_a_missing_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(PerfduckError, match=r"gone\.json: expected a report"):
        work_from(tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("command", "printed", "work"),
    [
        ("super_netperf 4 -H srv -t TCP_RR -l 20", "97379.8\n", Work(1947596, "transaction")),
        ("./super_netperf 32 -H 172.18.0.2 -l10", " 97379.8\n", Work(121724750000, "byte")),
        ("super_netperf 2 -H srv -t UDP_RR -- -r 1,1", "100\n", Work(1000, "transaction")),
        ("super_netperf 2 -H srv -l -1000", "100\n", None),
        ("super_netperf 2 -H srv", "no route\n", None),
        ("netperf -H srv", "97379.8\n", None),
    ],
)
def test_super_netperf_prints_a_rate_and_its_command_what_of(
    command: str, printed: str, work: Work | None
) -> None:
    assert super_netperf(command.split(), printed) == work
    assert super_netperf(["sh", "-c", command], printed) == work


@pytest.mark.parametrize(
    ("line", "amount"),
    [
        ("bytes  bytes   bytes    secs.    MBytes/sec", 10 * 2**20 * 100),
        ("bytes  bytes   bytes    secs.    10^9bits/sec", 10e9 / 8 * 100),
        ("bytes  bytes   bytes    secs.    10^3bits/sec", 10e3 / 8 * 100),
    ],
)
def test_netperf_has_rates_in_other_units(line: str, amount: float) -> None:
    text = f"TCP STREAM TEST from 0.0.0.0 to srv\n{line}\n\n131072 16384 64 100.00 10.00\n"
    assert netperf(text) == Work(amount, "byte")


def test_numbers_of_two_points_are_no_result(tmp_path: Path) -> None:
    """They were called broken JSON."""
    report = tmp_path / "report"
    report.write_text(" TEST \nbytes bytes secs. per sec\n1 1 10.0.1 5.0\n")
    with pytest.raises(PerfduckError, match="with work in it, got ' TEST '"):
        work_from(report)


def test_netperfs_one_behind_the_other_are_added_up_unless_their_units_differ() -> None:
    def text(name: str) -> str:
        return (FIXTURES / "work" / name / "input.txt").read_text()

    assert netperf(text("netperf-tcp-rr") * 3) == Work(pytest.approx(3 * 65373), "transaction")
    assert netperf(text("netperf-tcp-rr") + text("netperf-tcp-stream")) is None


@pytest.mark.parametrize(
    "name",
    ["wrk2", "sockperf-ping-pong", "fortio-text", "iperf3-udp-text", "netperf-tcp-rr", "ghz-text"],
)
def test_two_reports_of_a_program_are_added_up(name: str) -> None:
    """Two loads in one recording: the second was left out."""
    text = (FIXTURES / "work" / name / "input.txt").read_text()
    work = work_in(f"{text}\n{text}")
    assert work is not None
    assert work.amount == pytest.approx(2 * EXPECTED[name].amount)


def test_reports_that_cannot_be_added_up_are_refused(tmp_path: Path) -> None:
    report = tmp_path / "report"
    wrk, neper = (
        (FIXTURES / "work" / name / "input.txt").read_text() for name in ("wrk2", "neper-tcp-rr")
    )
    for text, got in ((wrk + neper, "reports of wrk, neper"), (neper * 2, "2 reports of neper")):
        report.write_text(text)
        with pytest.raises(PerfduckError, match=f"one program that can be added up, got {got}"):
            work_from(report)


@given(st.text("0123456789. \n=#/^bytesecTHROUGHPUT_EST:,-MIGRATED TEST from", max_size=300))
def test_any_text_is_read_or_is_none(text: str) -> None:
    for made in (text, f"X TEST from y\n{text}", f"{text}\nbytes secs. per sec\n{text}"):
        work = work_in(made)
        assert work is None or 0 < work.amount < 1e18


@pytest.mark.parametrize(
    ("unit", "meant"),
    [("packtes", "packets"), ("packte", "packet"), ("requst", "request"), ("Packet", "packet")],
)
def test_a_mistyped_unit_is_refused(unit: str, meant: str) -> None:
    with pytest.raises(PerfduckError) as raised:
        checked_work(4, unit)
    said = f"unit {unit}: did you mean {meant}? (any other word is a unit of its own)"
    assert str(raised.value) == said


@pytest.mark.parametrize(
    "unit", ["packets", "kbytes", "bytes/s", "call", "kick", "operation", "query", "op", "flow"]
)
def test_other_units_are_units(unit: str) -> None:
    assert checked_work(4, unit) == Work(4, unit)


def test_a_report_that_is_no_text_is_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "report.xz"
    path.write_bytes(b"\xfd7zXZ\x00\x00\x04\xe6")
    with pytest.raises(PerfduckError, match=r"with work in it, got binary data$"):
        work_from(path)
