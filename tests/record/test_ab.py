"""perfduck ab: pairs in turns, what is said meanwhile, and when --until-sure ends."""

import re
from collections.abc import Sequence

import pytest
from command import run_text
from fake_perf import FakePerf

import perfduck
from perfduck import AbStep, ab
from perfduck_diff.engine.sequential import Plan


def sides(steps: Sequence[AbStep]) -> list[str]:
    return [step.side for step in steps if step.side]


@pytest.mark.slow
def test_growth_is_reported_from_pairs_that_are_recorded_in_turns(perf: FakePerf) -> None:
    words = ["--base", perf.load("base"), "--new", perf.load("new"), "--name", "x", "--runs", "4"]
    done = run_text(["ab", *words])
    assert done.returncode == 1, done.stdout + done.stderr
    assert "deep" in done.stdout
    assert "x base (4 runs) -> x new (4 runs)" in done.stdout
    assert re.search(r"^perfduck: pair 2 of 4: total [\d,]+ \+", done.stderr, re.M)
    assert "perfduck: 4 pairs are stored as ab=x\n" in done.stderr
    with perfduck.open("perfduck.duckdb") as store:
        assert {f"x.{side}.{run}" for side in ("base", "new") for run in range(1, 5)} == {
            *store.names()
        }
        again = store.diff("ab=x,side=base", "ab=x,side=new", paired=True)
    assert again.verdict == "regression"


@pytest.mark.slow
def test_each_pair_has_both_sides_in_an_order_of_chance(perf: FakePerf) -> None:
    steps: list[AbStep] = []
    load = perf.load("base")
    perfduck.open("s.duckdb").ab(load, load, runs=10, on_step=steps.append)
    pairs = [tuple(sides(steps)[at : at + 2]) for at in range(0, 20, 2)]
    assert {*pairs} == {("base", "new"), ("new", "base")}  # fails once in 512


def test_a_setup_runs_before_each_run_of_its_side_and_is_not_recorded(perf: FakePerf) -> None:
    load = perf.load("base")
    words = ["--base", load, "--new", load, "--runs", "2"]
    run_text(["ab", *words, "--setup-base", "echo b >> log", "--setup-new", "echo n >> log"])
    assert sorted((perf.folder.parent / "log").read_text().split()) == ["b", "b", "n", "n"]
    assert all("log" not in call for call in perf.calls)


def test_until_sure_ends_when_growth_is_shown_and_says_by_which_test(perf: FakePerf) -> None:
    done = run_text(["ab", "--base", perf.load("base"), "--new", perf.load("new"), "--until-sure"])
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    match = re.search(r"(\d+) of at most 20 pairs; looked at after each from 3 on, 5% for", text)
    assert match
    assert int(match[1]) < 20
    assert "alpha spending, Lan and DeMets 1983" in text


def test_the_looks_of_until_sure_share_one_level(
    perf: FakePerf, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = []
    look = ab._look

    def inconclusive(place, plan, pairs, level):  # type: ignore[no-untyped-def]
        levels.append(level)
        answer = look(place, plan, pairs, level)
        object.__setattr__(answer.data, "verdict", "inconclusive")
        return answer

    monkeypatch.setattr(ab, "_look", inconclusive)
    load = perf.load("base")
    result = perfduck.open("s.duckdb").ab(load, load, runs=3, until_sure=True, most=6)
    assert result.pairs == 6
    assert sum(levels) == pytest.approx(0.05)
    assert levels[0] == Plan(6, 0.05).level_at(3)


def test_of_a_pair_whose_second_run_fails_nothing_is_stored(perf: FakePerf) -> None:
    done = run_text(["ab", "--base", perf.load("base"), "--new", "echo sorry >&2; exit 7"])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "expected exit status 0, got 7 (sorry): not stored (--ignore-failure stores it)"
    )
    assert run_text(["profiles"]).returncode == 2


def test_one_pair_is_inconclusive(perf: FakePerf) -> None:
    done = run_text(["ab", "--base", perf.load("base"), "--new", perf.load("new"), "--runs", "1"])
    assert done.returncode == 3
    assert "1 pair is stored" in done.stderr


def test_a_format_is_alone_on_standard_output(perf: FakePerf) -> None:
    load = perf.load("base")
    done = run_text(["ab", "--base", load, "--new", load, "--runs", "2", "--format", "json"])
    assert done.stdout.startswith("{")
    assert done.stdout.endswith("}\n")


def test_until_sure_has_no_verdict_on_runs_that_differ_too_much(perf: FakePerf) -> None:
    """On a machine where totals differed by 37 % eight of 34 answers were false without it."""
    turn = "n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n"
    load = f"{turn}; echo $((1000 + n / 2 % 2 * 3000)) requests in 1s"
    words = ["--base", load, "--new", f"{load}; echo new > bin/side", "--until-sure", "--most", "4"]
    done = run_text(["ab", *words])
    assert done.returncode == 3, done.stderr
    assert "blocks: the runs of base differ by" in done.stdout
    assert "4 of at most 4 pairs" in " ".join(done.stdout.split())


@pytest.mark.parametrize("option", ["--base", "--new", "--setup-base", "--setup-new"])
def test_a_command_of_nothing_is_not_compared(perf: FakePerf, option: str) -> None:
    """`--new "$CMD"` where CMD is not set."""
    words = {"--base": perf.load("base"), "--new": perf.load("new"), option: " "}
    done = run_text(["ab", *[word for pair in words.items() for word in pair]])
    assert done.returncode == 2
    assert done.stderr == f"perfduck: {option}: expected a command, got nothing\n"
