"""A baseline that is chosen, and verdicts for `git bisect run`."""

import subprocess
import sys
from pathlib import Path

import pytest
from command import run_text
from test_trend import recording

import perfduck


@pytest.fixture(scope="module")
def branches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten runs of main, two of which are of another workload or kernel; three of a change."""
    path = tmp_path_factory.mktemp("branches") / "store.duckdb"
    with perfduck.open(path) as store:
        for run in range(10):
            labels = {"branch": "main", "workload": "tcp" if run == 9 else "udp"}
            kernel = "6.1" if run == 8 else "6.18"
            store.ingest(recording({"udp": 300 + 3 * run}), name=f"main.{run}", labels=labels,
                         work=1000, unit="packet", host_files=False, kernel=kernel)  # fmt: skip
        for run in range(3):
            labels = {"branch": "new", "workload": "udp"}
            store.ingest(recording({"udp": 301 + 3 * run, "iptables": 200}), name=f"new.{run}",
                         labels=labels, work=1000, unit="packet", host_files=False,
                         kernel="6.18")  # fmt: skip
    return path


@pytest.mark.slow
def test_the_newest_runs_like_new_are_base_and_are_named(branches: Path) -> None:
    with perfduck.open(branches) as store:
        data = store.diff("branch=main", "branch=new", last=3).data
        assert data.base.profiles == ("main.5", "main.6", "main.7")
        first = data.reasons[0]
        assert first.code == "base"
        assert first.text == (
            "base is the newest 3 of 8 runs like new: main.7, main.6, main.5; 2 of another"
            " scenario, workload, unit or kernel"
        )
        every = store.diff("branch=main", "branch=new", last=99, allow_kernel_change=True).data
        assert len(every.base.profiles) == 9


@pytest.mark.slow
def test_a_run_is_not_its_own_base(branches: Path) -> None:
    done = run_text(["diff", "branch=new", "--base-from", "*", "--last", "20", "--store", branches])
    assert done.returncode == 1
    assert "newest 8 of 8 runs" in done.stdout


def test_without_a_run_like_new_there_is_no_base(branches: Path) -> None:
    words = ["diff", "branch=new", "--base-from", "workload=tcp", "--store", branches]
    done = run_text(words)
    assert done.returncode == 2
    assert done.stderr == (
        "perfduck: --base-from: expected a run like those of new (workload udp unit packet kernel"
        " 6.18), got workload tcp unit packet kernel 6.18\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["branch=new", "--base-from", "branch=main"], 1),
        (["branch=main,workload=udp", "--base-from", "branch=new"], 0),
        (["branch=new", "--base-from", "branch=main", "--last", "1", "--budget", "{budget}"], 125),
        (["branch=nev", "--base-from", "branch=main"], 130),
        (["branch=new", "--base-from", "branch=main", "--nothing"], 130),
    ],
)
def test_exit_codes_of_bisect(words: list[str], code: int, branches: Path, tmp_path: Path) -> None:
    """130 ends `git bisect run`: an error is no verdict on a commit."""
    budget = tmp_path / "budget.toml"
    budget.write_text('[budget]\ntotal = "65 %"\n')
    typed = [word.format(budget=budget) for word in words]
    command = [sys.executable, "-m", "perfduck", "diff", *typed, "--where", "workload=udp",
               "--allow-kernel-change", "--exit", "bisect", "--store", branches]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("perfduck ab --until-sure" in done.stderr) == (code == 125)
