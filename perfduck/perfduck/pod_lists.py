"""Lists of pods and containers, which give control groups names: --attach pods=FILE.

    kubectl get pods -A -o json              {"kind": "List", "items": [{"metadata": {"uid": ...
    crictl pods -o json                      {"items": [{"id": ..., "metadata": {"uid": ...
    crictl ps -o json                        {"containers": [{"id": ..., "labels": {...
    docker ps --format json                  {"ID":"9ec39b918f0d","Names":"web",...}   a line each
    docker inspect, podman ps --format json  [{"Id": ..., "Name": "/web", ...

Which of these a file is, its content says. Names alone are kept of it: specifications of pods have
passwords in their variables.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

import msgspec
import polars as pl
from msgspec import Struct, field

from perfduck_model.errors import PerfduckError
from perfduck_model.small_file import json_of

POD: dict[str, pl.DataType | type[pl.DataType]] = {
    "pod_uid": pl.String,
    "namespace": pl.String,
    "pod": pl.String,
    "container_id": pl.String,
    "container": pl.String,
    "node": pl.String,
}
_WHAT = "JSON of kubectl get pods, crictl pods, crictl ps, docker ps, docker inspect or podman ps"
# \Z in place of $, which lets a name end with a line feed.
_UID = r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{64})\Z"  # podman: 64
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z"  # of Kubernetes and of docker
_Uid = Annotated[str, msgspec.Meta(pattern=_UID)]
_Name = Annotated[str, msgspec.Meta(pattern=_NAME, max_length=253)]
_Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{12,64}\Z")]
# containerd://, cri-o:// or docker://; empty while the container waits.
_Uri = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9.-]+://[0-9a-f]{12,64})?\Z")]
_Slashed = Annotated[str, msgspec.Meta(pattern=_NAME.replace("^", "^/?"), max_length=254)]
# The API server's uid of a static pod is not that of its control group, which is this one.
_STATIC = "kubernetes.io/config.hash"
_POD_LABELS = ("io.kubernetes.pod.uid", "io.kubernetes.pod.namespace", "io.kubernetes.pod.name")
_CONTAINER_LABEL = "io.kubernetes.container.name"
Row = tuple[str | None, ...]  # the columns of POD


class _Metadata(Struct, frozen=True):
    name: _Name
    uid: _Uid
    namespace: _Name = "default"
    annotations: dict[str, str] = field(default_factory=dict)


class _Terminated(Struct, frozen=True):
    containerID: _Uri = ""


class _State(Struct, frozen=True):
    terminated: _Terminated | None = None


class _Status(Struct, frozen=True):
    name: _Name
    containerID: _Uri = ""
    lastState: _State = _State()


class _PodStatus(Struct, frozen=True):
    containerStatuses: list[_Status] = field(default_factory=list)
    initContainerStatuses: list[_Status] = field(default_factory=list)
    ephemeralContainerStatuses: list[_Status] = field(default_factory=list)


class _Spec(Struct, frozen=True):
    nodeName: _Name | None = None


class _Pod(Struct, frozen=True):
    metadata: _Metadata
    kind: Annotated[str, msgspec.Meta(pattern=r"^Pod\Z")] = "Pod"
    spec: _Spec = _Spec()
    status: _PodStatus = _PodStatus()


class _Pods(Struct, frozen=True):
    items: list[_Pod]
    kind: Annotated[str, msgspec.Meta(pattern=r"^(Pod)?List\Z")] = "List"


class _Sandbox(Struct, frozen=True):
    id: _Id
    metadata: _Metadata


class _Sandboxes(Struct, frozen=True):
    items: list[_Sandbox]


class _Named(Struct, frozen=True):
    name: _Name


class _CriContainer(Struct, frozen=True):
    id: _Id
    metadata: _Named
    labels: dict[str, str]
    podSandboxId: _Id | None = None


class _CriContainers(Struct, frozen=True):
    containers: list[_CriContainer]


class _Line(Struct, frozen=True):
    ID: _Id
    Names: str
    Labels: str | dict[str, str] = ""


class _Config(Struct, frozen=True):
    Labels: dict[str, str] | None = None


class _Container(Struct, frozen=True):
    Id: _Id
    Name: _Slashed | None = None
    Names: list[_Slashed] = field(default_factory=list)
    Pod: str = ""  # of podman
    PodName: str = ""
    Labels: dict[str, str] | None = None
    Config: _Config = _Config()


class _Kept(Struct, frozen=True):
    pod_uid: _Uid | None = None
    namespace: _Name | None = None
    pod: _Name | None = None
    container_id: _Id | None = None
    container: _Name | None = None
    node: _Name | None = None


class _KeptPods(Struct, frozen=True):
    pods: list[_Kept]


_NOTHING = msgspec.Raw()


class _Head(msgspec.Struct):
    """Which list it is."""

    kind: str | None = None
    items: list[dict[str, msgspec.Raw]] | None = None
    containers: msgspec.Raw = _NOTHING
    pods: msgspec.Raw = _NOTHING


def rows_of(text: str, source: str) -> pl.DataFrame:
    """[pod_uid, namespace, pod, container_id, container, node] of what the list has. PerfduckError
    for what is none of these lists, and for two names of one pod or container."""
    start = text.lstrip()[:1]
    if not start:
        rows: list[Row] = []  # of docker ps, where no container runs
    elif start == "[":
        rows = _decoded(text, list[_Container], source, _of_containers)
    elif start == "{" and _is_line(text):
        rows = _of_lines(text, source)
    else:
        rows = _decoded(text, *_kind(text, source))
    distinct = list(dict.fromkeys(rows))
    _check_names(distinct, source)
    return pl.DataFrame(distinct, POD, orient="row")


def as_text(rows: pl.DataFrame) -> str:
    """What is kept of a list: its names, a line each, as a list that this module reads."""
    lines = (
        msgspec.json.encode({k: v for k, v in row.items() if v is not None}).decode()
        for row in rows.iter_rows(named=True)
    )
    return '{"pods":[\n' + ",\n".join(lines) + "\n]}\n"


def _is_line(text: str) -> bool:
    try:
        json_of(text.lstrip().partition("\n")[0], _Line)
    except ValueError:
        return False
    return True


def _kind(text: str, source: str) -> tuple[Any, str, Callable[[Any], Iterable[Row]]]:
    """The schema of an object, and what makes rows of it."""
    [head] = _decoded(text, _Head, source, lambda head: [head])
    if head.kind == "Pod":
        return _Pod, source, lambda pod: _of_pods(_Pods([pod]))
    if head.containers != _NOTHING:
        return _CriContainers, source, _of_cri
    if head.pods != _NOTHING:
        return _KeptPods, source, _of_kept
    if head.kind is None and head.items is not None and all("id" in each for each in head.items):
        return _Sandboxes, source, _of_sandboxes
    return _Pods, source, _of_pods


def _decoded(
    text: str, schema: Any, source: str, rows: Callable[[Any], Iterable[Any]]
) -> list[Any]:
    try:
        return list(rows(json_of(text, schema)))
    except ValueError as error:
        raise PerfduckError.at(where=source, expected=_WHAT, got=str(error)) from error


def _of_pods(pods: _Pods) -> Iterator[Row]:
    for pod in pods.items:
        named = pod.metadata
        manifest = named.annotations.get(_STATIC, "")  # a manifest may give a uid of its own
        uid = manifest if re.match(_UID, manifest) else named.uid
        status = pod.status
        of_pod = (uid, named.namespace, named.name)
        yield (*of_pod, None, None, pod.spec.nodeName)
        for each in (
            *status.containerStatuses,
            *status.initContainerStatuses,
            *status.ephemeralContainerStatuses,
        ):
            last = each.lastState.terminated
            for uri in (each.containerID, last.containerID if last else ""):
                if uri:
                    yield (*of_pod, uri.rpartition("/")[2], each.name, pod.spec.nodeName)


def _of_sandboxes(pods: _Sandboxes) -> Iterator[Row]:
    for pod in pods.items:
        named = pod.metadata
        yield (named.uid, named.namespace, named.name, pod.id, None, None)


def _of_cri(listed: _CriContainers) -> Iterator[Row]:
    for each in listed.containers:
        of_pod = _pod_of(each.labels)
        yield (*of_pod, each.id, each.metadata.name, None)
        if each.podSandboxId and of_pod[0]:
            yield (*of_pod, each.podSandboxId, None, None)


def _of_kept(listed: _KeptPods) -> Iterator[Row]:
    for each in listed.pods:
        if each.pod_uid or each.container_id:
            yield tuple(getattr(each, name) for name in POD)


def _of_lines(text: str, source: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            rows += _decoded(line, _Line, f"{source}:{number}", _of_line)
    return rows


def _of_line(line: _Line) -> Iterator[Row]:
    """Labels are k=v,k=v; names of links have a slash."""
    labels = line.Labels
    if isinstance(labels, str):
        labels = dict(_pair(label) for label in labels.split(","))
    name = next((each for each in line.Names.split(",") if "/" not in each), "")
    yield _container(line.ID, name, labels)


def _of_containers(listed: list[_Container]) -> Iterator[Row]:
    for each in listed:
        name = (each.Name or next(iter(each.Names), "")).removeprefix("/")
        labels = each.Labels or each.Config.Labels or {}
        if each.Pod:
            pod = _checked(each.PodName, _Name) if each.PodName else None
            yield (_checked(each.Pod, _Uid), None, pod, each.Id, name, None)
        else:
            yield _container(each.Id, name, labels)


def _container(number: str, name: str, labels: dict[str, str]) -> Row:
    of_pod = _pod_of(labels)
    called = labels.get(_CONTAINER_LABEL, name) if of_pod[0] else name
    return (*of_pod, number, _checked(called, _Name), None)


def _pod_of(labels: dict[str, str]) -> tuple[str | None, str | None, str | None]:
    """uid, namespace and name, as kubelet labels containers; checked."""
    if _POD_LABELS[0] not in labels:
        return (None, None, None)
    names = {key.rpartition(".")[2]: labels.get(key, "") for key in _POD_LABELS}
    metadata = _checked(names, _Metadata)
    return (metadata.uid, metadata.namespace, metadata.name)


def _checked(value: Any, schema: Any) -> Any:
    """What labels or a list of names say, of a schema; ValueError where it is not."""
    return json_of(msgspec.json.encode(value).decode(), schema)


def _pair(label: str) -> tuple[str, str]:
    key, _, value = label.partition("=")
    return key, value


def _check_names(rows: Iterable[Row], source: str) -> None:
    """Raise PerfduckError where a uid or a container has two names."""
    known: dict[str, Row] = {}
    for uid, namespace, pod, number, container, _ in rows:
        for what, key, name in (
            ("pod", uid, (namespace, pod)),
            ("container", number, (uid, container)),
        ):
            if key and known.setdefault(key, name) != name:
                one, other = (" ".join(map(str, each)) for each in (known[key], name))
                got = f"{one} and {other}"
                raise PerfduckError.at(source, expected=f"one name of {what} {key}", got=got)
