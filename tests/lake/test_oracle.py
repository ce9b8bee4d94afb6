"""Each query of a lake against an oracle that reads its files in plain Python (parts_oracle.py)."""

import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from lakes import say
from parts_oracle import Oracle, check
from recordings import FIXTURES

import perfduck
from perfduck_store.choice import Choice
from perfduck_store.lake.store import LakeStore
from perfduck_store.selector import select

pytestmark = pytest.mark.slow

EVENT = ("cpu-clock",)
RECORDINGS = ("native.udp64.1", "native.udp64.2", "flannel-vxlan.udp64.1")


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Recordings of the demo, some of whose facts were changed since; and the same compacted, of
    which a part has rows of a recording that was removed."""
    many = tmp_path_factory.mktemp("oracle") / "many"
    for name in (*RECORDINGS, "native.crr.1"):
        label = f"scenario={name.split('.')[0]}"
        say(
            "ingest",
            FIXTURES / "demo" / f"{name}.txt.xz",
            "--label",
            label,
            "--store",
            f"lake:{many}",
        )
    compacted = shutil.copytree(many, many.with_name("compacted"))
    say("compact", "--store", f"lake:{compacted}")
    for lake in (many, compacted):
        say("rm", "native.crr.1", "--store", f"lake:{lake}")
        words = ("--label", "run=1", "--work", "2168120", "--unit", "packet")
        say("edit", "native.udp64.1", *words, "--store", f"lake:{lake}")
    again = shutil.copytree(compacted, many.with_name("again"))
    say("compact", "--store", f"lake:{again}", "--keep", "0h")
    return {"many": many, "compacted": compacted, "again": again}


@pytest.fixture(scope="module")
def oracles(lakes: dict[str, Path]) -> dict[str, Oracle]:
    return {name: Oracle(lake) for name, lake in lakes.items()}


def choices(store: LakeStore) -> dict[str, Choice]:
    every, few = list(select(store, "*")), list(select(store, "*.udp64.1"))
    [one] = select(store, "native.udp64.1")
    first = store.profiles.first_ns([one])[one]
    assert first is not None
    of_few = partial(Choice, profiles=few, events=[EVENT] * len(few), keep=["comm"])
    spans = [(first + 10**9, first + 2 * 10**9)]
    return {
        "all": Choice(profiles=every, events=[EVENT] * len(every)),
        "two": of_few(),
        "comm": of_few(values={"comm": ["iperf3"]}),
        "cpu": of_few(values={"cpu": ["1"]}),
        "udp": of_few(values={"subsystem": ["udp", "veth"]}),
        "second": Choice(profiles=[one], events=[EVENT], spans=spans, keep=["comm"]),
    }


@pytest.mark.parametrize("lake", ["many", "compacted", "again"])
@pytest.mark.parametrize("choice", ["all", "two", "comm", "cpu", "udp", "second"])
def test_answers_are_those_of_the_oracle(
    lake: str, choice: str, lakes: dict[str, Path], oracles: dict[str, Oracle]
) -> None:
    with LakeStore(lakes[lake]) as store:
        check(store, oracles[lake], choices(store)[choice])


@pytest.mark.parametrize("lake", ["many", "compacted", "again"])
def test_rows_of_sql_are_those_of_the_oracle(
    lake: str, lakes: dict[str, Path], oracles: dict[str, Oracle]
) -> None:
    expected = Counter[tuple[object, ...]]()
    for hit in oracles[lake].hits():
        place = (hit["function"], hit["dso"], hit["class"], hit["blamed"], hit["context"])
        expected[(hit["profile"], hit["labels"].get("run"), hit["comm"], *place)] += hit["weight"]
    answer = perfduck.open(f"lake:{lakes[lake]}").sql(
        "select profile, labels['run'], comm, function, dso, class, blamed, context, sum(weight)"
        " from hit group by all"
    )
    assert {tuple(row[:-1]): row[-1] for row in answer.frame.rows()} == dict(expected)


def test_the_oracle_knows_a_wrong_answer(lakes: dict[str, Path], tmp_path: Path) -> None:
    """A store that reads a stack twice."""
    lake = shutil.copytree(lakes["many"], tmp_path / "lake")
    with LakeStore(lake) as store:
        store.load("stack_symbol")
        store.execute("insert into stack_symbol select * from stack_symbol limit 1")
        with pytest.raises(AssertionError):
            check(store, Oracle(lake), choices(store)["all"])
