"""perfduck ab: pairs in turns, what is said meanwhile, and when --until-sure ends."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from command import run_text
from fake_perf import FakePerf

import perfduck
from perfduck import AbStep, PerfduckError
from perfduck.ingestion import Ingestion, IngestRequest
from perfduck_diff.engine.sequential import levels


def sides(steps: Sequence[AbStep]) -> list[str]:
    return [step.side for step in steps if step.side]


@pytest.mark.slow
def test_growth_is_reported_from_pairs_that_are_recorded_in_turns(perf: FakePerf) -> None:
    words = ["--base", perf.load("base"), "--new", perf.load("new"), "--name", "x", "--runs", "6"]
    done = run_text(["ab", *words])
    assert done.returncode == 1, done.stdout + done.stderr
    assert "deep" in done.stdout
    assert "x base (6 runs) -> x new (6 runs)" in done.stdout
    assert re.search(r"^perfduck: pair 2 of 6: total [\d,]+ \+.* %$", done.stderr, re.M)
    assert "exact sign-flip test of 6 pairs in random order: growth p 0.016" in done.stdout
    assert "perfduck: 6 pairs are stored as ab=x\n" in done.stderr
    with perfduck.open("perfduck.duckdb") as store:
        assert {f"x.{side}.{run}" for side in ("base", "new") for run in range(1, 7)} == {
            *store.names()
        }
        again = store.diff("ab=x,side=base", "ab=x,side=new", paired=True)
    assert again.verdict == "regression"
    assert again.data.exact is not None  # its labels say that chance drew the order


@pytest.mark.slow
def test_each_pair_has_both_sides_in_an_order_of_chance(perf: FakePerf) -> None:
    steps: list[AbStep] = []
    load = perf.load("base")
    perfduck.open("s.duckdb").ab(load, load, runs=10, on_step=steps.append)
    pairs = [tuple(sides(steps)[at : at + 2]) for at in range(0, 20, 2)]
    assert {*pairs} == {("base", "new"), ("new", "base")}  # fails once in 512


@pytest.mark.slow
def test_a_setup_runs_before_each_run_of_its_side_and_is_not_recorded(perf: FakePerf) -> None:
    load = perf.load("base")
    words = ["--base", load, "--new", load, "--runs", "2"]
    run_text(["ab", *words, "--setup-base", "echo b >> log", "--setup-new", "echo n >> log"])
    assert sorted((perf.folder.parent / "log").read_text().split()) == ["b", "b", "n", "n"]
    assert all("log" not in call for call in perf.calls)


@pytest.mark.slow
def test_until_sure_ends_when_growth_is_shown_and_says_by_which_test(perf: FakePerf) -> None:
    done = run_text(["ab", "--base", perf.load("base"), "--new", perf.load("new"), "--until-sure"])
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert "7 of at most 16 pairs; looks after 7, 9, 12, 16: 5% for all looks together" in text
    assert "0.78% for this one (alpha spending, Lan and DeMets 1983)" in text
    assert "exact sign-flip test of 7 pairs in random order: growth p 0.0078," in text
    assert "perfduck: a verdict is looked for after 7, 9, 12, 16 pairs: fewer" in done.stderr
    assert re.search(r"^perfduck: pair 7 of 16: total .*: regression$", done.stderr, re.M)


@pytest.mark.slow
def test_the_looks_of_until_sure_share_one_level(perf: FakePerf) -> None:
    """With a check that blocks every verdict, all of them are made."""
    budget = perf.folder / "budget.toml"
    budget.write_text('[budget]\ntotal = "5 %"\n[checks]\nspread = "block"\n')
    turn = "n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n"
    load = f"{turn}; echo $((1000 + n / 2 % 2 * 3000)) requests in 1s"
    steps: list[AbStep] = []
    store = perfduck.open("s.duckdb")
    result = store.ab(load, load, until_sure=True, most=8, budget=budget, on_step=steps.append)
    assert result.pairs == 8
    assert result.diff.exit_code == 3
    looked = {step.pair: step.estimate.data.exact for step in steps if step.estimate}
    assert all(looked.values())
    shared = {pair: exact.level for pair, exact in looked.items() if exact and exact.level}
    assert shared == levels(6, 8, 0.05)
    assert [step.next_look for step in steps if step.estimate] == [6, 6, 6, 6, 6, 8, 8]


@pytest.mark.slow
def test_few_pairs_say_that_they_can_show_nothing(perf: FakePerf) -> None:
    words = ["--base", perf.load("base"), "--new", perf.load("new"), "--runs", "4"]
    done = run_text(["ab", *words])
    assert done.returncode == 3
    assert "perfduck: 4 of 5 pairs that a verdict takes" in done.stderr
    assert "inconclusive: cannot tell: 4 pairs can have no p below 0.062" in done.stdout


def test_a_label_that_tells_sides_apart_is_not_set_twice(perf: FakePerf) -> None:
    load = perf.load("base")
    for label in ("ab=z", "side=left", "run=3"):
        done = run_text(["ab", "--base", load, "--new", load, "--label", label])
        assert done.returncode == 2
        assert f"--label {label}: expected another label: ab sets" in done.stderr
    assert not (perf.folder / "calls").exists()


def test_of_a_pair_whose_second_run_fails_nothing_is_stored(perf: FakePerf) -> None:
    done = run_text(["ab", "--base", perf.load("base"), "--new", "echo sorry >&2; exit 7"])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "expected exit status 0, got 7 (sorry): not stored (--ignore-failure stores it)"
    )
    assert run_text(["profiles"]).returncode == 2


@pytest.mark.slow
def test_of_a_pair_of_which_one_cannot_be_stored_nothing_is_stored(perf: FakePerf) -> None:
    """The second has a name that is taken, which only its commit sees."""
    paths = [str(perf.folder / f"{name}.data") for name in ("base.0", "base.1", "new.0")]
    taken, *pair = [
        IngestRequest(path, name=name) for path, name in zip(paths, ("n", "b", "n"), strict=True)
    ]
    store = Path("s.duckdb")
    with Ingestion(store) as ingestion:
        ingestion.ingest(taken)
        with pytest.raises(PerfduckError, match="'n'"):
            ingestion.ingest_pair(pair)
        assert perfduck.open(store).names() == ("n",)
        ingestion.ingest_pair([pair[0], replace(pair[1], name="m")])
    assert {*perfduck.open(store).names()} == {"n", "b", "m"}


@pytest.mark.slow
def test_a_name_that_a_later_pair_would_have_is_refused_before_anything_runs(
    perf: FakePerf,
) -> None:
    load = perf.load("base")
    run_text(["record", "--name", "x.new.5", "--", load])
    done = run_text(["ab", "--base", load, "--new", load, "--name", "x"])
    assert "--name x.new.5: expected a name that the store does not have" in done.stderr
    assert len(perf.calls) == 1


@pytest.mark.slow
def test_one_pair_is_inconclusive(perf: FakePerf) -> None:
    done = run_text(["ab", "--base", perf.load("base"), "--new", perf.load("new"), "--runs", "1"])
    assert done.returncode == 3
    assert "1 pair is stored" in done.stderr


@pytest.mark.slow
def test_a_format_is_alone_on_standard_output(perf: FakePerf) -> None:
    load = perf.load("base")
    done = run_text(["ab", "--base", load, "--new", load, "--runs", "2", "--format", "json"])
    assert done.stdout.startswith("{")
    assert done.stdout.endswith("}\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [("--name ''", "--name: expected"), ("--budget none", "none: expected a budget file in TOML")],
)
def test_what_cannot_be_is_said_before_anything_runs(perf: FakePerf, words: str, says: str) -> None:
    load = perf.load("base")
    done = run_text(["ab", "--base", load, "--new", load, *shlex.split(words)])
    assert done.returncode == 2
    assert says in done.stderr
    assert not (perf.folder / "side").exists()


@pytest.mark.parametrize("option", ["--base", "--new", "--setup-base", "--setup-new"])
def test_a_command_of_nothing_is_not_compared(perf: FakePerf, option: str) -> None:
    """`--new "$CMD"` where CMD is not set."""
    words = {"--base": perf.load("base"), "--new": perf.load("new"), option: " "}
    done = run_text(["ab", *[word for pair in words.items() for word in pair]])
    assert done.returncode == 2
    assert done.stderr == f"perfduck: {option}: expected a command, got nothing\n"
