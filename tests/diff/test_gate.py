import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from made_runs import answer, noisy, runs_of

from perfduck_diff.engine.budget import parse
from perfduck_diff.engine.checks import Bounds
from perfduck_model.errors import PerfduckError

ROOT = Path(__file__).parents[2]

COST = {
    "handle_softirqs;ip/ip_rcv": (3000, 3000),
    "handle_softirqs;ip/ip_rcv;nat/nf_nat_in": (2000, 2600),
    "handle_softirqs;bridge/br_handle_frame": (1000, 1000),
}


def _verdicts(**budget: Any) -> dict[str, str]:
    found = answer(noisy(COST, 5), 5, budgets=parse({"budget": budget}, "perfduck.toml"))
    return {row.name: row.verdict for row in found.budgets} | {"": found.verdict}


def test_a_growth_beyond_its_budget_is_a_regression() -> None:
    found = _verdicts(subsystem={"nat": "20 ns", "bridge": "20 ns"})
    assert found == {"subsystem nat": "regression", "subsystem bridge": "pass", "": "regression"}


def test_a_growth_within_its_budget_passes() -> None:
    assert _verdicts(subsystem={"nat": "50 %"})[""] == "pass"
    assert _verdicts(total="100 ns")[""] == "pass"


def test_a_budget_within_the_noise_is_inconclusive() -> None:
    assert _verdicts(subsystem={"bridge": "0.5 ns"})[""] == "inconclusive"
    assert _verdicts(subsystem={"nat": "29 %"})[""] == "inconclusive"


def test_a_budget_that_nothing_matches_says_so() -> None:
    assert _verdicts(subsystem={"natt": "5 ns"}) == {
        "subsystem natt (no sample)": "pass",
        "": "pass",
    }


def test_what_neither_side_has_keeps_a_budget_of_nothing_and_says_what_is_excluded() -> None:
    found = answer(noisy(COST, 5), 5, budgets=parse({"budget": {"path": {"nope": "0 ns"}}}, "p"))
    [row] = found.budgets
    assert (row.verdict, row.high) == ("pass", pytest.approx(0.06, abs=0.005))
    assert row.text == "no sample on either side; growth above 0.06 ns is excluded"


def test_per_cent_of_nothing_is_refused_where_there_is_something() -> None:
    new = {**COST, "handle_softirqs;veth/veth_xmit": (0, 500)}
    budgets = parse({"budget": {"subsystem": {"veth": "10 %"}}}, "perfduck.toml")
    with pytest.raises(PerfduckError, match='amount like "20 ns", got 10 % of base, which has no'):
        answer(noisy(new, 3), 3, budgets=budgets)


def test_a_budget_is_in_the_unit_of_the_diff() -> None:
    assert _verdicts(subsystem={"bridge": "0.02 us"})[""] == "pass"
    with pytest.raises(PerfduckError, match="in ns or %, got cycles"):
        _verdicts(total="20 cycles")


def test_a_budget_may_name_a_path() -> None:
    assert _verdicts(path={"br_*": "20 ns"})["path br_*"] == "pass"
    assert _verdicts(path={"*;ip_rcv;nf_nat*": "20 ns"})["path *;ip_rcv;nf_nat*"] == "regression"


def test_the_budget_file_of_the_readme_is_one() -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    found = parse(tomllib.loads(text), "README.md")
    assert [budget.kind for budget in found.budgets] == ["total", *["subsystem"] * 6, "path"]
    assert (found.doubts, found.bounds) == ({"kernel": "note"}, {"spread": 0.1})


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({}, "neither"),
        ({"budget": {}}, "at least one"),
        ({"budget": {"total": "much"}}, "'much'"),
        ({"budget": {"total": "nan ns"}}, "'nan ns'"),
        ({"budget": {"total": "inf %"}}, "'inf %'"),
        ({"budget": {"total": "5 %"}, "checks": {"spread": float("nan")}}, "spread, got nan"),
        ({"budget": {"function": "5 ns"}}, "'function'"),
        ({"budget": {"total": "5 %"}, "checks": {"kernel": "maybe"}}, "kernel"),
        (
            {"budget": {"total": "5 %"}, "checks": {"spraed": 0.1}},
            "got spraed: did you mean spread",
        ),
    ],
)
def test_a_wrong_budget_file_is_named_with_what_stood_there(content: Any, what: str) -> None:
    with pytest.raises(PerfduckError, match=what):
        parse(content, "perfduck.toml")


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("kernel", {"kernel_release": "6.19"}),
        ("lost", {"lost": 0.05}),
        ("event", {"has_period": False, "frequency": 99.0}),
    ],
)
def test_a_doubt_blocks_the_verdict_unless_told_otherwise(code: str, facts: dict[str, Any]) -> None:
    hits = {"a": [500, 510, 520, 505]}
    each = [{}, {}, facts, facts]
    if code == "event":
        each = [{"has_period": False, "frequency": 999.0}] * 2 + each[2:]
    blocked = answer(runs_of(hits, each=each), 2)
    assert blocked.verdict == "inconclusive"
    assert [r.code for r in blocked.reasons] == [code] * len(blocked.reasons)
    noted = answer(runs_of(hits, each=each), 2, bounds=Bounds(weight={code: "note"}), tolerance=0.5)
    assert (noted.verdict, noted.reasons[0].blocks) == ("pass", False)


def test_runs_that_differ_wildly_are_noted_and_widen_the_interval() -> None:
    found = answer(runs_of({"a": [500, 900, 700, 710]}), 2)
    assert [(r.code, r.blocks) for r in found.reasons] == [("spread", False)]
    alike = answer(runs_of({"a": [690, 710, 700, 710]}), 2)
    assert found.total.high - found.total.low > 1.5 * (alike.total.high - alike.total.low)
    assert found.verdict == "inconclusive"


def test_functions_without_a_name_leave_no_verdict() -> None:
    found = answer(runs_of({"a": [500] * 4, "[unknown] in libfoo.so": [400] * 4}), 2)
    assert {r.code for r in found.reasons} == {"unknown"}


def test_another_load_is_noted_but_gates_nothing() -> None:
    hits = {"a": [7e6, 7e6, 2e6, 2e6]}
    found = answer(runs_of(hits, work=[1e9, 1e9, 0.3e9, 0.3e9]), 2)
    assert [(r.code, r.blocks) for r in found.reasons] == [("load", False)]
