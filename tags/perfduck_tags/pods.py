"""Whose processes a control group has: a pod's uid, a container's id, by the path of the group.

    /kubepods/burstable/pod74c13223-.../34dc0b5e...                                driver cgroupfs
    /kubepods.slice/.../kubepods-burstable-pod74c13223_....slice/crio-34dc0b5e....scope    systemd
    /system.slice/docker-9ec39b91....scope                                         no pod
    /system.slice/ssh.service                                                      of the host

Kubelet names the group of a pod, runtimes those of containers within it: each component of a path
is held against data/cgroup_rules.csv. The innermost pod counts, as in a cluster within a container
(kind), and of it the outermost container: what runs within that is the container's own affair.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_RULES = Path(__file__).parent / "data" / "cgroup_rules.csv"
_PARTS = {
    # Of the API server, or of a static pod the hash of its manifest. systemd has - for levels.
    "UID": "(?:[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})",
    "CID": "[0-9a-f]{64}",
    "TASK": "[0-9a-f]{32}-[0-9]{10}",  # of AWS Fargate
    "ID": "[0-9a-f]{12,64}",  # behind the name of a runtime
}
_PART = re.compile(r"\b(?:UID|CID|TASK|ID)\b")
_QOS = re.compile(r"(?:^|-)(burstable|besteffort)(?:$|-pod|\.slice)")
_LONGEST = 4096  # PATH_MAX


@dataclass(frozen=True, slots=True)
class CgroupOwner:
    """Whose a control group is. `runtime`: as the path has it, cri-containerd, crio, docker,
    libpod. `qos`: guaranteed, burstable or besteffort, of pods of a kubelet. `slice`: the first
    component of the path, system.slice; / of the root."""

    pod_uid: str | None = None
    container_id: str | None = None
    runtime: str | None = None
    qos: str | None = None
    slice: str = "/"


def owner_of(path: str) -> CgroupOwner:
    """Whose the group is, by its path from the root of the hierarchy."""
    parts = [part for part in path[:_LONGEST].split("/") if part]
    pods = [(at, match) for at, part in enumerate(parts) if (match := _matched("pod", part))]
    at, pod = pods[-1] if pods else (-1, {})
    container = pod if pod.get("container") else _first_container(parts[at + 1 :])
    uid = pod.get("pod")
    return CgroupOwner(
        pod_uid=uid.replace("_", "-") if uid else None,
        container_id=container.get("container"),
        runtime=container.get("runtime"),
        qos=_qos(parts[: at + 1]),
        slice=parts[0] if parts else "/",
    )


def _first_container(parts: Sequence[str]) -> dict[str, str | None]:
    matches = (_matched("container", part) for part in parts)
    return next((match for match in matches if match), {})


def _qos(parts: Sequence[str]) -> str | None:
    """Of the pod whose component is the last. Kubelet has no level for guaranteed pods."""
    if not parts or "libpod_pod_" in parts[-1]:
        return None
    named = (_QOS.search(part) for part in reversed(parts))
    return next((match[1] for match in named if match), "guaranteed")


def _matched(of: str, part: str) -> dict[str, str | None] | None:
    """What the first rule of a kind reads off a component of a path; None where none fits."""
    matches = (pattern.fullmatch(part) for pattern in _rules()[of])
    return next((match.groupdict() for match in matches if match), None)


@cache
def _rules() -> dict[str, list[re.Pattern[str]]]:
    rules: dict[str, list[re.Pattern[str]]] = {"pod": [], "container": []}
    with _RULES.open(newline="") as file:
        for row in csv.DictReader(file):
            pattern = _PART.sub(lambda part: _PARTS[part[0]], row["pattern"])
            rules[row["of"]].append(re.compile(pattern))
    return rules
