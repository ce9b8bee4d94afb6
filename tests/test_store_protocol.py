"""What asks a store asks it what the protocol has, and nothing else: a backend is a class."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recordings import FIXTURES
from rows import mostly_slow

from perfduck import attachments
from perfduck.ingestion import IngestRequest, ingest
from perfduck_diff.answer import DiffRequest, compare_profiles, resolve_sides
from perfduck_diff.calls import calls
from perfduck_diff.compare_groups import compare_groups
from perfduck_diff.filters import Filters
from perfduck_diff.flame_input import alone
from perfduck_diff.history import forget, learn_from, learned
from perfduck_diff.like_runs import like_runs
from perfduck_diff.top import top
from perfduck_ingest.work import Work
from perfduck_store import protocol
from perfduck_store.choice import Choice
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.selector import select

RULES = FIXTURES / "demo" / "docker0-nat.udp64.1.iptables.txt"
PODS = "scenario=pods"


class Backend:
    """A store of which nothing is there but what a protocol names."""

    def __init__(self, store: object, asked: type) -> None:
        self._store, self._asked = store, asked

    def __getattr__(self, name: str) -> Any:
        member, answer = vars(self._asked)[name], getattr(self._store, name)
        if isinstance(member, property):
            return Backend(answer, member.fget.__annotations__["return"])
        kind = member.__annotations__["return"]
        if getattr(kind, "_is_protocol", False):
            return lambda *given: Backend(answer(*given), kind)
        return answer


@pytest.fixture
def store(store_path: Path) -> Path:
    with DuckDbStore(store_path, write=True) as opened:
        for run, name in enumerate(("v7-default", "net-chain"), 1):
            text = FIXTURES / "perf_script" / name / "input.txt.xz"
            labels = {"scenario": "pods", "run": str(run)}
            request = IngestRequest(
                str(text), name=name, work=Work(1000.0, "packet"), labels=labels
            )
            ingest(opened, request)
    return store_path


def diff(store: protocol.Store) -> object:
    request = DiffRequest(base="v7-default", new="net-chain", filters=Filters(comm=("*",)))
    return compare_profiles(store, request, resolve_sides(store, request))


def noise(store: protocol.Store) -> object:
    found, _ = learn_from(store, PODS, None)
    return found.rows(), learned(store).rows(), forget(store, PODS).rows(), learned(store).rows()


QUESTIONS: dict[str, Callable[[protocol.Store], object]] = {
    "top": lambda store: top(store, PODS, "subsystem").rows.rows(),
    "top of samples": lambda store: top(store, PODS, "comm", filters=Filters(cpu=(0,))).total,
    "calls": lambda store: calls(store, PODS, "main", "callees").rows.rows(),
    "diff": diff,
    "compare": lambda store: compare_groups(store, PODS, "run"),
    "export": lambda store: alone(store, PODS).profiles,
    "details": lambda store: [
        (store.profiles.details(each), store.profiles.skipped(each, 5), store.attachments.of(each))
        for each in select(store, PODS)
    ],
    "timeline": lambda store: (
        store.samples(
            Choice(profiles=list(select(store, PODS)), events=[("cpu-clock",), ("cpu-clock",)])
        )
        .timeline(20_000_000)
        .rows()
    ),
    "noise": noise,
    "like runs": lambda store: like_runs(store, select(store, PODS)),
    "attach": lambda store: attachments.keep(
        store, next(iter(select(store, PODS))), [attachments.read(f"iptables={RULES}")]
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", mostly_slow(QUESTIONS, 3))
def test_a_question_asks_what_the_protocol_has(name: str, store: Path) -> None:
    answers = []
    for asked in (lambda opened: opened, lambda opened: Backend(opened, protocol.Store)):
        copy = store.with_name("copy.duckdb")
        copy.write_bytes(store.read_bytes())
        with DuckDbStore(copy, write=True) as opened:
            answers.append(QUESTIONS[name](asked(opened)))
    assert answers[0] == answers[1]
    assert answers[0]


@pytest.mark.slow
def test_what_the_protocol_lacks_is_noticed(store: Path) -> None:
    with DuckDbStore(store) as opened, pytest.raises(KeyError, match="rows"):
        Backend(opened, protocol.Store).rows("select 1")
