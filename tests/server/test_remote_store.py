"""The store of a server: what its methods take, and its sessions."""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import Any, cast
from unittest.mock import MagicMock

import msgspec
import polars as pl
import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from served import served
from servers import HTTP, Server

import perfduck
from perfduck import PerfduckError
from perfduck.opening import place_of
from perfduck_server.store_sessions import StoreSessions, TooManySessions
from perfduck_store import picked_samples, protocol
from perfduck_store.choice import Choice
from perfduck_store.edit import Edit
from perfduck_store.remote import wire
from perfduck_store.remote.services import PROTOCOL, PROTOCOL_HEADER, SERVICES, all_methods, methods

pytestmark = pytest.mark.slow

SESSIONS = "/api/v1/store/sessions"
IDS = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=5)


@pytest.fixture
def copy(demo_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(demo_store, tmp_path / "own.duckdb"))


@pytest.fixture
def own(copy: Path) -> Iterator[str]:
    with served(copy) as url:
        yield url


def test_every_method_of_the_protocol_goes_over_the_wire() -> None:
    rooms = {protocol.__name__, picked_samples.__name__}
    asked = {name for name, kind in SERVICES.items() if kind.__module__ in rooms}
    properties = {
        name for name, member in vars(protocol.Store).items() if isinstance(member, property)
    }
    assert asked == (properties - {"folder"}) | {"samples"}
    for method in all_methods():
        assert wire._parameters_type(method), method
    changing = {f"{each.service}.{each.name}" for each in all_methods() if each.changes}
    assert changing == {
        "profiles.edit", "profiles.remove", "symbols.replace_tags", "symbols.keep_functions",
        "symbols.keep_artefacts", "tag_inputs.keep", "tag_inputs.forget", "attachments.keep",
        "noise.replace", "noise.forget", "transaction.begin", "transaction.commit",
        "transaction.rollback",
    }  # fmt: skip


@given(IDS, st.text(), st.floats(allow_nan=False), st.dictionaries(st.text(), st.text()))
def test_parameters_arrive_as_they_were_given(
    ids: list[int], text: str, number: float, labels: dict[str, str]
) -> None:
    edit = methods("profiles")["edit"]
    wanted = Edit(name=text, work=number, labels=labels, unlabel=(text,))
    body = wire.encoded_parameters(edit, (1, wanted), {})
    assert wire.decoded_parameters(edit, body) == {"profile_id": 1, "wanted": wanted}
    of = methods("profiles")["of"]
    for kind in (list, tuple, iter, dict.fromkeys, lambda given: pl.Series(given, dtype=pl.Int64)):
        body = wire.encoded_parameters(of, (kind(ids),), {})
        assert wire.decoded_parameters(of, body)["profiles"] == list(kind(ids))
    choice = Choice(
        profiles=ids, events=[(text,)] * len(ids), values={"comm": [text]}, keep=["comm"]
    )
    packed, _ = wire.without_choice(wire.with_choice(choice, b"\x80"))
    assert wire.decoded_choice(packed) == choice


@given(st.binary(max_size=200))
def test_any_other_body_is_a_line(body: bytes) -> None:
    for method in all_methods():
        with suppress(PerfduckError):
            wire.decoded_parameters(method, body)


@pytest.mark.parametrize(
    ("path", "parameters", "line"),
    [
        ("symbols/is_known", {"function": 7}, "expected `str`, got `int`"),
        ("symbols/is_known", {}, "missing required field `function`"),
        ("symbols/is_known", {"function": "x", "y": 1}, "unknown field `y`"),
        ("profiles/of", {"profiles": [1 << 63]}, "expected `int` <= 9223372036854775807"),
        ("attachments/met_rules", {"profiles": [], "limit": -1}, "expected `int` >= 0"),
        ("tag_inputs/kept", {"kind": "../../etc/passwd"}, "invalid enum value"),
    ],
)
def test_what_is_not_of_its_type_is_refused(
    server: Server, path: str, parameters: dict[str, Any], line: str
) -> None:
    answer = call(server.url, path, parameters)
    assert answer.status == 422
    assert line in answer.json()["error"]


