"""A server whose answers are none: a line that names it, never a bug, a hang or a wrong answer."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from command import run
from liar import BAD_FRAMES, BAD_PLAIN, METHODS, ODD_FRAMES, ODD_PLAIN, Liar, Lie, lying

import perfduck
from perfduck.opening import place_of
from perfduck_model.errors import PerfduckError
from perfduck_store import protocol
from perfduck_store.choice import Choice
from perfduck_store.recording import Identity
from perfduck_store.remote import answers, wire
from perfduck_store.remote.services import StoreMethod

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).parents[2] / "fixtures"
RULES = FIXTURES / "demo" / "docker0-nat.udp64.1.iptables.txt"
BY_NAME = {f"{method.service}.{method.name}": method for method in METHODS.values()}
Question = Callable[[str], Any]


def command(*words: str) -> Question:
    """The command; PerfduckError where it ends with code 2."""

    def ask(url: str) -> bytes:
        done = run([*words, "--store", url])
        assert done.returncode in (0, 1, 2, 3)
        if done.returncode == 2:
            assert done.stderr.startswith(b"perfduck: ")
            raise PerfduckError(done.stderr.decode().strip().splitlines()[-1])
        assert b"\x1b" not in done.stdout or "pprof" in words
        return done.stdout

    return ask


QUESTIONS: dict[str, Question] = {
    " ".join(words): command(*words)
    for words in (
        ["profiles"],
        ["top", "a"],
        ["top", "a", "--by", "path", "--skip", "1ms"],
        ["top", "a", "--by", "pod"],
        ["top", "pods", "--pod", "*", "--by", "pod"],
        ["diff", "a", "b"],
        ["diff", "a", "b", "--format", "html"],
        ["diff", "pods", "a", "--by", "pod"],
        ["compare", "*", "--over", "run"],
        ["compare", "*", "--over", "run", "--by", "pod"],
        ["trend", "*", "--over", "run"],
        ["export", "a"],
        ["export", "a", "--base", "b", "--format", "pprof"],
        ["export", "a", "--format", "html"],
        ["explain", "udp_sendmsg"],
        ["explain", "nosuch"],
        ["symbols", "list"],
        ["noise", "list"],
        ["noise", "learn", "*"],
        ["noise", "forget", "--all"],
        ["tag"],
        ["edit", "a", "--label", "x=y"],
        ["rm", "a"],
        ["prune", "*", "--older-than", "1d"],
        ["attach", "a", f"iptables={RULES}"],
    )
}


def library(ask: Callable[[perfduck.ProfileStore], Any]) -> Question:
    return lambda url: ask(perfduck.open(url))


def of_store(ask: Callable[[protocol.Store], Any]) -> Question:
    """A question that a command asks of stores of this machine alone."""

    def asked(url: str) -> Any:
        with place_of(url).write() as store:
            return ask(store)

    return asked


def by_netns(store: protocol.Store) -> pl.DataFrame:
    profiles = [store.profiles.all()[0].profile_id]
    return store.samples(
        Choice(profiles=profiles, events=[("cpu-clock",)], keep=("netns",))
    ).by_netns()


IDENTITY = Identity("x", "perf-script", "x", "0" * 32)
QUESTIONS |= {
    "details": library(lambda store: str(store.details("a"))),
    "timeline": library(lambda store: store.timeline("a").render("text")),
    "calls": library(lambda store: store.calls("a", "udp_sendmsg", side="callers").to_text()),
    "forget rules": library(lambda store: store.tag(forget=["rules"])),
    "called": of_store(lambda store: store.symbols.called(["udp_sendmsg"])),
    "offsets": of_store(lambda store: store.symbols.leaf_offsets(1, [1, 2])),
    "binaries": of_store(lambda store: store.symbols.known_binaries(["[kernel.kallsyms]"])),
    "artefacts": of_store(lambda store: store.symbols.keep_artefacts(1, pl.DataFrame())),
    "hash": of_store(lambda store: store.tag_inputs.content_hash("rules")),
    "keep": of_store(lambda store: store.tag_inputs.keep("rules", "x", b"")),
    "forget": of_store(lambda store: store.tag_inputs.forget("rules")),
    "netns": of_store(by_netns),
    "check": of_store(lambda store: store.check(IDENTITY)),
    "rollback": of_store(lambda store: store._transactions.rollback()),
}


@pytest.fixture(scope="module")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Liar]:
    path = tmp_path_factory.mktemp("liar") / "s.duckdb"
    with perfduck.open(path) as store:
        for name, place in RECORDINGS.items():
            said = [f"run={name}"]
            store.ingest(FIXTURES / place, name=name, labels=said, work=1000, unit="packet")
        store.attach("a", {"iptables": RULES})
    with lying(path) as server:
        yield server


RECORDINGS = {
    "a": "perf_script/v7-default/input.txt.xz",
    "b": "perf_script/net-chain/input.txt.xz",
    "pods": "perf_data/cgroups/recording.data.xz",
}


def answer(liar: Liar, name: str) -> Any:
    """The answer, or the line of an error."""
    try:
        return QUESTIONS[name](liar.url)
    except PerfduckError as error:
        return error


@pytest.fixture(scope="module")
def asking(liar: Liar) -> dict[str, list[str]]:
    """The questions that ask each method."""
    asking: dict[str, list[str]] = {}
    for name in QUESTIONS:
        liar.asked.clear()
        answer(liar, name)
        for method in dict.fromkeys(liar.asked):
            asking.setdefault(method, []).append(name)
    return asking


def test_every_method_is_asked(asking: dict[str, list[str]]) -> None:
    assert sorted(asking) == sorted(BY_NAME)


def read(method: StoreMethod, request: bytes, body: bytes) -> Any:
    """What a client makes of an answer."""
    choice = None
    if method.service == "samples":
        packed, request = wire.without_choice(request)
        choice = wire.decoded_choice(packed)
    said = wire.decoded_answer(method, body)
    answers.check(method, said, wire.decoded_parameters(method, request), choice)
    return said


def is_frame(method: StoreMethod) -> bool:
    return "DataFrame" in str(method.function.__annotations__["return"])


@pytest.mark.parametrize("name", BY_NAME)
def test_what_is_no_answer_is_refused(name: str, liar: Liar, asking: dict[str, list[str]]) -> None:
    method, (request, true) = BY_NAME[name], liar.true[name]
    has_rows = bool(getattr(read(method, request, true), "height", 1))
    for lie, change in (BAD_FRAMES | BAD_PLAIN if is_frame(method) else BAD_PLAIN).items():
        if "null" in lie and not has_rows:
            continue
        with pytest.raises((PerfduckError, ValueError)):
            pytest.fail(f"{lie}: {read(method, request, change(true))!r:.200}")
    for change in (ODD_FRAMES if is_frame(method) else ODD_PLAIN).values():
        with suppress(PerfduckError, ValueError):
            read(method, request, change(true))


def lies_about(method: StoreMethod) -> dict[str, Lie]:
    return BAD_FRAMES | ODD_FRAMES if is_frame(method) else BAD_PLAIN | ODD_PLAIN


@pytest.mark.parametrize("seed", range(4))
def test_a_lie_ends_a_command_in_a_line(
    seed: int, liar: Liar, asking: dict[str, list[str]]
) -> None:
    """One of the right shape may be believed; never is it a bug."""
    chosen = random.Random(seed)
    for _ in range(25):
        method = chosen.choice([each for each in BY_NAME.values() if not each.changes])
        lie, change = chosen.choice(list(lies_about(method).items()))
        question = chosen.choice(asking[name := f"{method.service}.{method.name}"])
        liar.lies = {name: change}
        said = answer(liar, question)
        liar.lies = {}
        _, true = liar.true[name]
        if (lie in BAD_FRAMES or lie in BAD_PLAIN) and change(true) != true:
            assert str(said).removeprefix("perfduck: ").startswith(liar.url), (name, lie, question)
        if isinstance(said, PerfduckError):
            assert "\n" not in str(said), (name, lie, question)


def test_ids_that_another_answer_lacks_are_refused(
    liar: Liar, asking: dict[str, list[str]]
) -> None:
    """Each of two answers is one, and they do not fit together."""
    for name, lie in {"symbols.all": "no row", "samples.functions": "a row"}.items():
        liar.lies = {name: ODD_FRAMES[lie]}
        said = [str(answer(liar, question)) for question in asking[name]]
        liar.lies = {}
        assert all(liar.url in each and f"ids that {name} has" in each for each in said)
