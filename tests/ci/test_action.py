"""Every step of the action is run as it is written; `gh` alone is a stand-in."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from recordings import FIXTURES, ROOT
from workflow import Runner

import perfduck
from perfduck.record import perf
from perfduck_model.errors import PerfduckError

BIN = Path(sys.executable).parent
DEMO = FIXTURES / "demo"
GH = """#!/bin/sh
# Comments of a pull request, one file each.
here=$(dirname "$0"); method=GET body= jq=
echo "$*" >> "$here/calls"
while [ $# -gt 0 ]; do case $1 in
    -X) method=$2; shift ;; -F) body=${2#body=@}; shift ;; --jq) jq=$2; shift ;; repos/*) url=$1 ;;
esac; shift; done
case $method in
    GET) mark=${jq#*startswith(\\"}; cd "$here/comments"; grep -lF -- "${mark%%\\"*}" * || true ;;
    POST) cp "$body" "$here/comments/$(ls "$here/comments" | wc -l)" ;;
    PATCH) cp "$body" "$here/comments/${url##*/}" ;;
esac
"""


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gh" / "comments").mkdir(parents=True)
    (tmp_path / "gh" / "comments" / "0").write_text("Nice.\n")
    program(tmp_path / "gh" / "gh", GH)
    return tmp_path


def manifest(folder: Path, scenario: str) -> Path:
    head, *lines = (DEMO / "recordings.csv").read_text().replace("scenario", "build").splitlines()
    wanted = [f"{DEMO}/{line}" for line in lines if f",{scenario}.udp64." in line]
    path = folder / f"{scenario}.csv"
    path.write_text("\n".join([head, *wanted]))
    return path


def runner(folder: Path, **inputs: Any) -> Runner:
    github = {
        "event_name": "pull_request", "base_ref": "main", "head_ref": "topic", "sha": "c0ffee",
        "run_id": "7", "run_attempt": "1", "repository": "o/r", "server_url": "https://example",
        "event": {"pull_request": {"number": 5}}, "action_path": str(ROOT), "token": "t",
        "ref_name": "5/merge", "job": "load",
    }  # fmt: skip
    context = {"github": github, "runner": {"os": "Linux"}, "strategy": {"job-index": 0},
               "inputs": inputs}  # fmt: skip
    return Runner(ROOT / "action.yml", folder, context, [str(folder / "gh"), str(BIN)])


def compared(folder: Path, **inputs: Any) -> Runner:
    """The step that compares runs on recordings of the demo."""
    base = runner(folder, manifest=manifest(folder, "native"), labels="branch=main", base="")
    assert base.run(skip=("Install perfduck",)) == 0, base.log
    return runner(folder, manifest=manifest(folder, "docker0-nat"), new="build=docker0-nat",
                  base="build=native", **inputs)  # fmt: skip


def comments(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted((folder / "gh" / "comments").iterdir())]


@pytest.mark.slow
def test_a_regression_fails_the_job_and_is_said_once_and_updated(folder: Path) -> None:
    made = compared(folder)
    assert made.run(skip=("Install perfduck",)) == 1, made.log
    assert made.steps["compare"]["verdict"] == "regression"
    assert "br_handle_frame" in made.summary
    [other, comment] = comments(folder)
    assert other == "Nice.\n"
    assert comment.startswith("<!-- perfduck load.0 -->\n")
    assert "br_handle_frame" in comment
    assert "https://example/o/r/actions/runs/7" in comment
    page = (folder / "perfduck-report" / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert made.used == [
        "actions/cache/restore@v4", "actions/upload-artifact@v4", "actions/cache/save@v4"
    ]  # fmt: skip
    again = runner(folder, manifest=manifest(folder, "docker0-nat"), base="build=native",
                   new="build=docker0-nat", diff="--tolerance '80 %'")  # fmt: skip
    assert again.run(skip=("Install perfduck",)) == 0, again.log
    assert again.steps["compare"]["verdict"] == "pass"
    assert len(comments(folder)) == 2
    assert comments(folder)[1] != comment
    matrix = compared(folder, job="load.1")
    matrix.run(skip=("Install perfduck",))
    assert len(comments(folder)) == 3  # another job of the matrix has one of its own


@pytest.mark.slow
def test_without_a_baseline_nothing_is_judged_and_that_is_said(folder: Path) -> None:
    made = runner(folder, manifest=manifest(folder, "native"))
    assert made.run(skip=("Install perfduck",)) == 0, made.log
    assert 'perfduck: no recordings of branch="main" yet' in made.summary
    assert 'no recordings of branch="main" yet' in comments(folder)[1]
    assert made.used == ["actions/cache/restore@v4", "actions/cache/save@v4"]


@pytest.mark.slow
@pytest.mark.parametrize(("inconclusive", "status"), [("exit", 3), ("fail", 1), ("pass", 0)])
def test_an_inconclusive_verdict_is_what_was_asked_for(
    folder: Path, inconclusive: str, status: int
) -> None:
    listed = manifest(folder, "native")
    made = runner(folder, manifest=listed, base="native.udp64.1", new="native.udp64.2",
                  inconclusive=inconclusive, comment="false")  # fmt: skip
    assert made.run(skip=("Install perfduck",)) == status, made.log
    assert len(comments(folder)) == 1


@pytest.mark.slow
def test_what_is_wrong_fails_the_step(folder: Path) -> None:
    made = runner(folder)
    assert made.run(skip=("Install perfduck",)) == 2
    assert "expected command or manifest" in made.log
    wrong = compared(folder, diff="--tolerance x")
    assert wrong.run(skip=("Install perfduck",)) == 2
    assert "--tolerance" in wrong.log


@pytest.mark.slow
def test_a_command_is_recorded_for_real_with_branch_and_commit(folder: Path) -> None:
    try:
        perf.ready((), perf.FREQUENCY, "")
    except PerfduckError as error:
        pytest.skip(str(error))
    report = "echo '  1200 requests in 0.10s, 1MB read'"
    made = runner(folder, command=f"sleep 0.1; {report}", runs="2", labels="k=v\nl=two words")
    assert made.run(skip=("Install perfduck",)) == 0, made.log
    profiles = json.loads(perfduck.open(folder / "perfduck.duckdb").profiles().to_json())
    assert [(each["name"], each["work"], each["labels"]) for each in profiles] == [
        (f"ci.7.1.{run}", 1200, {"branch": "topic", "commit": "c0ffee", "k": "v", "l": "two words",
                                 "run": str(run)})
        for run in (1, 2)
    ]  # fmt: skip


@pytest.mark.slow
def test_perfduck_is_installed_as_the_action_says(folder: Path) -> None:
    made = runner(folder, manifest=manifest(folder, "native"), base="")
    made.path = [str(folder / "gh")]  # and none of this environment
    assert made.run() == 0, made.log
    assert (folder / "perfduck" / "bin" / "perfduck").exists()
    assert (folder / "perfduck.duckdb").exists()


def test_a_push_to_main_only_records() -> None:
    made = runner(ROOT)
    made.context["github"] |= {"event_name": "push", "base_ref": "", "head_ref": ""}
    content = yaml.safe_load((ROOT / "action.yml").read_text())
    assert made._text(content["inputs"]["base"]["default"]) == ""
    assert runner(ROOT)._text(content["inputs"]["base"]["default"]) == 'branch="main"'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"base": "branch=main,"}, "got an empty one"), ({"base": 'branch="'}, 'a closing "')],
)
def test_a_baseline_that_cannot_be_read_is_no_missing_baseline(
    folder: Path, wrong: dict[str, str], said: str
) -> None:
    made = runner(folder, manifest=manifest(folder, "native"), **wrong)
    assert made.run(skip=("Install perfduck",)) == 2, made.log
    assert said in made.log
    assert "verdict" not in made.steps["compare"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"inconclusive": "Pass"}, "expected exit, pass or fail, got 'Pass'"),
        ({"comment": "yes"}, "expected true or false, got 'yes'"),
        ({"job": "linux, 6.1"}, "job: expected letters, digits"),
        ({"command": "make load"}, "expected no command and no work-from beside it"),
        ({"work-from": "netdev:eth0:rx_packets"}, "expected no command and no work-from"),
    ],
)
def test_no_input_is_ignored(folder: Path, wrong: dict[str, str], said: str) -> None:
    made = runner(folder, **{"manifest": "runs.csv", **wrong})
    assert made.run(skip=("Install perfduck",)) == 2
    assert said in made.log


@pytest.mark.parametrize(
    ("event", "repository", "branch"),
    [
        ("pull_request", "o/r", "main"),
        ("pull_request", "fork/r", "fork:main"),
        ("push", "", "main"),
    ],
)
def test_a_branch_of_a_fork_is_not_that_of_the_repository(
    folder: Path, event: str, repository: str, branch: str
) -> None:
    made = runner(folder)
    github = made.context["github"] | {"event_name": event, "ref_name": "main", "event": {}}
    github["head_ref"] = "main" if event == "pull_request" else ""
    if event == "pull_request":
        head = {"repo": {"full_name": repository}, "label": f"{repository.partition('/')[0]}:main"}
        github["event"] = {"pull_request": {"head": head}}
    made.context["github"] = github
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    [step] = [step for step in steps if step["name"] == "Record or ingest"]
    assert made._text(step["env"]["BRANCH"]) == branch


def test_no_run_line_has_an_expression() -> None:
    """What a branch, a label or a title says would be shell there."""
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    assert not [step["name"] for step in steps if "${{" in step.get("run", "")]


def test_every_input_is_used_and_every_expression_known() -> None:
    text = (ROOT / "action.yml").read_text()
    inputs = yaml.safe_load(text)["inputs"]
    used = set(re.findall(r"inputs\.([\w-]+)", text))
    assert used == set(inputs)


@pytest.mark.parametrize("page", ["README.md", "docs/ci.md"])
def test_what_the_pages_show_is_what_the_action_takes(page: str) -> None:
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    shown = re.findall(r"^```yaml\n(on:.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    [job] = yaml.safe_load(shown[0])["jobs"].values()
    [step] = [step for step in job["steps"] if "perfduck" in step["uses"]]
    assert set(step["with"]) <= set(inputs)
    assert len(shown[0].splitlines()) <= 10


@pytest.mark.slow
def test_the_job_for_gitlab_runs_as_written(folder: Path) -> None:
    try:
        perf.ready((), perf.FREQUENCY, "")
    except PerfduckError as error:
        pytest.skip(str(error))
    job = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text())[".perfduck"]
    venv = folder / "venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "perfduck").symlink_to(BIN / "perfduck")
    shown = {
        "CI_PROJECT_DIR": str(folder), "CI_DEFAULT_BRANCH": "main", "CI_JOB_ID": "9",
        "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_SHA": "c0ffee", "CI_PROJECT_PATH": "o/r",
    }  # fmt: skip
    given = {"PERFDUCK_COMMAND": "sleep 0.1; echo '  12 requests in 0.10s, 1MB read'",
             "PERFDUCK_RUNS": "2"}  # fmt: skip
    lines = ["mkdir -p .perfduck", *job["script"]]

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        values = {**job["variables"], **given, **shown, **more}
        own = {key: re.sub(r"\$(\w+)", lambda m: values[m[1]], str(value))
               for key, value in values.items()}  # fmt: skip
        script = "\n".join(lines)
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script], cwd=folder, env={**os.environ, **own},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    first = run()
    assert first.returncode == 0, first.stderr
    asked = {"CI_MERGE_REQUEST_IID": "3", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "topic"}
    second = run(**asked, CI_JOB_ID="10", CI_COMMIT_SHA="decaf")
    assert second.returncode in (0, 1, 3), second.stderr
    assert "<testsuite" in (folder / "perfduck.xml").read_text()
    assert (folder / "perfduck.html").read_text().startswith("<!doctype html>")
    wrong = run(**asked, CI_JOB_ID="12", PERFDUCK_BASE="branch=main,")
    assert wrong.returncode == 2
    assert "got an empty one" in wrong.stdout
    shutil.rmtree(folder / ".perfduck")
    assert "no baseline yet" in run(**asked, CI_JOB_ID="11").stdout