def test_a_ranking_is_one_of_those_that_there_are(server: Server) -> None:
    with place_of(server.url).read() as store:
        ids = [each.profile_id for each in store.profiles.all()][:1]
        samples = store.samples(Choice(profiles=ids, events=[("cpu-clock",)]))
        assert len(samples.rank("dso", 3)) == 3
        by: Any = "../../../../etc/passwd"
        with pytest.raises(PerfduckError, match="invalid enum value"):
            samples.rank(by, 3)


def test_tables_and_columns_are_those_of_the_store(own: str) -> None:
    rows = pl.DataFrame({"nothing": [1]})
    with place_of(own).write() as store:
        [first, *_] = store.profiles.all()
        table: Any = "profile"
        with pytest.raises(PerfduckError, match="invalid enum value"):
            store.attachments.keep(first.profile_id, "iptables", "x", "y", {table: rows})
        with pytest.raises(PerfduckError, match="expected values that the table holds"):
            store.symbols.keep_artefacts(first.profile_id, rows)
    assert len(perfduck.open(own).names()) == 18


def test_there_is_no_other_service_or_method(server: Server) -> None:
    for path in ("store/execute", "profiles/_store", "profiles/said", "samples/__class__"):
        assert call(server.url, path, {}).status == 404


def test_a_body_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = call(server.url, "symbols/is_known", {"function": "x" * (wire.MOST_BYTES + 1)})
    assert answer.status == 413


def call(url: str, path: str, parameters: dict[str, Any]) -> urllib3.BaseHTTPResponse:
    session = HTTP.request("POST", f"{url}{SESSIONS}/read").json()["session"]
    headers = {"Perfduck-Session": session}
    body = msgspec.msgpack.encode(parameters)
    try:
        return HTTP.request("POST", f"{url}/api/v1/store/{path}", body=body, headers=headers)
    finally:
        HTTP.request("DELETE", f"{url}{SESSIONS}", headers=headers)


@pytest.mark.parametrize(
    ("code", "data", "line"),
    [(5, b"x", "expected no extension type 5"), (1, b"2020-13-45", "month must be in 1..12")],
)
def test_an_extension_that_is_none_is_a_line(code: int, data: bytes, line: str) -> None:
    body = msgspec.msgpack.encode({"learned": msgspec.msgpack.Ext(code, data)})
    with pytest.raises(PerfduckError, match=line):
        wire.decoded_parameters(methods("noise")["replace"], body)


def test_details_of_another_id_are_not_there(server: Server) -> None:
    answer = call(server.url, "profiles/details", {"profile_id": 1})
    assert (answer.status, answer.json()) == (
        404,
        {"error": "profile 1: expected one that is stored, got none"},
    )


def test_a_client_of_another_protocol_is_refused(server: Server) -> None:
    url = f"{server.url}{SESSIONS}/read"
    answer = HTTP.request("POST", url, headers={PROTOCOL_HEADER: "9"})
    line = f"Perfduck-Protocol: expected {PROTOCOL}, which this server speaks, got 9"
    assert (answer.status, answer.json()["error"]) == (400, line)
    assert answer.headers[PROTOCOL_HEADER] == PROTOCOL


def test_a_session_that_reads_changes_nothing(own: str) -> None:
    answer = call(own, "profiles/remove", {"profiles": []})
    assert answer.status == 422
    assert "expected a session that writes" in answer.json()["error"]


def test_a_reader_sees_one_state(own: str) -> None:
    with place_of(own).read() as reader:
        assert len(reader.profiles.all()) == 18
        perfduck.open(own).remove("native.crr.1")
        assert len(reader.profiles.all()) == 18
    assert len(perfduck.open(own).names()) == 17


