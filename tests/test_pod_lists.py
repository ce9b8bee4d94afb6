"""Lists of pods as kubectl, crictl, docker and podman print them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import perfduck
from perfduck.attachments import parsed, read
from perfduck.pod_lists import POD, as_text, rows_of

UID = "74c13223-5a00-11e9-b385-42010a80018d"
HASH = "99dcb84d2a34f7e338778606703258c4"
CID, OLD, BOX = ("34dc0b5e626f2c5c" * 4, "9ec39b91f3d70e1b" * 4, "aed1dcce39a52379" * 4)
LABELS = {
    "io.kubernetes.container.name": "nginx",
    "io.kubernetes.pod.name": "web-0",
    "io.kubernetes.pod.namespace": "shop",
    "io.kubernetes.pod.uid": UID,
}
POD_OBJECT = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-0", "namespace": "shop", "uid": UID, "labels": {"app": "web"}},
    "spec": {
        "nodeName": "node-1",
        "containers": [{"name": "nginx", "env": [{"name": "PASSWORD", "value": "hunter2"}]}],
    },
    "status": {
        "phase": "Running",
        "qosClass": "Burstable",
        "containerStatuses": [
            {
                "name": "nginx",
                "containerID": f"containerd://{CID}",
                "lastState": {"terminated": {"containerID": f"containerd://{OLD}", "exitCode": 1}},
            },
            {"name": "waiting", "containerID": "", "lastState": {}},
        ],
    },
}
STATIC = {
    "kind": "Pod",
    "metadata": {
        "name": "etcd-node-1", "namespace": "kube-system", "uid": UID,
        "annotations": {"kubernetes.io/config.hash": HASH, "kubernetes.io/config.mirror": HASH},
    },
}  # fmt: skip
WEB = (UID, "shop", "web-0")
KUBECTL = {(*WEB, None, None, "node-1"), (*WEB, CID, "nginx", "node-1"),
           (*WEB, OLD, "nginx", "node-1")}  # fmt: skip
DOCKER_LINE = {"ID": CID[:12], "Names": "web,other/web", "Labels": "a=b,c=d=e", "Image": "nginx"}
LISTS = {
    "kubectl": ({"apiVersion": "v1", "kind": "List", "items": [POD_OBJECT]}, KUBECTL),
    "kubectl raw": ({"kind": "PodList", "items": [POD_OBJECT]}, KUBECTL),
    "kubectl of one": (POD_OBJECT, KUBECTL),
    "kubectl of none": ({"apiVersion": "v1", "kind": "List", "items": []}, set()),
    "static": ({"kind": "List", "items": [STATIC]},
               {(HASH, "kube-system", "etcd-node-1", None, None, None)}),
    "static with a uid in its manifest": (
        {"kind": "List", "items": [{"metadata": {
            "name": "etcd-node-1", "namespace": "kube-system", "uid": UID,
            "annotations": {"kubernetes.io/config.hash": "etcd\n"}}}]},
        {(UID, "kube-system", "etcd-node-1", None, None, None)},
    ),
    "crictl pods": (
        {"items": [{"id": BOX, "metadata": {"name": "web-0", "uid": UID, "namespace": "shop",
                                            "attempt": 0}, "state": "SANDBOX_READY"}]},
        {(*WEB, BOX, None, None)},
    ),
    "crictl ps": (
        {"containers": [{"id": CID, "podSandboxId": BOX, "metadata": {"name": "nginx"},
                         "labels": LABELS, "state": "CONTAINER_RUNNING"}]},
        {(*WEB, CID, "nginx", None), (*WEB, BOX, None, None)},
    ),
    "docker inspect": (
        [{"Id": CID, "Name": "/web", "Config": {"Labels": {}}, "State": {"Pid": 7}}],
        {(None, None, None, CID, "web", None)},
    ),
    "docker inspect of cri-dockerd": (
        [{"Id": CID, "Name": "/k8s_nginx_web-0_shop_74c1_0", "Config": {"Labels": LABELS}}],
        {(*WEB, CID, "nginx", None)},
    ),
    "podman ps": (
        [{"Id": CID, "Names": ["web"], "Pod": BOX, "PodName": "shop", "Labels": None},
         {"Id": OLD, "Names": ["alone"], "Pod": "", "PodName": "", "Labels": {"a": "b"}}],
        {(BOX, None, "shop", CID, "web", None), (None, None, None, OLD, "alone", None)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("indent", [None, 4])
def test_what_a_list_is_its_content_says(name: str, indent: int | None) -> None:
    given_, rows = LISTS[name]
    found = rows_of(json.dumps(given_, indent=indent), "pods.json")
    assert set(found.iter_rows()) == rows
    assert list(found.schema.items()) == list(POD.items())


def test_docker_ps_prints_a_line_each() -> None:
    of_pod = {"ID": OLD, "Names": "k8s_nginx", "Labels": ",".join(map("=".join, LABELS.items()))}
    text = "".join(f"{json.dumps(each)}\n" for each in (DOCKER_LINE, of_pod))
    assert set(rows_of(text, "ps.json").iter_rows()) == {
        (None, None, None, CID[:12], "web", None), (*WEB, OLD, "nginx", None),
    }  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_names_alone_are_kept_and_read_again(name: str) -> None:
    attached = parsed("pods", "pods.json", json.dumps(LISTS[name][0]))
    assert "hunter2" not in attached.text
    again = parsed("pods", "pods.json", attached.text)
    assert again.rows["pod"].equals(attached.rows["pod"])
    assert again.text == attached.text == as_text(attached.rows["pod"])


def with_(path: str, value: object) -> str:
    """The list of kubectl with another value at a place."""
    changed = json.loads(json.dumps({"kind": "List", "items": [POD_OBJECT]}))
    *places, last = path.split(".")
    place = changed["items"][0]
    for name in places:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[last] = value
    return json.dumps(changed)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("[", "Input data was truncated"),
        ("no JSON", "JSON is malformed"),
        ("7", "expected object, got int"),
        ('{"a": 1}', "Object missing required field `items`"),
        ('{"kind": "NodeList", "items": []}', "kind: expected text"),
        ("[1]", "0]: expected object, got int"),
        ('[{"Id": "x"}]', "0].Id: expected text"),
        ("[" * 100_000, "0]: expected object, got array"),
        (with_("metadata.uid", 7), "items[0].metadata.uid: expected str, got int"),
        (with_("metadata.uid", "../../etc"), "items[0].metadata.uid: expected text"),
        (with_("metadata.name", "a" * 300), "items[0].metadata.name: expected text"),
        (with_("metadata.name", "\x1b[31mweb"), "items[0].metadata.name: expected text"),
        (with_("metadata.name", "web\n"), "items[0].metadata.name: expected text"),
        (with_("metadata.uid", f"{WEB[0]}\n"), "items[0].metadata.uid: expected text"),
        (with_("metadata.name", "[softirq]"), "items[0].metadata.name: expected text"),
        (with_("metadata.namespace", "a/b"), "items[0].metadata.namespace: expected text"),
        (with_("kind", "Service"), "items[0].kind: expected text"),
        (with_("status.containerStatuses.0.containerID", "x"),
         "items[0].status.containerStatuses[0].containerID: expected text"),
        (json.dumps(DOCKER_LINE) + '\n{"ID": 7}', "pods.json:2: expected JSON of kubectl get pods"),
        (json.dumps({**DOCKER_LINE, "Names": "a b"}), "pods.json:1: expected JSON of kubectl"),
        (json.dumps({"containers": [{"id": CID, "metadata": {"name": "n"},
                                     "labels": {**LABELS, "io.kubernetes.pod.uid": "x"}}]}),
         "uid: expected text"),
        ('{"pods": [{"pod_uid": "x"}]}', "pods[0].pod_uid: expected text"),
    ],
)  # fmt: skip
def test_what_no_program_prints_is_refused(text: str, got: str) -> None:
    with pytest.raises(perfduck.PerfduckError) as refused:
        rows_of(text, "pods.json")
    assert str(refused.value).startswith("pods.json:")
    assert got.casefold() in str(refused.value).casefold()
    assert "\n" not in str(refused.value)


def test_a_pod_has_one_name() -> None:
    second = {**POD_OBJECT, "metadata": {"name": "web-1", "namespace": "shop", "uid": UID}}
    with pytest.raises(perfduck.PerfduckError, match=f"one name of pod {UID}, got shop web-0 and"):
        rows_of(json.dumps({"kind": "List", "items": [POD_OBJECT, second]}), "pods.json")
    twice = [{"Id": CID, "Name": "/a"}, {"Id": CID, "Name": "/b"}]
    with pytest.raises(perfduck.PerfduckError, match=f"one name of container {CID}, got"):
        rows_of(json.dumps(twice), "pods.json")


@pytest.mark.parametrize(
    "text", ['{"kind": "List", "items": []}', '{"containers": []}', "[]", "\n"]
)
def test_a_list_of_no_pods_is_not_attached(text: str, tmp_path: Path) -> None:
    (tmp_path / "pods.json").write_text(text)
    with pytest.raises(perfduck.PerfduckError, match=r"expected a pod or a container .* got none"):
        read(f"pods={tmp_path / 'pods.json'}")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, set_limits: object) -> None:
    assert callable(set_limits)
    set_limits(most_pods_bytes=1 << 20)
    (tmp_path / "pods.json").write_text(json.dumps(POD_OBJECT) + " " * (1 << 20))
    with pytest.raises(perfduck.PerfduckError, match="more than 1 MB"):
        read(f"pods={tmp_path / 'pods.json'}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["kind", "items", "containers", "pods", "metadata", "Id", "ID"]), inner
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@given(JSON)
def test_any_other_json_is_refused_in_a_line(value: object) -> None:
    try:
        said = "" if len(rows_of(json.dumps(value), "pods.json")) else "pods.json: none"
    except perfduck.PerfduckError as error:
        said = str(error)
    assert said.startswith("pods.json")
