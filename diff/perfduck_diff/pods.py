"""Whose control groups are: from their paths and attached lists of pods to names.

    /kubepods/burstable/pod74c13223-.../34dc0b5e...    default/web-0, container nginx
    the same, no list attached                         74c13223-5a00-11e9-b385-42010a80018d
    /system.slice/docker-9ec39b91....scope             web (docker ps), else 9ec39b918f0d
    /system.slice/ssh.service                          [host] system.slice

Names hold for all profiles of an answer, whichever of them a list is attached to: uids and ids of
containers are unique. Pods that have one name in different recordings are one row, as a pod of a
StatefulSet that was made again is; where both ran in one recording, each has its uid behind it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

from perfduck_store.choice import PodOfCgroup
from perfduck_store.records import KeyValue, PodName
from perfduck_tags.pods import CgroupOwner, owner_of

HOST = "[host]"
_SHORT = 12  # digits of a container's id that docker shows
_NUMBER = re.compile(r"[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def pods_of(groups: Iterable[KeyValue], names: Iterable[PodName]) -> list[PodOfCgroup]:
    """Whose the control groups of some runs are, by path; `names`: what attached lists say."""
    runs: dict[str, set[int]] = defaultdict(set)
    for each in groups:
        if each.value is not None:
            runs[each.value].add(each.run)
    known = _Names(names)
    owners = {path: owner_of(path) for path in runs}
    called = {path: known.name_of(owner) for path, owner in owners.items()}
    twice = _ambiguous(called, owners, runs)
    return [
        PodOfCgroup(path, _apart(called[path], owner, twice), known.container_of(owner))
        for path, owner in owners.items()
    ]


def short(name: str) -> str:
    """The name of a pod without its namespace and uid; system.slice of [host] system.slice."""
    return without_uid(name.removeprefix(f"{HOST} ")).rpartition("/")[2]


def without_uid(name: str) -> str:
    """The name of a pod with its namespace, without the uid that tells it from another one."""
    return name.partition(" (")[0]


def is_unnamed(name: str) -> bool:
    """Whether the name is a pod's uid or a container's id: no list has another."""
    return bool(_NUMBER.fullmatch(name))


class _Names:
    """What attached lists name; the last one that names a thing is right."""

    def __init__(self, names: Iterable[PodName]) -> None:
        self._pods: dict[str, PodName] = {}
        self._containers: dict[str, PodName] = {}
        for each in names:
            if each.pod_uid and each.pod:
                self._pods[each.pod_uid] = each
            if each.container_id:
                self._containers[each.container_id] = each

    def name_of(self, owner: CgroupOwner) -> str:
        """A pod, else a container, else a slice of the host."""
        listed = self._listed(owner)
        pod = self._pods.get(owner.pod_uid or (listed and listed.pod_uid) or "")
        if pod:
            return f"{pod.namespace}/{pod.pod}" if pod.namespace else pod.pod or ""
        if owner.pod_uid:
            return owner.pod_uid
        if owner.container_id:
            return (listed and listed.container) or owner.container_id[:_SHORT]
        return f"{HOST} {owner.slice}"

    def container_of(self, owner: CgroupOwner) -> str | None:
        """The name of the container, where one is listed."""
        listed = self._listed(owner)
        return listed.container if listed else None

    def _listed(self, owner: CgroupOwner) -> PodName | None:
        whole = owner.container_id or ""
        return self._containers.get(whole) or self._containers.get(whole[:_SHORT])


def _ambiguous(
    called: dict[str, str], owners: dict[str, CgroupOwner], runs: dict[str, set[int]]
) -> set[str]:
    """Names that several pods of one run have."""
    uids: dict[tuple[str, int], set[str]] = defaultdict(set)
    for path, name in called.items():
        if uid := owners[path].pod_uid:
            for run in runs[path]:
                uids[name, run].add(uid)
    return {name for (name, _), several in uids.items() if len(several) > 1}


def _apart(name: str, owner: CgroupOwner, twice: set[str]) -> str:
    return f"{name} ({owner.pod_uid})" if name in twice and owner.pod_uid else name
