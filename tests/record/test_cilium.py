"""The report directory of `cilium connectivity perf` is one ingest. Layout: metrics.go and
profiler.go of cilium-cli; no cluster was at hand."""

import json
import lzma
from pathlib import Path

import pytest
from command import run_text
from recordings import FIXTURES

TEXT = lzma.decompress((FIXTURES / "perf_script" / "net-chain" / "input.txt.xz").read_bytes())
RESULTS = [
    ("TransactionRate", "netperf-TCP_RR", "other-node", 23000.0, "ops/s"),
    ("TransactionRate", "netperf-TCP_RR", "same-node", 50000.0, "ops/s"),
    ("TransactionRate", "netperf-TCP_CRR", "other-node", 4000.0, "ops/s"),
    ("Throughput", "netperf-TCP_STREAM", "other-node", 8000.0, "Mb/s"),
    ("Latency", "netperf-TCP_RR", "other-node", 40.0, "us"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "report"
    folder.mkdir()
    items = [
        {
            "data": {"Throughput" if metric != "Latency" else "Perc50": value},
            "unit": unit,
            "labels": {"metric": metric, "test_type": test, "node": node, "scenario": "pod-to-pod"},
        }
        for metric, test, node, value, unit in RESULTS
    ]
    name = "NetworkPerformance_benchmark_2025-03-21T10:11:12Z.json"
    (folder / name).write_text(json.dumps({"version": "v1", "dataItems": items}, indent=2))
    return folder


def profile(folder: Path, name: str, more: bytes = b"") -> None:
    (folder / name).write_bytes(TEXT + more)


def ingest(folder: Path, *words: str) -> tuple[int, str, list[dict[str, object]]]:
    store = ["--store", str(folder.parent / "s.duckdb")]
    done = run_text(["ingest", str(folder), *words, *store])
    rows = run_text(["profiles", "--format", "json", *store])
    return done.returncode, done.stdout + done.stderr, json.loads(rows.stdout or "[]")


def seconds() -> float:
    lines = [line.split() for line in TEXT.decode().splitlines() if "cpu-clock" in line]
    times = [float(next(word for word in line if word.endswith(":")).rstrip(":")) for line in lines]
    return times[-1] - times[0]


@pytest.mark.slow
def test_each_profile_has_the_work_of_its_test_in_its_time(folder: Path) -> None:
    profile(folder, "netperf_TCP_RR_pod-to-pod_other-node_client.perf")
    profile(folder, "netperf_TCP_STREAM_pod-to-pod_other-node_server.perf", b"\n")
    (folder / "notes.txt").write_text("of the run\n")
    code, said, rows = ingest(folder, "--label", "run=1")
    assert code == 0, said
    stream, rr = sorted(rows, key=lambda row: str(row["work_unit"]))
    assert rr["name"] == "report.netperf_TCP_RR_pod-to-pod_other-node_client"
    assert (rr["work"], rr["work_unit"]) == (pytest.approx(23000 * seconds()), "transaction")
    assert (stream["work"], stream["work_unit"]) == (pytest.approx(1e9 * seconds()), "byte")
    assert rr["labels"] == {"node": "other-node", "role": "client", "run": "1",
                            "scenario": "pod-to-pod", "workload": "tcp-rr"}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("TCP_RR_pod-to-pod.perf", "none"),
        ("profile.perf", "none"),
        ("UDP_RR_pod-to-pod_other-node.perf", "none"),
    ],
)
def test_a_profile_of_no_known_test_is_stored_without_work_and_that_is_said(
    folder: Path, name: str, got: str
) -> None:
    profile(folder, name)
    code, said, [row] = ingest(folder)
    assert code == 0
    assert f"{name}: expected one result of its test, got {got}: stored without work" in said
    assert row["work"] is None


def test_a_report_without_profiles_and_one_that_is_none_are_refused(folder: Path) -> None:
    code, said, _ = ingest(folder)
    assert code == 2
    assert "expected profiles (cilium connectivity perf --kernel-profiles), got none" in said
    profile(folder, "TCP_RR.perf")
    (folder / "NetworkPerformance_benchmark_2.json").write_text('{"dataItems": 1}')
    code, said, _ = ingest(folder)
    assert code == 2
    assert "NetworkPerformance_benchmark_2.json: expected results for perfdash" in said


def test_a_result_of_no_test_is_that_of_no_profile(folder: Path) -> None:
    [results] = folder.glob("*.json")
    results.write_text(
        '{"dataItems": [{"data": {"Throughput": 5}, "labels": {"metric": "Throughput"}}]}'
    )
    profile(folder, "netperf_TCP_RR_pod-to-pod_other-node_client.perf")
    code, said, [row] = ingest(folder)
    assert (code, row["work"]) == (0, None)
    assert "expected one result of its test, got none: stored without work" in said


@pytest.mark.slow
def test_a_rate_that_is_none_is_said(folder: Path) -> None:
    [results] = folder.glob("*.json")
    results.write_text(results.read_text().replace("23000.0", "0.0"))
    profile(folder, "netperf_TCP_RR_pod-to-pod_other-node_client.perf")
    code, said, [row] = ingest(folder)
    assert (code, row["work"]) == (0, None)
    assert "expected a rate above 0, got 0: stored without work" in said


@pytest.mark.slow
def test_files_that_are_no_profiles_are_said(folder: Path) -> None:
    profile(folder, "netperf_TCP_RR_pod-to-pod_other-node_client.perf")
    (folder / "netperf_TCP_RR_pod-to-pod_same-node_client.perf.xz").write_bytes(lzma.compress(TEXT))
    (folder / "empty.perf").touch()
    code, said, rows = ingest(folder)
    assert (code, len(rows)) == (0, 1)
    assert "left out: no text of perf script with times in empty.perf, netperf_TCP_RR" in said
