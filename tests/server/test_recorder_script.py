"""docs/server.md: what a node runs to record itself and push."""

import json
import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest
from servers import HTTP, Server, soon

import perfduck

ROOT = Path(__file__).parents[2]
PERF_DATA = ROOT / "fixtures" / "perf_data"
PAGE = (ROOT / "docs" / "server.md").read_text()


def script() -> str:
    """The value of `record` in the ConfigMap."""
    found = re.search(r"^  record: \|\n((?:    .*\n|\n)+)", PAGE, re.MULTILINE)
    assert found
    return textwrap.dedent(found[1])


def program(folder: Path, name: str, text: str) -> None:
    """A stand-in for a program of the node."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.slow
def test_a_node_records_itself_and_pushes(empty_server: Server, tmp_path: Path) -> None:
    program(tmp_path, "perf", f'xz -dc {PERF_DATA}/chains/recording.data.xz > "$9"')
    program(
        tmp_path,
        "cat",
        f'[ "$1" = /proc/kallsyms ] || exec /bin/cat "$@"\ngzip -dc {PERF_DATA}/kallsyms.gz',
    )
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PERFDUCK_URL": empty_server.url,
        "PERFDUCK_TOKEN": "",
        "NODE": "node7",
    }
    text = script().replace('-H "Authorization: Bearer $PERFDUCK_TOKEN"', "")  # there are none
    assert text != script()
    done = subprocess.run(
        ["sh", "-c", text, "record", "1"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    job = f"{empty_server.url}/api/v1/jobs/{json.loads(done.stdout)['job']}"
    soon(lambda: HTTP.request("GET", job).json()["state"] == "stored")
    empty_server.stop()
    store = perfduck.open(empty_server.store)
    [name] = store.names()
    assert name.startswith("node7.20")
    kernel = os.uname().release
    chosen = f"node=node7,kernel_release={kernel},cni=none,kube_proxy=none"
    assert len(store.profiles(chosen).rows.rows()) == 1
