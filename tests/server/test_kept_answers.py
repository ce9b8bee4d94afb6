"""Answers that a server keeps are those of a process that asks for the first time."""

import lzma
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from servers import HTTP, Server

import perfduck
from perfduck_server.app import create_app
from perfduck_server.kept_answers import KeptAnswer, KeptAnswers
from perfduck_server.question_route import QuestionRoute, StoreOf
from perfduck_server.service import Service
from perfduck_server.settings import Settings

TEXT = Path(__file__).parents[2] / "fixtures" / "demo" / "native.udp64.1.txt.xz"
OTHER_TEXT = (
    "nginx 7 [001] 1.000: 1000 cycles:\n\tffffffff81000000 nf_hook_slow ([kernel.kallsyms])\n\n"
)
RULES = "symbol,area,subsystem,role\n^udp_,ours,our_udp,domain\n"


def kept(state: int, size: int) -> KeptAnswer:
    return KeptAnswer(state, b"x" * size, ())


def test_an_answer_of_an_older_state_is_not_sent() -> None:
    answers = KeptAnswers()
    answers.keep("top", kept(4, 10))
    assert answers.get("top", 4)
    assert answers.get("top", 2), "a state that came after the question did"
    assert answers.get("top", 6) is None


def test_what_was_asked_longest_ago_makes_room() -> None:
    answers = KeptAnswers(most_bytes=10_000)
    for number in range(3):
        answers.keep(number, kept(0, 1000))
    assert answers.get(0, 0)
    for number in range(3, 6):
        answers.keep(number, kept(0, 1000))
    assert [number for number in range(6) if answers.get(number, 0)] == [0, 2, 3, 4, 5]
    answers.keep(0, kept(2, 9_000_000))
    assert answers.get(0, 0) is None, "too large, and the old one is gone"


@pytest.mark.slow
def test_a_question_of_many_is_worked_out_once_for_each_state(tmp_path: Path) -> None:
    service = Service(Settings(store=tmp_path / "store.duckdb"))
    app, asked = create_app(service), []
    router = APIRouter(route_class=QuestionRoute)

    @router.get("/names")
    def names(store: StoreOf) -> int:
        asked.append(1)
        return len(store.names())

    app.include_router(router)
    with TestClient(app, base_url="http://localhost") as client, ThreadPoolExecutor(8) as pool:
        before = list(pool.map(lambda _: client.get("/names").json(), range(32)))
        first = len(asked)
        service.store.ingest(OTHER_TEXT.encode(), name="other")
        after = list(pool.map(lambda _: client.get("/names").json(), range(32)))
    service.close()
    assert (before, first) == ([0] * 32, 1)
    assert (after, len(asked)) == ([1] * 32, 2)


@pytest.mark.slow
def test_readers_of_one_state_see_nothing_newer(tmp_path: Path) -> None:
    service = Service(Settings(store=tmp_path / "store.duckdb"))
    with service.held.one_state() as place:
        store = perfduck.ProfileStore(place)
        assert store.names() == ()
        service.store.ingest(OTHER_TEXT.encode(), name="other")
        assert store.names() == ()
        assert place.state != service.held.shared.changes
    assert service.store.names() == ("other",)
    service.close()


def test_a_state_that_is_being_committed_is_none(tmp_path: Path) -> None:
    service = Service(Settings(store=tmp_path / "store.duckdb"))
    with service.held.shared._change(), service.held.read() as store:
        assert store.state is None
    with service.held.write() as writer, writer.transaction(), service.held.read() as store:
        assert store.state == service.held.shared.changes, "what is not committed is not seen"
    with service.held.read() as store:
        assert store.state == service.held.shared.changes
    service.close()


QUESTIONS = {
    "profiles": lambda store: store.profiles(),
    "top?selector=scenario=native": lambda store: store.top("scenario=native"),
    "top?selector=*&by=subsystem": lambda store: store.top("*", by="subsystem"),
    "calls?selector=native.*&function=nf_hook_slow": lambda store: store.calls(
        "native.*", "nf_hook_slow"
    ),
    "diff?base=native.udp64.*&new=docker0-nat.udp64.*": lambda store: store.diff(
        "native.udp64.*", "docker0-nat.udp64.*"
    ),
    "compare?selector=workload=udp64&over=scenario": lambda store: store.compare(
        "workload=udp64", "scenario"
    ),
}
PAGES = ["/", "/diff?base=native.udp64.*&new=docker0-nat.udp64.*", "/profiles/{id}"]


@pytest.mark.slow
def test_after_each_change_answers_are_those_of_a_fresh_process(
    own_server: Server, tmp_path: Path
) -> None:
    (tmp_path / "rules.csv").write_text(RULES)
    (tmp_path / "rules.txt").write_text("-A INPUT -j ACCEPT")
    url = f"{own_server.url}/api/v1/recordings?name=native.udp64.9&label.scenario=native"
    url += "&label.workload=udp64&work=2168120&unit=packet&wait=60"
    profile = HTTP.request("GET", f"{own_server.url}/api/v1/profiles").json()[0]["id"]
    check(own_server, tmp_path, profile)
    samples = lzma.decompress(TEXT.read_bytes()).split(b"\n\n")
    beginning = b"\n\n".join(samples[:1000]) + b"\n\n"
    assert HTTP.request("POST", url, body=beginning).status == 201
    check(own_server, tmp_path, profile)
    for words in (
        ["edit", "native.udp64.9", "--label", "run=9", "--work", "99999", "--unit", "packet"],
        ["edit", "native.udp64.2", "--name", "native.udp64.two"],
        ["attach", "native.udp64.9", f"iptables={tmp_path / 'rules.txt'}"],
        ["tag", "--rules", str(tmp_path / "rules.csv")],
        ["rm", "native.udp64.1"],
    ):
        command = [sys.executable, "-m", "perfduck", *words, "--store", own_server.url]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        check(own_server, tmp_path, profile)


def check(server: Server, folder: Path, profile: str) -> None:
    """Each answer, asked twice, is that of a fresh process about a copy of the store; and each page
    that of a page nobody asked for yet."""
    copy = folder / "copy.duckdb"
    copy.write_bytes(HTTP.request("GET", f"{server.url}/api/v1/backup").data)
    with perfduck.open(copy) as store:
        for path, ask in QUESTIONS.items():
            try:
                expected, status = ask(store).to_json().encode(), 200
            except perfduck.NoProfileError:
                expected, status = b"", 404
            for _ in range(2):
                answer = HTTP.request("GET", f"{server.url}/api/v1/{path}")
                assert answer.status == status, (path, answer.data)
                assert status == 404 or answer.data == expected, path
    for path in PAGES:
        place = server.url + path.format(id=profile)
        first, second = HTTP.request("GET", place), HTTP.request("GET", place)
        assert (first.status, first.data) == (second.status, second.data)
        other = HTTP.request("GET", place.replace("127.0.0.1", "localhost"))
        assert other.data.replace(b"localhost", b"127.0.0.1") == first.data, path
    copy.unlink()
