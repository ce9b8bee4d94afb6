"""Control groups by path. The paths are those that kubelets and runtimes make, as bug reports and
tests of other tools have them, with ids of their own length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfduck_tags.pods import CgroupOwner, _rules, owner_of

CID = "34dc0b5e626f2c5c4c5170e34b10e7654ce36f0fcd532739f4445baabea03376"
OTHER = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
UID = "74c13223-5a00-11e9-b385-42010a80018d"
FLAT = UID.replace("-", "_")
STATIC = "99dcb84d2a34f7e338778606703258c4"
KIND = "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice"
SYSTEMD = "/kubepods.slice/kubepods-besteffort.slice"
TASK = "1a2b3c4d5e6f708192a3b4c5d6e7f809-2531612879"

PATHS = [
    # driver cgroupfs, v1 and v2: containerd, dockershim, CRI-O
    (f"/kubepods/besteffort/pod{UID}/{CID}", (UID, CID, None, "besteffort", "kubepods")),
    (f"/kubepods/burstable/pod{UID}/{CID}", (UID, CID, None, "burstable", "kubepods")),
    (f"/kubepods/pod{UID}/{CID}", (UID, CID, None, "guaranteed", "kubepods")),
    (f"/kubepods/pod{UID}", (UID, None, None, "guaranteed", "kubepods")),
    (f"/kubepods/burstable/pod{UID}/crio-{CID}", (UID, CID, "crio", "burstable", "kubepods")),
    (f"/kubepods/burstable/pod{STATIC}/{CID}", (STATIC, CID, None, "burstable", "kubepods")),
    # a cgroup namespace seen from a sibling
    (f"/../../pod{UID}/{CID}", (UID, CID, None, "guaranteed", "..")),
    # driver systemd
    (f"{SYSTEMD}/kubepods-besteffort-pod{FLAT}.slice/cri-containerd-{CID}.scope",
     (UID, CID, "cri-containerd", "besteffort", "kubepods.slice")),
    (f"/kubepods.slice/kubepods-pod{FLAT}.slice/docker-{CID}.scope",
     (UID, CID, "docker", "guaranteed", "kubepods.slice")),
    (f"{SYSTEMD}/kubepods-besteffort-pod{FLAT}.slice/crio-{CID}.scope/container",
     (UID, CID, "crio", "besteffort", "kubepods.slice")),
    (f"{SYSTEMD}/kubepods-besteffort-pod{FLAT}.slice/crio-conmon-{CID}.scope",
     (UID, CID, "crio", "besteffort", "kubepods.slice")),
    # kubelet says systemd, containerd does not
    (f"/system.slice/containerd.service/kubepods-besteffort-pod{FLAT}.slice:cri-containerd:{CID}",
     (UID, CID, "cri-containerd", "besteffort", "system.slice")),
    (f"/kubepods-burstable-pod{FLAT}.slice:cri-containerd:{CID}",
     (UID, CID, "cri-containerd", "burstable",
      f"kubepods-burstable-pod{FLAT}.slice:cri-containerd:{CID}")),
    # a root of its own: systemd repeats it in each name. A static pod has a hash as its uid
    (f"{KIND}/kubelet-kubepods-burstable-pod{STATIC}.slice/cri-containerd-{CID}.scope",
     (STATIC, CID, "cri-containerd", "burstable", "kubelet.slice")),
    # a cluster in a container: kind, docker in docker
    (f"/docker/{OTHER}/kubelet/kubepods/burstable/pod{UID}/{CID}",
     (UID, CID, None, "burstable", "docker")),
    (f"/docker/{OTHER}/system.slice/kubelet.service", (None, OTHER, None, None, "docker")),
    (f"/kubepods/burstable/pod{UID}/{CID}/docker/{OTHER}",
     (UID, CID, None, "burstable", "kubepods")),
    # docker, v1 and v2, with --cgroup-parent, rootless
    (f"/docker/{CID}", (None, CID, None, None, "docker")),
    (f"/system.slice/docker-{CID}.scope", (None, CID, "docker", None, "system.slice")),
    (f"/actions_job/{CID}", (None, CID, None, None, "actions_job")),
    (f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{CID}.scope",
     (None, CID, "docker", None, "user.slice")),
    # podman: systemd, cgroupfs, with a pod, rootless
    (f"/machine.slice/libpod-{CID}.scope/container", (None, CID, "libpod", None, "machine.slice")),
    (f"/machine.slice/libpod-conmon-{CID}.scope", (None, CID, "libpod", None, "machine.slice")),
    (f"/libpod_parent/libpod-{CID}", (None, CID, "libpod", None, "libpod_parent")),
    (f"/machine.slice/machine-libpod_pod_{OTHER}.slice/libpod-{CID}.scope",
     (OTHER, CID, "libpod", None, "machine.slice")),
    (f"/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_{OTHER}.slice"
     f"/libpod-{CID}.scope/container", (OTHER, CID, "libpod", None, "user.slice")),
    # containerd without a kubelet: nerdctl, ctr
    (f"/system.slice/nerdctl-{CID}.scope", (None, CID, "nerdctl", None, "system.slice")),
    (f"/default/{CID}", (None, CID, None, None, "default")),
    # kata: the sandbox, and with sandbox_cgroup_only=false what is outside of it
    (f"/kubepods/burstable/pod{UID}/kata_{CID}", (UID, CID, None, "burstable", "kubepods")),
    (f"/kubepods/kata_{CID}", (None, CID, None, None, "kubepods")),
    (f"/kata_overhead/{CID}", (None, CID, None, None, "kata_overhead")),
    (f"/kata-overhead.slice:runtime-rs:{CID}",
     (None, CID, "runtime-rs", None, f"kata-overhead.slice:runtime-rs:{CID}")),
    # ECS on EC2, and Fargate
    (f"/ecs/cluster/task/{CID}", (None, CID, None, None, "ecs")),
    (f"/ecs/1a2b3c4d5e6f708192a3b4c5d6e7f809/{TASK}", (None, TASK, None, None, "ecs")),
    # of the host
    ("/", (None, None, None, None, "/")),
    ("", (None, None, None, None, "/")),
    ("/init.scope", (None, None, None, None, "init.scope")),
    ("/system.slice/ssh.service", (None, None, None, None, "system.slice")),
    ("/kubepods.slice/kubepods-burstable.slice", (None, None, None, None, "kubepods.slice")),
    ("/system.slice/system-podman.slice", (None, None, None, None, "system.slice")),
    ("/user.slice/user-1000.slice/session-3.scope", (None, None, None, None, "user.slice")),
    (f"/system.slice/podcast-{UID}.service", (None, None, None, None, "system.slice")),
    ("/docker/buildkit/z2m7oyyd1lkr8i4txsqs1h0jm", (None, None, None, None, "docker")),
]  # fmt: skip


@pytest.mark.parametrize(("path", "owner"), PATHS, ids=[path or "none" for path, _ in PATHS])
def test_a_path_says_whose_processes_they_are(path: str, owner: tuple[str | None, ...]) -> None:
    assert owner_of(path) == CgroupOwner(*owner)  # type: ignore[arg-type]  # the last is a text


def test_every_rule_is_met_by_a_path() -> None:
    parts = {part for path, _ in PATHS for part in path.split("/") if part}
    unmet = [
        pattern.pattern
        for patterns in _rules().values()
        for pattern in patterns
        if not any(pattern.fullmatch(part) for part in parts)
    ]
    assert unmet == []


UIDS = st.uuids().map(str)
CIDS = st.integers(0, (1 << 256) - 1).map("{:064x}".format)
QOS = st.sampled_from(["guaranteed", "burstable", "besteffort"])


@given(UIDS, CIDS, QOS, st.sampled_from(["", "kubelet", "kubelet-sub"]), st.booleans())
def test_both_drivers_say_the_same(uid: str, cid: str, qos: str, root: str, systemd: bool) -> None:
    level = "" if qos == "guaranteed" else qos
    if systemd:
        names = [*root.split("-"), "kubepods", level, f"pod{uid.replace('-', '_')}"]
        named = [name for name in names if name]
        slices = [f"{'-'.join(named[: n + 1])}.slice" for n in range(len(named))]
        path = "/".join(["", *slices, f"cri-containerd-{cid}.scope"])
    else:
        path = "/".join(["", *filter(None, [root, "kubepods", level, f"pod{uid}", cid])])
    owner = owner_of(path)
    assert (owner.pod_uid, owner.container_id, owner.qos) == (uid, cid, qos)


@given(st.text())
def test_any_text_has_an_owner(path: str) -> None:
    owner = owner_of(path)
    assert owner.slice
    assert owner.qos is None or owner.pod_uid


@pytest.mark.slow
@given(st.lists(st.from_regex(r"[a-z]{1,8}(\.slice|\.service|\.scope)?", fullmatch=True)))
def test_what_no_runtime_made_is_of_the_host(parts: list[str]) -> None:
    owner = owner_of("/" + "/".join(parts))
    assert owner == CgroupOwner(slice=parts[0] if parts else "/")
