"""Filters where samples are idle time: exports have it, and answers that leave it out say so."""

import json
from collections import Counter
from typing import Any, Unpack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import FIXTURES

import perfduck
from perfduck.typed import FilterOptions

pytestmark = pytest.mark.slow

IDLE = (
    "cpuidle_idle_call+0x1 ([kernel.kallsyms])\n ffffffff81000001 do_idle+0x2 ([kernel.kallsyms])"
)
UDP, TCP = (f"{name}_sendmsg+0x3 ([kernel.kallsyms])" for name in ("udp", "tcp"))
# comm, pid, CPU, us, stack: swapper, pid 0 and CPU 1 have idle alone, as on a quiet machine
MADE = [("swapper", 0, 0, 5, IDLE), ("swapper", 0, 1, 7, IDLE), ("iperf3", 41, 0, 11, UDP),
        ("nginx", 42, 2, 13, TCP)]  # fmt: skip
RECORDINGS = ("native.udp64.1", "native.crr.1", "docker0-nat.udp64.1")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> perfduck.ProfileStore:
    """What is MADE, and real recordings that have idle."""
    folder = tmp_path_factory.mktemp("idle")
    text = "".join(
        f"{comm} {pid}/{pid} [{cpu:03}] {10 + at}.000000: {us * 1000} cpu-clock:\n"
        f" ffffffff81000000 {stack}\n\n"
        for at, (comm, pid, cpu, us, stack) in enumerate(MADE)
    )
    (folder / "made.txt").write_text(text)
    (folder / "again.txt").write_text(text.replace("000:", "001:"))
    opened = perfduck.open(folder / "store.duckdb")
    for name in ("made", "again"):
        opened.ingest(folder / f"{name}.txt", work=10, unit="packet")
    opened.ingest(FIXTURES / "perf_data" / "cgroups" / "recording.data.xz", name="cgroups")
    opened.ingest(*(FIXTURES / "demo" / f"{name}.txt.xz" for name in RECORDINGS))
    return opened


def exported(
    store: perfduck.ProfileStore, selector: str, **filters: Unpack[FilterOptions]
) -> Counter[str]:
    """The weight of each folded stack; none where the filters leave none."""
    try:
        text = store.export(selector, **filters).text
    except perfduck.PerfduckError:  # no sample with ...
        return Counter()
    lines = (line.rpartition(" ") for line in text.splitlines())
    return Counter({stack: int(weight) for stack, _, weight in lines})


def values_of(store: perfduck.ProfileStore, selector: str, column: str) -> list[Any]:
    query = f"select distinct {column} from hit where profile = '{selector}' order by all"
    return store.sql(query).frame.to_series().to_list()


@given(st.data())
@settings(max_examples=20)
def test_what_a_filter_keeps_and_what_it_leaves_out_is_all(
    store: perfduck.ProfileStore, data: st.DataObject
) -> None:
    selector = data.draw(st.sampled_from(("made", *RECORDINGS)))
    known = st.sampled_from([*values_of(store, selector, "comm"), "*", "sw*", "*e*"])
    chosen = data.draw(st.lists(known, min_size=1, max_size=3, unique=True))
    kept = exported(store, selector, comm=chosen)
    others = exported(store, selector, not_comm=chosen)
    assert kept + others == exported(store, selector)


@pytest.mark.parametrize("selector", ["made", RECORDINGS[0]])
@pytest.mark.parametrize(
    ("option", "column"),
    [("comm", "comm"), ("pid", "coalesce(pid, tid)"), ("cpu", "cpu"), ("subsystem", "blamed")],
)
def test_the_values_of_a_key_add_up_to_all(
    store: perfduck.ProfileStore, selector: str, option: str, column: str
) -> None:
    parts: Counter[str] = Counter()
    for value in values_of(store, selector, column):
        part = store.export(selector, **{option: [value]}).text  # type: ignore[misc]
        lines = [line.rpartition(" ") for line in part.splitlines()]
        assert lines
        parts.update({stack: int(weight) for stack, _, weight in lines})
    assert parts == exported(store, selector)


