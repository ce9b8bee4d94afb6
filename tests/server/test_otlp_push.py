"""Profiles that exporters of OpenTelemetry push to a real server."""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from command import run
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2 as service
from servers import HTTP, Server, running

import perfduck

pytestmark = pytest.mark.slow  # servers of their own

FIXTURES = Path(__file__).parents[2] / "fixtures"
MESSAGE = (FIXTURES / "otlp" / "cpu.pb").read_bytes()
REQUEST = service.ExportProfilesServiceRequest.FromString(MESSAGE)
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def post(
    server: Server, body: bytes, kind: str, query: str = "", **headers: str
) -> urllib3.BaseHTTPResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{server.url}/v1development/profiles{query}"
    return HTTP.request("POST", url, body=body, headers={"Content-Type": kind, **named})


def status_of(answer: urllib3.BaseHTTPResponse) -> tuple[int, int, str]:
    """The HTTP status, the code and the message of an error."""
    assert answer.headers["Content-Type"] in (PROTOBUF, JSON)
    if answer.headers["Content-Type"] == JSON:
        said = json.loads(answer.data)
        return answer.status, said["code"], said["message"]
    # google.rpc.Status: code is field 1, message field 2.
    fields = {
        each.field_number: each.data for each in UnknownFieldSet(Empty.FromString(answer.data))
    }
    return answer.status, fields[1], fields[2].decode()


def stored_of(server: Server, selector: str, **headers: str) -> list[dict[str, Any]]:
    """Profiles of a selector: what was accepted may wait in the spool for its turn."""
    url = f"{server.url}/api/v1/profiles?selector={selector}&format=json"
    for _ in range(100):
        answer = HTTP.request("GET", url, headers=headers)
        if answer.status == 200 and (rows := answer.json()):
            return list(rows)
        time.sleep(0.2)
    return []


def test_each_form_is_stored_as_the_file_is(empty_server: Server, tmp_path: Path) -> None:
    text = json_format.MessageToJson(REQUEST).encode()
    pushed = [
        (REQUEST.SerializeToString(), PROTOBUF, {}),
        (text, f"{JSON}; charset=utf-8", {}),
        (gzip.compress(MESSAGE), PROTOBUF, {"Content_Encoding": "gzip"}),
    ]
    for body, kind, headers in pushed:
        answer = post(empty_server, body, kind, "?label.run=1", **headers)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == kind.partition(";")[0]
        if kind == PROTOBUF:
            assert service.ExportProfilesServiceResponse.FromString(answer.data) == (
                service.ExportProfilesServiceResponse()
            )
        else:
            assert json.loads(answer.data) == {}
    empty_server.stop()
    (tmp_path / "again.json").write_bytes(text)
    local = perfduck.open(tmp_path / "local.duckdb")
    local.ingest(FIXTURES / "otlp" / "cpu.pb", tmp_path / "again.json", labels={"run": "1"})
    store = perfduck.open(empty_server.store)
    assert len(store.profiles().frame) == 2  # packed bytes are the same recording
    wanted = [str(each.top("run=1", event="cpu")) for each in (local, store)]
    assert "runtime.main" in wanted[0]
    assert wanted[0] == wanted[1]


def test_a_request_without_profiles_is_no_error(empty_server: Server) -> None:
    packed = gzip.compress(b"")
    for body, kind in ((b"", PROTOBUF), (b"{}", JSON), (b'{"resourceProfiles": []}', JSON)):
        assert post(empty_server, body, kind).status == 200
    assert post(empty_server, packed, PROTOBUF, Content_Encoding="gzip").status == 200
    empty_server.stop()
    assert len(perfduck.open(empty_server.store).profiles().frame) == 0


WRONG: list[tuple[bytes, str, str, dict[str, str], tuple[int, int, str]]] = [
    (b"perf", PROTOBUF, "", {}, (400, 3, "body: expected ExportProfilesServiceRequest")),
    (MESSAGE, JSON, "", {}, (400, 3, "body: expected ExportProfilesServiceRequest in applic")),
    (b'{"resourceProfiles":[{', JSON, "", {}, (400, 3, "expected whole profiles of OTLP")),
    (MESSAGE[:200], PROTOBUF, "", {}, (400, 3, "expected whole profiles of OTLP")),
    (MESSAGE, "text/plain", "", {}, (415, 3, "expected application/x-protobuf or")),
    (MESSAGE, PROTOBUF, "", {"Content_Encoding": "br"}, (415, 3, "expected gzip or none")),
    (MESSAGE, PROTOBUF, "", {"Content_Encoding": "gzip"}, (400, 3, "body: expected gzip")),
    (MESSAGE, PROTOBUF, "?name=x", {}, (400, 3, "unknown parameter name")),
    (MESSAGE, PROTOBUF, "?label.file=x", {}, (400, 3, "expected a label, got file")),
]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("otlp") / "s.duckdb", "--max-upload", "1") as started:
        yield started


@pytest.mark.parametrize(("body", "kind", "query", "headers", "says"), WRONG)
def test_errors_are_those_of_otlp(
    asked: Server, body: bytes, kind: str, query: str, headers: Any, says: tuple[int, int, str]
) -> None:
    status, code, line = status_of(post(asked, body, kind, query, **headers))
    assert (status, code) == says[:2]
    assert says[2] in line
    assert str(asked.store.parent) not in line


def test_a_large_body_is_refused(asked: Server) -> None:
    assert status_of(post(asked, bytes(2 << 20), PROTOBUF))[:2] == (413, 8)


def test_tokens_push_and_stamp_their_labels(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    secrets = {}
    for scope in ("push", "read"):
        words = ["token", "add", scope, "--scope", scope, "--label", f"host={scope}"]
        words = words if scope == "push" else words[:-2]
        secrets[scope] = run([*words, "--store", store]).stdout.decode().strip()
    with running(store) as server:
        assert status_of(post(server, MESSAGE, PROTOBUF))[:2] == (401, 16)
        read = {"Authorization": f"Bearer {secrets['read']}"}
        assert status_of(post(server, MESSAGE, JSON, **read))[:2] == (403, 7)
        push = {"Authorization": f"Bearer {secrets['push']}"}
        assert post(server, MESSAGE, PROTOBUF, "?label.host=x", **push).status == 400
        assert post(server, MESSAGE, PROTOBUF, **push).status == 200
        [stored] = stored_of(server, "host=push", **read)
    assert stored["labels"]["host"] == "push"