def test_a_transaction_is_a_whole(own: str) -> None:
    with place_of(own).write() as store:
        [first, second, *_] = store.profiles.all()
        with store.transaction():
            store.profiles.edit(first.profile_id, Edit(labels={"a": "kept"}))
        with pytest.raises(PerfduckError, match="a new name"), store.transaction():  # noqa: PT012
            store.profiles.edit(first.profile_id, Edit(labels={"a": "undone"}))
            store.profiles.edit(first.profile_id, Edit(name=second.name))
        assert store.profiles.of([first.profile_id])[0].labels["a"] == "kept"
    assert "a=kept" in perfduck.open(own).profiles("a=kept").to_text()


def test_one_writes_at_a_time(own: str) -> None:
    with place_of(own).write() as store:
        store.profiles.all()
        start = time.monotonic()
        with pytest.raises(PerfduckError, match="expected a free store"):
            perfduck.open(own, wait_s=1.5).edit("native.crr.1", labels=["a=b"])
        assert 1 < time.monotonic() - start < 10
        assert len(perfduck.open(own).names()) == 18
    perfduck.open(own, wait_s=1.5).edit("native.crr.1", labels=["a=b"])


def test_what_a_client_that_vanishes_had_begun_is_undone(copy: Path) -> None:
    """One that says nothing between two requests."""
    with served(copy, session_idle_s=1.0) as own:
        session = HTTP.request("POST", f"{own}{SESSIONS}/write").json()["session"]
        headers = {"Perfduck-Session": session}

        def ask(service: str, name: str, *arguments: object) -> urllib3.BaseHTTPResponse:
            body = wire.encoded_parameters(methods(service)[name], arguments, {})
            path = f"{own}/api/v1/store/{service}/{name}"
            return HTTP.request("POST", path, body=body, headers=headers)

        with place_of(own).read() as store:
            [first, *_] = store.profiles.all()
        assert ask("transaction", "begin").status == 200
        assert ask("profiles", "edit", first.profile_id, Edit(labels={"a": "b"})).status == 200
        perfduck.open(own).edit("native.crr.1", labels=["c=d"])
        assert len(perfduck.open(own).profiles("c=d")) == 1
        assert (
            "expected a session, got one that has ended"
            in ask("transaction", "commit").json()["error"]
        )
        with pytest.raises(PerfduckError, match="expected a profile"):
            perfduck.open(own).profiles("a=b")


def test_a_client_that_thinks_for_long_keeps_its_session(copy: Path) -> None:
    with served(copy, session_idle_s=1.0) as own:
        with place_of(own).write() as store, store.transaction():
            [first, *_] = store.profiles.all()
            time.sleep(2.5)  # a session that is not heard of is ended within 2 s
            store.profiles.edit(first.profile_id, Edit(labels={"a": "b"}))
        assert len(perfduck.open(own).profiles("a=b")) == 1


def test_sessions_are_bounded(copy: Path) -> None:
    with served(copy, most_sessions=3) as own:
        opened = [place_of(own).read() for _ in range(3)]
        for each in opened:
            each.profiles.all()
        with pytest.raises(PerfduckError, match="at most 3 sessions"):
            perfduck.open(own, wait_s=0.1).names()
        opened[0].close()
        assert len(perfduck.open(own).names()) == 18
        for each in opened:
            each.close()


def test_sessions_that_begin_at_once_are_bounded() -> None:
    """To open the store of one takes a moment, in which others are counted."""
    everybody, opened = Barrier(8), []

    class Slow:
        def read(self) -> MagicMock:
            opened.append(1)
            time.sleep(0.2)
            return MagicMock()

    sessions = StoreSessions(cast(Any, Slow()), idle_s=20, most=3)

    def begin(number: int) -> bool:
        everybody.wait()
        with suppress(TooManySessions):
            return bool(sessions.begin(f"client {number}", write=False))
        return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begin, range(8))) == len(opened) == 3
    sessions.close()
    assert sessions.begin("another", write=False)