FILTERS: list[FilterOptions] = [
    {"comm": ["swapper"]},
    {"not_comm": ["iperf3", "nginx"]},
    {"pid": [0]},
    {"cpu": [1]},
    {"subsystem": ["idle"]},
    {"skip": 1, "until": 2},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("base", [None, RECORDINGS[0]])
def test_every_format_of_stacks_keeps_idle_alone(
    store: perfduck.ProfileStore, filters: FilterOptions, base: str | None
) -> None:
    ns = 7000 if filters.keys() & {"cpu", "skip"} else 12_000
    base = None if "cpu" in filters else base  # has idle on all CPUs
    columns = [
        line.split()[-1]
        for line in store.export("made", base=base, **filters).text.split("\n")[:-1]
    ]
    assert sum(map(int, columns)) == ns
    drawn = json.loads(store.export("made", "speedscope", base=base, **filters).text)
    assert sum(drawn["profiles"][-1]["weights"]) == ns
    assert len(store.export("made", "pprof", base=base, **filters).parts().__next__()) > 100


def test_pods_and_control_groups_of_idle(store: perfduck.ProfileStore) -> None:
    whole = exported(store, "cgroups")
    assert exported(store, "cgroups", cgroup="/") == whole
    assert exported(store, "cgroups", pod="*") == whole
    parts = [exported(store, "cgroups", **{key: "[host] /"}) for key in ("pod", "not_pod")]  # type: ignore[misc]
    assert parts[0] + parts[1] == whole


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"comm": ["swapper", "nginx"]}, "swapper has only idle time, which is left out"),
        ({"not_comm": "sw*"}, "swapper has only idle time, which is left out"),
        ({"pid": [0, 41]}, "pid 0 has only idle time, which is left out"),
        ({"cpu": "0-2"}, "cpu 1 has only idle time, which is left out"),
        ({"subsystem": ["idle", "udp"]}, "idle has only idle time, which is left out"),
    ],
)
def test_what_has_only_idle_is_said_where_idle_is_left_out(
    store: perfduck.ProfileStore, filters: FilterOptions, words: str
) -> None:
    assert words in [note.text for note in store.top("made", **filters).notes]
    reasons = [reason.text for reason in store.diff("made", "again", **filters).reasons]
    assert words in reasons
    export = store.export("made", **filters)
    assert not any("only idle" in note.text for note in export.notes)


@pytest.mark.parametrize(
    ("filters", "start"),
    [
        ({"comm": "swapper"}, "no sample with --comm swapper: swapper has only idle time, which is"
         " left out: there are nginx (54.2 %), iperf3 (45.8 %)"),
        ({"cpu": 1}, "no sample with --cpu 1: cpu 1 has only idle time, which is left out: there"
         " are 2 (54.2 %), 0 (45.8 %)"),
        ({"comm": "swappr"}, "no sample with --comm swappr: there are nginx (54.2 %)"),
    ],
)  # fmt: skip
def test_idle_alone_is_no_answer_where_idle_is_left_out(
    store: perfduck.ProfileStore, filters: FilterOptions, start: str
) -> None:
    with pytest.raises(perfduck.PerfduckError) as raised:
        store.top("made", **filters)
    assert str(raised.value).startswith(start)


def test_the_error_of_an_export_lists_idle_too(store: perfduck.ProfileStore) -> None:
    with pytest.raises(perfduck.PerfduckError) as raised:
        store.export("made", comm="swappr")
    assert str(raised.value) == (
        "no sample with --comm swappr: did you mean swapper? there are nginx (36.1 %),"
        " swapper (33.3 %), iperf3 (30.6 %)"
    )


def test_idle_of_a_filter_is_in_the_footer(store: perfduck.ProfileStore) -> None:
    assert store.top("made", not_comm="iperf3").data.idle == pytest.approx(1200)  # ns/packet
    assert store.top("made", comm="iperf3").data.idle == 0
