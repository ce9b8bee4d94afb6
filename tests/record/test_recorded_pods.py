"""perfduck record keeps the list of pods that a program of this machine prints. The programs here
stand in for crictl, kubectl, docker and podman: they print what those print (crictl 1.29, kubectl
1.29, docker 24), fail as they fail, or hang."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command import run_text
from fake_perf import FakePerf
from set_limits import SetLimits

import perfduck

WRK = "echo '  1200 requests in 1.00s, 1MB read'"
UID = "74c13223-5a00-11e9-b385-42010a80018d"
CID = "34dc0b5e626f2c5c" * 4
NAMED = (UID, "shop", "web-0", CID, "nginx")
CRICTL = {
    "containers": [
        {
            "id": CID,
            "podSandboxId": "aed1dcce39a52379" * 4,
            "metadata": {"name": "nginx", "attempt": 2},
            "image": {
                "image": "sha256:605c77e624ddb75e6110f997c58876baa13f8754486b461117934b24a9dc3a85",
                "annotations": {},
                "userSpecifiedImage": "docker.io/library/nginx:1.25",
                "runtimeHandler": "",
            },
            "imageRef": "sha256:605c77e624ddb75e6110f997c58876baa13f8754486b461117934b24a9dc3a85",
            "state": "CONTAINER_RUNNING",
            "createdAt": "1732711200123456789",
            "labels": {
                "io.kubernetes.container.name": "nginx",
                "io.kubernetes.pod.name": "web-0",
                "io.kubernetes.pod.namespace": "shop",
                "io.kubernetes.pod.uid": UID,
            },
            "annotations": {
                "io.kubernetes.container.hash": "7e3f8c1d",
                "io.kubernetes.container.restartCount": "2",
                "io.kubernetes.container.terminationMessagePath": "/dev/termination-log",
                "io.kubernetes.pod.terminationGracePeriod": "30",
            },
            "imageId": "sha256:605c77e624ddb75e6110f997c58876baa13f8754486b461117934b24a9dc3a85",
        }
    ]
}
KUBECTL = {
    "apiVersion": "v1",
    "items": [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "creationTimestamp": "2026-11-27T12:00:00Z",
                "generateName": "web-",
                "labels": {"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"},
                "name": "web-0",
                "namespace": "shop",
                "ownerReferences": [{"kind": "StatefulSet", "name": "web", "uid": "0" * 8}],
                "resourceVersion": "4711",
                "uid": UID,
            },
            "spec": {"containers": [{"name": "nginx"}], "nodeName": "node-1"},
            "status": {
                "containerStatuses": [
                    {
                        "containerID": f"containerd://{CID}",
                        "image": "docker.io/library/nginx:1.25",
                        "lastState": {},
                        "name": "nginx",
                        "ready": True,
                        "restartCount": 2,
                        "started": True,
                        "state": {"running": {"startedAt": "2026-11-27T12:00:02Z"}},
                    }
                ],
                "hostIP": "10.0.0.4",
                "phase": "Running",
                "qosClass": "Burstable",
            },
        }
    ],
    "kind": "List",
    "metadata": {"resourceVersion": ""},
}
DOCKER = {
    "Command": '"/docker-entrypoint.…"', "CreatedAt": "2026-11-27 12:00:00 +0000 UTC", "ID": CID,
    "Image": "nginx:1.25", "Labels": "maintainer=NGINX Docker Maintainers", "LocalVolumes": "0",
    "Mounts": "", "Names": "web", "Networks": "bridge", "Ports": "80/tcp",
    "RunningFor": "2 hours ago", "Size": "0B", "State": "running", "Status": "Up 2 hours",
}  # fmt: skip
NO_SOCKET = (
    'level=fatal msg="validate service connection: dial unix /run/containerd/containerd.sock:'
    ' connect: permission denied"'
)
REFUSED = (
    "The connection to the server localhost:8080 was refused - did you specify the right host?"
)
Made = Callable[[str, str], None]


@pytest.fixture
def program(perf: FakePerf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Makes a program of this name out of a shell script."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    for name in ("crictl", "kubectl", "docker", "podman"):  # as if the machine had none
        make(name, fails("No such file or directory"))
    return make


def prints(value: object, words: str) -> str:
    """A script that prints a value as JSON when it is called with these words, else fails."""
    text = json.dumps(value, indent=2)
    return f"case \"$*\" in '{words}'*) ;; *) exit 64;; esac\ncat <<'TEXT'\n{text}\nTEXT"


def fails(message: str) -> str:
    return f"echo '{message}' >&2; exit 1"


def recorded() -> tuple[subprocess.CompletedProcess[str], list[tuple[object, ...]], str]:
    """What `record` said, the pods that it kept, and which program listed them."""
    done = run_text(["record", "--name", "a", "--", "sh", "-c", WRK])
    assert done.returncode == 0, done.stderr
    with perfduck.open("perfduck.duckdb") as store:
        columns = "pod_uid, namespace, pod, container_id, container"
        rows = store.sql(f"select {columns} from pod where container is not null").frame.rows()
        sources = [e.source for e in store.details("a").attachments if e.kind == "pods"]
    return done, rows, next(iter(sources), "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "script", "rows"),
    [
        ("crictl", prints(CRICTL, "ps -o json"), [NAMED]),
        ("kubectl", prints(KUBECTL, "get pods -A -o json"), [NAMED]),
        ("docker", f"cat <<'TEXT'\n{json.dumps(DOCKER)}\nTEXT", [(None, None, None, CID, "web")]),
        ("podman", prints([{"Id": CID, "Names": ["web"]}], "ps"), [(None, None, None, CID, "web")]),
    ],
)
def test_a_list_is_kept_of_each_program(
    name: str, script: str, rows: list[tuple[object, ...]], program: Made
) -> None:
    program(name, script)
    done, kept, source = recorded()
    assert kept == rows
    assert source.startswith(f"{name} ")
    assert "pods not kept" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        fails(NO_SOCKET),
        prints({"containers": []}, "ps"),
        prints({"items": []}, "ps"),
        "sleep 60",
        "",
    ],
    ids=["no permission", "empty", "no items", "hangs", "prints nothing"],
)
def test_where_one_program_has_no_list_the_next_one_is_asked(
    script: str, program: Made, set_limits: SetLimits
) -> None:
    set_limits(most_pods_s=0.3)
    program("crictl", script)
    program("kubectl", prints(KUBECTL, "get pods"))
    done, kept, source = recorded()
    assert (kept, source.split()[0]) == ([NAMED], "kubectl")
    assert "pods not kept" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "said"),
    [
        (fails(NO_SOCKET), f"pods not kept: crictl ps -o json: {NO_SOCKET}"),
        ("exit 3", "pods not kept: crictl ps -o json: exit status 3"),
        ("sleep 60", "pods not kept: crictl ps -o json: no answer within 0.3 s"),
        (
            "echo '{\"containers\": [{'",
            "pods not kept: crictl ps -o json: expected JSON of kubectl",
        ),
        (prints({"containers": []}, "ps"), ""),
    ],
    ids=["no permission", "silent failure", "hangs", "cut off", "empty"],
)
def test_where_none_has_a_list_it_is_said_why(
    script: str, said: str, program: Made, set_limits: SetLimits
) -> None:
    set_limits(most_pods_s=0.3)
    program("crictl", script)
    done, kept, source = recorded()
    assert (kept, source) == ([], "")
    assert said in done.stderr
    assert said or "pods not kept" not in done.stderr


@pytest.mark.slow
def test_of_several_that_fail_each_is_said(program: Made) -> None:
    program("crictl", fails(NO_SOCKET))
    program("kubectl", fails(REFUSED))
    done, _, _ = recorded()
    assert NO_SOCKET in done.stderr
    assert REFUSED in done.stderr
