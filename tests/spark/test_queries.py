"""What queries about samples answer is what plain Python makes of the same parts. That Spark has
the same rows, by the same text, is the matter of test_every_query.py."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from lake_oracle import RUNS, Oracle, summed

from perfduck_store.choice import KEYS, Choice
from perfduck_store.lake.store import LakeStore
from perfduck_store.picked_samples import PickedSamples

EVENT = "cpu-clock"


@pytest.fixture(scope="module")
def oracle(lake: Path) -> Oracle:
    return Oracle(lake)


@pytest.fixture(scope="module")
def store(lake: Path) -> Iterator[LakeStore]:
    with LakeStore(lake) as opened:
        yield opened


def picked(store: LakeStore, oracle: Oracle, names: list[str], **choice: object) -> PickedSamples:
    ids = [oracle.profiles[name] for name in names]
    return store.samples(Choice(profiles=ids, events=[(EVENT,)] * len(ids), **choice))


def test_weights_are_those_of_the_samples(store: LakeStore, oracle: Oracle) -> None:
    found = picked(store, oracle, RUNS).weights()
    busy = summed((row["run"], row["weight"]) for row in oracle.samples(RUNS, EVENT))
    hits = summed((row["run"], row["count"]) for row in oracle.samples(RUNS, EVENT))
    whole = summed((row["run"], row["weight"]) for row in oracle.samples(RUNS, EVENT, idle=True))
    for run in range(len(RUNS)):
        weight = found[run]
        assert (weight.busy, weight.samples) == (busy[run], hits[run])
        assert weight.idle == whole[run] - busy[run]


@pytest.mark.parametrize(
    ("by", "column", "blamed"),
    [("subsystem", "subsystem", "subsystem"), ("dso", "dso", None), ("class", "class", None),
     ("function", "name", None)],
)  # fmt: skip
def test_a_ranking_is_that_of_the_samples(
    store: LakeStore, oracle: Oracle, by: str, column: str, blamed: str | None
) -> None:
    rows = picked(store, oracle, RUNS).rank(by, 10_000)
    expected = oracle.ranking(
        oracle.samples(RUNS, EVENT),
        lambda symbol: symbol[column],
        lambda row: row[blamed] if blamed else oracle.symbols[row["symbol_id"]][column],
    )
    if by == "function":  # functions of one name in two binaries, and without one, are rows apart
        names = [symbol["name"] for symbol in oracle.symbols.values()]
        expected = {name: sums for name, sums in expected.items() if names.count(name) == 1}
    keys = ["function"] if by == "function" else [by]
    found = {row[keys[0]]: (row["self"], row["total"], row["blamed"]) for row in rows.to_dicts()}
    assert {key: found[key] for key in expected} == expected
    assert by == "function" or found.keys() == expected.keys()
    assert rows["row_count"].to_list() == [len(rows)] * len(rows)


def test_a_path_is_that_of_the_samples(store: LakeStore, oracle: Oracle) -> None:
    rows = picked(store, oracle, RUNS).rank("path", 10_000)
    expected = summed(
        (";".join(symbol["name"] for symbol in reversed(row["symbols"])), row["weight"])
        for row in oracle.samples(RUNS, EVENT)
        if all(symbol["name"] != "[unknown]" for symbol in row["symbols"])
    )
    named = rows.filter(~pl.col("path").str.contains("[unknown]", literal=True))
    assert summed(named.select("path", "self").iter_rows()) == expected
    weights = rows["self"].to_list()
    assert len(expected) > 50
    assert weights == sorted(weights, reverse=True)


def test_the_inputs_of_a_diff_are_the_samples(store: LakeStore, oracle: Oracle) -> None:
    samples = picked(store, oracle, RUNS)
    frame = samples.rollup()
    found = summed(((run, stack), weight) for run, stack, weight, _ in frame.iter_rows())
    assert found == summed(
        ((row["run"], row["stack_id"]), row["weight"])
        for row in oracle.samples(RUNS, EVENT, idle=True)
    )
    stacks = samples.stacks()
    used = sorted({row["stack_id"] for row in oracle.samples(RUNS, EVENT)})
    assert stacks["stack_id"].to_list() == used
    assert stacks["symbol_ids"].to_list() == [oracle.stacks[each] for each in used]
    assert [run.name for run in samples.runs()] == sorted(RUNS)


def test_callers_are_those_of_the_samples(store: LakeStore, oracle: Oracle) -> None:
    rows = picked(store, oracle, RUNS).calls("ip_output", 100, callees=False)
    pairs = (
        (above["name"], row["weight"])
        for row in oracle.samples(RUNS, EVENT)
        for above in {
            above["symbol_id"]: above
            for own, above in zip(row["symbols"], row["symbols"][1:], strict=False)
            if own["name"] == "ip_output"
        }.values()
    )
    assert dict(rows.select("function", "total").iter_rows()) == summed(pairs)


def test_filters_of_samples_and_of_stacks_leave_what_they_name(
    store: LakeStore, oracle: Oracle
) -> None:
    values = {"cpu": ["0"], "subsystem": ["conntrack", "nat"]}
    assert set(values) <= set(KEYS)
    found = picked(store, oracle, RUNS, values=values).weights()
    assert {run: weight.busy for run, weight in found.items()} == summed(
        (row["run"], row["weight"])
        for row in oracle.samples(RUNS, EVENT)
        if row["cpu"] == 0 and oracle.blame[row["stack_id"]]["subsystem"] in values["subsystem"]
    )


def test_a_time_span_leaves_what_is_in_it(store: LakeStore, oracle: Oracle) -> None:
    rows = list(oracle.samples(RUNS, EVENT))
    middle = {
        run: sorted(row["time_ns"] for row in rows if row["run"] == run)[100]
        for run in range(len(RUNS))
    }
    spans = [(middle[run], middle[run] + 300_000_000) for run in range(len(RUNS))]
    found = picked(store, oracle, RUNS, spans=spans).weights()
    assert {run: weight.busy for run, weight in found.items()} == summed(
        (row["run"], row["weight"])
        for row in rows
        if spans[row["run"]][0] <= row["time_ns"] < spans[row["run"]][1]
    )
    begun = store.profiles.first_ns(oracle.profiles.values())
    every = list(oracle.rows("sample"))
    assert begun == {
        profile: min(row["time_ns"] for row in every if row["profile_id"] == profile)
        for profile in oracle.profiles.values()
    }


def test_programs_and_tag_methods_add_up(store: LakeStore, oracle: Oracle) -> None:
    samples = picked(store, oracle, RUNS)
    comms = summed((row["comm"], row["weight"]) for row in oracle.samples(RUNS, EVENT))
    assert samples.comms(range(len(RUNS))) == comms
    shares = samples.tag_methods(range(len(RUNS)))
    methods = summed(
        (row["symbols"][0]["tagged_by"], row["weight"]) for row in oracle.samples(RUNS, EVENT)
    )
    total = sum(methods.values())
    assert {each.method: each.share for each in shares} == {
        method: weight / total for method, weight in methods.items()
    }
