"""Callers and callees of functions that call themselves."""

from pathlib import Path

import pytest

import perfduck

# leaf first: fib is its own caller in the first
STACKS = ("fib fib main", "fib main", "fib helper main")


@pytest.fixture
def store(tmp_path: Path) -> perfduck.ProfileStore:
    text = tmp_path / "r.txt"
    text.write_text(
        "".join(
            f"fib 7/7 1.{at}00000: 1000000 cpu-clock:\n"
            + "".join(f" 400{at}00 {name}+0x1 (/bin/fib)\n" for name in stack.split())
            + "\n"
            for at, stack in enumerate(STACKS)
        )
    )
    opened = perfduck.open(tmp_path / "s.duckdb")
    opened.ingest(text, name="r")
    return opened


@pytest.mark.slow
def test_a_sample_of_a_recursive_function_counts_once_for_each_caller(
    store: perfduck.ProfileStore,
) -> None:
    calls = store.calls("r", "fib")
    assert dict(calls.frame.select("function", "total").iter_rows()) == {
        "main": 2,
        "fib": 1,
        "helper": 1,
    }
    assert [note.text for note in calls.notes if note.code == "calls"] == [
        "fib is recursive: a sample counts for each of its callers, so that all rows add up to 1.33"
        " times the weight of their samples"
    ]
    assert "calls %" in calls.render("text")
    one = store.calls("r", "fib", limit=1)
    assert [n.code for n in one.notes if n.code == "calls"] == ["calls"]  # of all rows


@pytest.mark.slow
@pytest.mark.parametrize(("function", "side"), [("helper", "callers"), ("main", "callees")])
def test_calls_that_add_up_say_nothing(
    store: perfduck.ProfileStore, function: str, side: str
) -> None:
    calls = store.calls("r", function, side=side)  # type: ignore[arg-type]
    assert not [note for note in calls.notes if note.code == "calls"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("by", "share"),
    [("function", "self %"), ("comm", "self %"), ("path", "self %"), ("subsystem", "blamed %")],
)
def test_a_share_says_what_it_is_of(store: perfduck.ProfileStore, by: str, share: str) -> None:
    top = store.top("r", by=by)  # type: ignore[arg-type]
    assert share in top.render("text")
    main = share.removesuffix(" %")
    shares = (100 * top.frame[main] / top.data.total).to_list()
    assert top.frame["share"].to_list() == pytest.approx(shares)


@pytest.mark.slow
def test_a_total_has_one_interval_however_it_is_split(demo_store: Path) -> None:
    opened = perfduck.open(demo_store)
    answers = [
        opened.compare("workload=udp64", over="scenario", by=by).data  # type: ignore[arg-type]
        for by in ("subsystem", "class", "direction", "program")
    ]
    assert len({answer.steps[0].total.low for answer in answers}) == 1
    assert len({tuple(answer.total) for answer in answers}) == 1
    assert len({tuple(step.total for step in answer.steps) for answer in answers}) == 1
