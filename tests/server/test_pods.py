"""Lists of pods by every way into a store: a part of a push, a column of a manifest, `attach`."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import run_text
from servers import HTTP, Server

pytestmark = pytest.mark.slow  # servers of their own, and processes that ask them

FOLDER = Path(__file__).parents[2] / "fixtures" / "pods"
NAMES = {"shop/busy", "shop/sender"}


@pytest.fixture(params=["file", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty one."""
    if request.param == "file":
        yield str(tmp_path / "store.duckdb")
    else:
        yield request.getfixturevalue("empty_server").url


def pods(store: str) -> set[str]:
    """Those that have samples in profile `a`."""
    done = run_text(["top", "a", "--by", "pod", "--format", "json", "--store", store])
    assert done.returncode == 0, done.stderr
    return {row["pod"] for row in json.loads(done.stdout)}


def test_a_push_has_a_part_for_them(empty_server: Server) -> None:
    form = {"recording": "recording.data.xz", "kallsyms": "kallsyms.gz", "attach.pods": "pods.json"}
    words = [word for name, file in form.items() for word in ("-F", f"{name}=@{FOLDER / file}")]
    url = f"{empty_server.url}/api/v1/recordings?name=a&wait=60"
    answer = json.loads(subprocess.check_output(["curl", "-sS", *words, url]))
    assert answer["result"].count("pods attached") == 1
    assert pods(empty_server.url) >= NAMES
    page = HTTP.request("GET", f"{empty_server.url}/profiles/a?not_comm=perf").data.decode()
    for name in NAMES:
        assert f'?not_comm=perf&amp;pod={name}" title="Only this">{name}</a>' in page
    assert "only samples chosen by not comm perf" in page
    assert "--not-comm" not in page


def test_a_push_with_another_list_is_refused(empty_server: Server, tmp_path: Path) -> None:
    (tmp_path / "pods.json").write_text('{"kind": "NodeList", "items": []}')
    words = ["-F", f"recording=@{FOLDER / 'recording.data.xz'}"]
    words += ["-F", f"attach.pods=@{tmp_path / 'pods.json'}"]
    url = f"{empty_server.url}/api/v1/recordings?name=a&wait=60"
    answer = json.loads(subprocess.check_output(["curl", "-sS", *words, url]))
    assert "pods" in answer["error"]
    assert run_text(["profiles", "--store", empty_server.url]).stdout.count("\n") <= 1


def test_a_manifest_has_a_column_for_them(store: str, tmp_path: Path) -> None:
    manifest = tmp_path / "runs.csv"
    manifest.write_text(
        f"file,name,attach.pods\n{FOLDER / 'recording.data.xz'},a,{FOLDER / 'pods.json'}\n"
    )
    done = run_text(["ingest", "--manifest", manifest, "--store", store])
    assert done.returncode == 0, done.stderr
    assert pods(store) >= NAMES


def test_they_are_attached_later(store: str) -> None:
    recording = FOLDER / "recording.data.xz"
    assert run_text(["ingest", recording, "--name", "a", "--store", store]).returncode == 0
    assert not pods(store) & NAMES
    done = run_text(["attach", "a", f"pods={FOLDER / 'pods.json'}", "--store", store])
    assert done.returncode == 0, done.stderr
    assert pods(store) >= NAMES
