from pathlib import Path

import pytest
from recordings import FIXTURES

from perfduck_ingest.work import Work, work_from
from perfduck_model.errors import PerfduckError

EXPECTED = {
    "iperf3-udp": Work(170600, "packet"),
    "iperf3-udp-text": Work(125990, "packet"),
    "iperf3-tcp": Work(1901592576, "byte"),
    "sockperf-ping-pong": Work(133128, "message"),
    "sockperf-ping-pong-tcp": Work(46912, "message"),
    "sockperf-throughput": Work(372750, "message"),
    "sockperf-under-load": Work(40011, "message"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_work_is_what_the_load_generator_sent(name: str) -> None:
    assert work_from(FIXTURES / "work" / name / "input.txt") == EXPECTED[name]


def test_every_recorded_report_is_tested() -> None:
    folders = {folder.name for folder in (FIXTURES / "work").iterdir() if folder.is_dir()}
    assert folders == EXPECTED.keys() | {"iperf3-refused", "sockperf-no-server"}


@pytest.mark.parametrize("name", ["iperf3-refused", "sockperf-no-server"])
def test_a_failed_run_has_no_work(name: str) -> None:
    with pytest.raises(PerfduckError, match=r"input\.txt:1: expected a report of iperf3"):
        work_from(FIXTURES / "work" / name / "input.txt")


def test_the_demo_manifest_says_what_the_programs_reported() -> None:
    demo = FIXTURES / "demo"
    lines = (demo / "recordings.csv").read_text().splitlines()[1:]
    for name, work, unit in (line.split(",")[1:4] for line in lines):
        report = demo / (f"{name}.wrk.txt" if unit == "request" else f"{name}.iperf3.json")
        assert work_from(report) == Work(float(work), unit)


def test_a_missing_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(PerfduckError, match=r"gone\.json: expected a report"):
        work_from(tmp_path / "gone.json")
