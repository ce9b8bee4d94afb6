"""perfduck record: what is stored, with which work, and what is said where it cannot be."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import run_text
from fake_perf import FakePerf
from recordings import FIXTURES

import perfduck
from perfduck.record.perf import Permission, reason

WRK = "echo '  1200 requests in 1.00s, 1MB read'"
PROGRAM = Path(sys.executable).parent / "perfduck"


def record(*words: str) -> subprocess.CompletedProcess[str]:
    return run_text(["record", *words])


def stored() -> list[dict[str, object]]:
    return json.loads(run_text(["profiles", "--format", "json"]).stdout)


@pytest.mark.slow
def test_a_run_is_stored_with_the_work_that_its_command_prints(perf: FakePerf) -> None:
    done = record("--name", "a", "--label", "scenario=native", "--", "sh", "-c", WRK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("  1200 requests in 1.00s, 1MB read\na: ")
    assert "work is 1,200 requests" in done.stdout
    [profile] = stored()
    assert (profile["name"], profile["work"], profile["work_unit"]) == ("a", 1200, "request")
    assert profile["labels"] == {"scenario": "native"}


@pytest.mark.slow
def test_perf_records_all_cpus_with_call_graphs_and_cgroups(perf: FakePerf) -> None:
    record("--", "sh", "-c", WRK)
    [call] = perf.calls
    assert call.startswith("record -q -a -g -e cpu-clock -F 999 --all-cgroups --namespaces -o ")


def test_what_is_typed_for_perf_is_what_perf_gets(perf: FakePerf) -> None:
    options = ["--event", "cycles", "--event", "cache-misses", "--freq", "99"]
    record(*options, "--perf-args", "--call-graph dwarf", "--", "sh", "-c", WRK)
    [call] = perf.calls
    assert "-a -g -e cycles -e cache-misses -F 99 --all-cgroups " in call
    assert " --namespaces --call-graph dwarf -o " in call


@pytest.mark.slow
@pytest.mark.parametrize("lacks", [{"cgroups"}, {"namespaces"}, {"cgroups", "namespaces"}])
def test_what_the_kernel_does_not_say_is_not_recorded(perf: FakePerf, lacks: set[str]) -> None:
    for one in lacks:
        perf.says(f"no-{one}")
    assert record("--", "sh", "-c", WRK).returncode == 0
    [call] = perf.calls
    assert ("--all-cgroups" in call) == ("cgroups" not in lacks)
    assert ("--namespaces" in call) == ("namespaces" not in lacks)


@pytest.mark.slow
def test_several_runs_are_numbered_and_labelled(perf: FakePerf) -> None:
    done = record("--runs", "3", "--name", "a", "--", "sh", "-c", WRK)
    assert done.returncode == 0
    assert [(each["name"], each["labels"]) for each in stored()] == [
        (f"a.{run}", {"run": str(run)}) for run in (1, 2, 3)
    ]


@pytest.mark.slow
def test_a_name_that_is_taken_is_refused_before_anything_runs(perf: FakePerf) -> None:
    record("--name", "a.2", "--", "sh", "-c", WRK)
    done = record("--runs", "3", "--name", "a", "--", "touch", "ran")
    assert done.returncode == 2
    assert "--name a.2: expected a name that the store does not have" in done.stderr
    assert not Path("ran").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "status"), [("exit 3", "3"), ("kill -TERM $$", "SIGTERM (exit status 143)")]
)
def test_of_a_command_that_fails_nothing_is_stored_unless_asked(
    perf: FakePerf, command: str, status: str
) -> None:
    done = record("--name", "a", "--", "sh", "-c", f"{WRK}; {command}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"perfduck: a: sh -c '{WRK}; {command}'".replace(f"'{WRK}; {command}'", _shell(command))
        + f": expected exit status 0, got {status}: not stored (--ignore-failure stores it)"
    )
    assert not Path("perfduck.duckdb").exists()
    assert record("--ignore-failure", "--name", "a", "--", "sh", "-c", command).returncode == 0
    assert len(stored()) == 1


def test_a_report_of_a_failure_is_one_whatever_the_exit_status(perf: FakePerf) -> None:
    """iperf3 -J ends with 0 where it cannot connect."""
    command = ["cat", str(FIXTURES / "work" / "iperf3-refused" / "input.txt")]
    done = record("--name", "a", "--", *command)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"perfduck: a: {' '.join(command)}: expected a report of work, got the error 'unable to"
        " connect to server: Connection refused': not stored (--ignore-failure stores it)"
    )
    assert not Path("perfduck.duckdb").exists()
    assert record("--ignore-failure", "--name", "a", "--", *command).returncode == 0
    assert len(stored()) == 1


def _shell(command: str) -> str:
    text = f"{WRK}; {command}".replace("'", "'\"'\"'")
    return f"'{text}'"


@pytest.mark.slow
def test_a_run_without_work_says_how_to_give_it(perf: FakePerf) -> None:
    done = record("--name", "a", "--", "echo", "{not json")
    assert done.returncode == 0
    assert "a: no work in what the command printed: costs are per CPU second" in done.stderr
    assert stored()[0]["work"] is None


@pytest.mark.slow
def test_work_may_be_given(perf: FakePerf) -> None:
    record("--work", "7", "--unit", "packet", "--", "sh", "-c", WRK)
    assert (stored()[0]["work"], stored()[0]["work_unit"]) == (7, "packet")


@pytest.mark.slow
def test_work_is_read_from_a_file_that_the_command_writes(perf: FakePerf) -> None:
    command = f"{WRK} > report.txt"
    done = record("--work-from", "report.txt", "--", "sh", "-c", command)
    assert done.returncode == 0
    assert stored()[0]["work"] == 1200


@pytest.mark.slow
def test_a_report_from_before_the_run_is_refused_and_the_recording_kept(perf: FakePerf) -> None:
    Path("report.txt").write_text("  9 requests in 1.00s, 1MB read\n")
    os.utime("report.txt", (1e9, 1e9))
    done = record("--name", "a", "--work-from", "report.txt", "--", "true")
    assert done.returncode == 2
    assert "expected a report that the command wrote, got one from before it ran" in done.stderr
    assert "kept as a.perf.data" in done.stderr
    assert run_text(["ingest", "a.perf.data"]).returncode == 0


@pytest.mark.slow
def test_work_may_be_a_counter_of_a_device(perf: FakePerf) -> None:
    ping = "import socket; s = socket.socket(type=socket.SOCK_DGRAM)\n" + (
        "for _ in range(5): s.sendto(b'x', ('127.0.0.1', 9))"
    )
    done = record("--work-from", "netdev:lo:tx_packets", "--", "python3", "-c", ping)
    assert done.returncode == 0, done.stderr
    assert stored()[0]["work_unit"] == "packet"
    assert float(str(stored()[0]["work"])) >= 5


@pytest.mark.parametrize(
    ("counter", "expected"),
    [
        ("netdev:lo:rx_packet", "expected counter rx_packet, got none: did you mean rx_packets?"),
        ("netdev:nodev:rx_packets", "expected device nodev"),
        ("netdev:lo", "expected netdev:DEVICE:COUNTER"),
        ("ethtool:nodev:rx", "ethtool:nodev:rx: expected what `ethtool -S nodev` prints"),
    ],
)
def test_a_counter_that_is_not_there_is_said_before_anything_runs(
    perf: FakePerf, counter: str, expected: str
) -> None:
    done = record("--work-from", counter, "--", "touch", "ran")
    assert (done.returncode, done.stderr.count("\n")) == (2, done.stderr.count("perfduck: "))
    assert expected in done.stderr
    assert not Path("ran").exists()


def test_a_counter_that_did_not_move_is_no_work(perf: FakePerf) -> None:
    done = record("--work-from", "netdev:lo:tx_carrier", "--", "true")
    assert done.returncode == 2
    assert "netdev:lo:tx_carrier: expected a counter that grew, got no change" in done.stderr


@pytest.mark.slow
def test_a_run_is_ended_after_its_seconds_and_its_report_read(perf: FakePerf) -> None:
    start = time.monotonic()
    command = f"trap '{WRK.replace(chr(39), chr(34))}; exit 0' INT; while :; do sleep 0.05; done"
    done = record("--seconds", "0.5", "--", "sh", "-c", command)
    assert done.returncode == 0, done.stderr
    assert stored()[0]["work"] == 1200
    assert time.monotonic() - start < 20


@pytest.mark.slow
def test_a_command_that_ignores_its_end_is_killed(perf: FakePerf) -> None:
    command = "trap '' INT TERM; while :; do sleep 0.05; done"
    done = record("--seconds", "0.2", "--", "sh", "-c", command)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_without_a_command_the_system_is_recorded_for_some_seconds(perf: FakePerf) -> None:
    assert record("--seconds", "0.2").returncode == 0
    [call] = perf.calls
    assert call.endswith(" sleep 0.2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "expected a command to record: perfduck record -- CMD, or --seconds S"),
        (("--", "nosuchprogram"), "nosuchprogram: expected a program, got none of that name"),
        (("--unit", "packet", "--", "true"), "--unit packet: expected --work N"),
        (("--work", "1", "--work-from", "x", "--", "true"), "--work-from x: expected no --work"),
        (("--perf-args", "-o x", "--", "true"), "--perf-args: expected options of perf record"),
        (("--perf-args", "'", "--", "true"), "--perf-args: expected words"),
        (("--netns", "none", "--", "true"), "--netns none: expected a network namespace"),
        (("--runs", "2", "--label", "run=1", "--", "true"), "expected no label run beside --runs"),
        (("--name", " ", "--", "true"), "--name: expected a name"),
        (("--store", "no/where.duckdb", "--", "true"), "no/where.duckdb: expected a store"),
        (("--spool", "x", "--", "true"), "expected the URL of a server as --store"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    perf: FakePerf, words: tuple[str, ...], expected: str
) -> None:
    done = record(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert expected in done.stderr


def test_without_perf_its_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "true").symlink_to("/bin/true")
    with pytest.raises(perfduck.PerfduckError, match=r"perf: expected the program \(Debian: "):
        perfduck.open(tmp_path / "s.duckdb").record("true")


@pytest.mark.parametrize(
    ("is_root", "who"), [(False, "not root"), (True, "root without CAP_PERFMON")]
)
def test_a_kernel_that_forbids_recording_is_named_with_what_allows_it(
    is_root: bool, who: str
) -> None:
    printed = "Error:\nAccess to performance monitoring is limited.\n"
    line = reason(printed, Permission(4, is_root, has_capability=False))
    assert f"got kernel.perf_event_paranoid of 4 and {who}: run as root, or" in line
    assert "\n" not in line
    allowed = Permission(4, is_root, has_capability=True), Permission(0, is_root, False)
    for permission in allowed:
        assert reason(printed, permission) == (
            "perf record: Access to performance monitoring is limited."
        )


def test_what_else_perf_refuses_is_said_in_its_words(perf: FakePerf) -> None:
    perf.says("refusal", "event syntax error: 'bar'\n                     \\___ parser error\n")
    done = record("--event", "bar", "--", "touch", "ran")
    assert done.stderr == "perfduck: perf record: event syntax error: 'bar'\n"
    assert not Path("ran").exists()


def test_a_recording_that_perf_could_not_finish_is_not_stored(perf: FakePerf) -> None:
    perf.says("full")
    done = record("--", "sh", "-c", WRK)
    assert done.returncode == 2
    assert "perf record: failed to write perf data, error: No space left" in done.stderr
    assert not Path("perfduck.duckdb").exists()


@pytest.mark.slow
def test_the_state_of_the_system_is_kept(perf: FakePerf) -> None:
    record("--name", "a", "--", "sh", "-c", WRK)
    kept = {
        each.kind: each.source for each in perfduck.open("perfduck.duckdb").details("a").attachments
    }
    assert kept.keys() >= {"sysctl", "cpu"}
    assert kept["sysctl"] == "/proc/sys"


@pytest.mark.slow
@pytest.mark.parametrize(("printed", "note"), [
    ((FIXTURES / "bpf" / "bpf.json").read_text(), ""),
    ('{"error":"Operation not permitted"}', "bpf not kept: bpftool prog show -j: expected JSON of"),
])  # fmt: skip
def test_programs_of_ebpf_are_kept_where_bpftool_is(
    printed: str, note: str, perf: FakePerf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "programs.json").write_text(printed)
    bpftool = tmp_path / "tools" / "bpftool"
    bpftool.write_text(f'#!/bin/sh\n[ "$*" = "prog show -j" ] && cat {tmp_path}/programs.json\n')
    bpftool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bpftool.parent}:{os.environ['PATH']}")
    done = record("--name", "a", "--", "sh", "-c", WRK)
    assert (done.returncode, note in done.stderr) == (0, True)
    with perfduck.open("perfduck.duckdb") as store:
        kinds = {each.kind for each in store.details("a").attachments}
        programs = store.sql("select name from bpf_program where type = 'xdp'").frame
    assert ("bpf" in kinds, programs["name"].to_list()) == (
        (False, []) if note else (True, ["xdp_count_sources"])
    )


def still_runs(pid: int) -> bool:
    """Whether `pid` runs; a zombie does not: process 1 of a container may never reap it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.slow
def test_ctrl_c_stores_nothing_and_leaves_no_process(perf: FakePerf, tmp_path: Path) -> None:
    words = [PROGRAM, "record", "--", "sh", "-c", "echo $$ > pid; sleep 60"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(words, stderr=subprocess.PIPE, env=environment) as process:
        while not Path("pid").exists() or not Path("pid").read_text().strip():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    assert not Path("perfduck.duckdb").exists()
    assert not still_runs(int(Path("pid").read_text()))
    assert list(tmp_path.glob("perfduck-record-*")) == []
