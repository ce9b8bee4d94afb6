import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import answer, noisy, runs_of

from perfduck_diff.engine import run_diff
from perfduck_diff.engine.budget import parse, read
from perfduck_diff.engine.checks import Bounds
from perfduck_diff.engine.result import Diff
from perfduck_model.errors import PerfduckError
from perfduck_report.diff_words import percent, verdict

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
    with pytest.raises(PerfduckError, match="in ps, ns, us, ms, s or %, got cycles"):
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
        ({"budget": {"total": "-5 %"}}, """like "20 ns" or "5 %" for total, got '-5 %'"""),
        ({"budget": {"total": 5}}, """like "20 ns" or "5 %" for total, got 5"""),
        ({"budget": {"total": 0.05}}, "for total, got 0.05"),
        ({"budget": {"total": True}}, "for total, got True"),
        ({"budget": {"total": ""}}, "for total, got ''"),
        ({"budget": {"total": "5"}}, "for total, got '5'"),
        ({"budget": {"total": "%"}}, "for total, got '%'"),
        ({"budget": {"total": "1_0 ns"}}, "for total, got '1_0 ns'"),
        ({"budget": {"total": "1e999 ns"}}, "for total, got '1e999 ns'"),
        ({"budget": {"total": "1.2.3 ns"}}, "for total, got '1.2.3 ns'"),
        ({"budget": {"total": "\u0665 %"}}, "for total, got '\u0665 %'"),
        ({"budget": {"total": "5 %/packet"}}, "for total, got '5 %/packet'"),
        ({"budget": {"total": []}}, "for total, got []"),
        ({"budget": {"total": {}}}, "for total, got {}"),
        ({"budget": {"total": {"a": "5 ns"}}}, "for total, got {'a': '5 ns'}"),
        ({"budget": []}, "expected [budget] and [checks], got neither"),
        ({"checks": {"spred": 0.1}}, "expected [budget] and [checks], got [checks] alone"),
        ({"budget": {"subsystem": []}}, "[budget.subsystem]: expected a table, got []"),
        ({"budget": {"subsystem": {}}}, "[budget.subsystem]: expected at least one budget, got"),
        ({"budget": {"path": ""}}, "[budget.path]: expected a table, got ''"),
        ({"budget": {"path": {"a": ["5 ns"]}}}, "for a, got ['5 ns']"),
        ({"budget": {"subsystem": {"nat": {"total": "5 ns"}}}}, "for nat, got {'total': '5 ns'}"),
        ({"budget": {"total": "5 %"}, "cheks": {}}, "expected [budget] and [checks], got cheks"),
        ({"budget": {"total": "5 %"}, "checks": []}, "[checks]: expected a table, got []"),
        ({"budget": {"total": "5 %"}, "checks": {}}, "[checks]: expected at least one check, got"),
        ({"budget": {"total": "5 %"}, "checks": {"kernel": []}}, "note, off for kernel, got []"),
        ({"budget": {"total": "5 %"}, "checks": {"kernel": {}}}, "note, off for kernel, got {}"),
        ({"budget": {"total": "5 %"}, "checks": {"kernel": ""}}, "note, off for kernel, got ''"),
        ({"budget": {"total": "5 %"}, "checks": {"kernel": 0.1}}, "note, off for kernel, got 0.1"),
        (
            {"budget": {"total": "5 %"}, "checks": {"spread": True}},
            "from 0 to 1 for spread, got Tr",
        ),
        (
            {"budget": {"total": "5 %"}, "checks": {"spread": -0.1}},
            "from 0 to 1 for spread, got -0",
        ),
        (
            {"budget": {"total": "5 %"}, "checks": {"lost": 5}},
            "a bound from 0 to 1 for lost, got 5",
        ),
        (
            {"budget": {"total": "5 %"}, "checks": {"duration": 0.5}},
            "of 1 or more for duration, got",
        ),
        ({"budget": {"total": "5 %"}, "checks": {"duration": float("inf")}}, "duration, got inf"),
        ({"budget": {"function": "5 ns"}}, "'function'"),
        ({"budget": {"total": "5 %"}, "checks": {"kernel": "maybe"}}, "kernel"),
        (
            {"budget": {"total": "5 %"}, "checks": {"spraed": 0.1}},
            "got spraed: did you mean spread",
        ),
    ],
)
def test_a_wrong_budget_file_is_named_with_what_stood_there(content: Any, what: str) -> None:
    with pytest.raises(PerfduckError, match=re.escape(what)) as raised:
        parse(content, "perfduck.toml")
    assert str(raised.value).startswith("perfduck.toml: ")
    assert "\n" not in str(raised.value)


def test_what_is_wrong_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "perfduck.toml"
    head = '# ours\n[budget]\ntotal = "5 %"\n\n[ budget . path ]\n"br_*" = "0 ns"\n'
    whole = f"{head}[checks]\nlost=0.1\n"
    path.write_text(whole)
    read(path)
    for old, new, where in [
        ('"5 %"', "5", ":3: expected an amount"),
        ('"0 ns"', '"0"', ":6: expected an amount"),
        ("0.1", "[\n  0.1,\n]", ":7: expected block, note, off or a bound"),
        (
            "lost=0.1",
            'lsot.x = "off"',
            ":8: [checks]: expected a check, got lsot: did you mean lost",
        ),
        ('[ budget . path ]\n"br_*" = "0 ns"', "", ""),
        ("lost=0.1", "", ":7: [checks]: expected at least one check, got none"),
        ("[checks]", "[check]", ":7: expected [budget] and [checks], got check"),
        ('"br_*" = "0 ns"', "", ":5: [budget.path]: expected at least one budget, got none"),
        ("[budget]", "[budget]\nfunction = 1", ":3: expected total, subsystem or"),
        ("[checks]", "[checks]\n[checks]", ": expected a budget file in TOML, got: "),
    ]:
        path.write_text(whole.replace(old, new))
        if where:
            with pytest.raises(PerfduckError) as raised:
                read(path)
            assert str(raised.value).startswith(f"{path}{where}")
        else:
            read(path)


@pytest.mark.parametrize(
    ("amount", "limit"),
    [
        ("20 ns", 20),
        ("20ns", 20),
        ("+2e1 ns/packet", 20),
        ("0.02 us", 20),
        ("20000 ps", 20),
        ("10 %", 100),
        ("10%", 100),
    ],
)
def test_amounts_have_a_unit(amount: str, limit: float) -> None:
    [budget] = parse({"budget": {"total": amount}}, "p").budgets
    found = budget.amount_in("ns/packet")
    assert (found * 1000 if budget.relative else found) == pytest.approx(limit)


def test_an_amount_is_in_the_unit_of_the_answer() -> None:
    def of(amount: str, unit: str) -> float:
        return parse({"budget": {"total": amount}}, "p").budgets[0].amount_in(unit)

    assert of("20 ms", "ms/cpu-s") == pytest.approx(20)
    assert of("20 us", "ms/cpu-s") == pytest.approx(0.02)
    assert of("9 \u00b5s", "ns/packet") == of("9 \u03bcs", "ns/packet") == pytest.approx(9000)
    assert of("1.5 Mcycles", "cycles/request") == pytest.approx(1.5e6)
    for amount, unit, said in [
        (
            "20 ns/request",
            "ns/packet",
            "in ps/packet, ns/packet, us/packet, ms/packet, s/packet or %, got ns/request",
        ),
        ("20 kilometers", "ns/packet", "in ps, ns, us, ms, s or %, got kilometers"),
        ("20 xcycles", "cycles/packet", "in cycles, kcycles, Mcycles, Gcycles or %, got xcycles"),
        ("20 ns", "cycles/packet", "Gcycles or %, got ns"),
        ("20 ns", "%", "an amount in %, got ns"),
    ]:
        with pytest.raises(PerfduckError, match=re.escape(said)):
            of(amount, unit)


def test_a_budget_file_of_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "budget.toml"
    path.write_bytes(b'\xef\xbb\xbf[budget]\r\ntotal = "9 ns"\r\n')
    [budget] = read(path).budgets
    assert (budget.amount, budget.where) == (9, f"{path}:2")


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


STEADY = [100000, 100500, 99700, 100200, 99900]


def _grown(part: float, tolerance: float) -> Diff:
    grown = [(1 + part) * hits for hits in STEADY]
    return answer(runs_of({"a": [*STEADY, *grown]}), 5, tolerance=tolerance)


@pytest.mark.parametrize(
    ("part", "tolerance", "verdict"),
    [
        (0.52, 0.05, "regression"),
        (0.52, 0.45, "regression"),
        (0.52, 0.52, "regression"),  # growth is shown, and more than 52 % not excluded
        (0.52, 0.80, "pass"),
        (0.0, 0.005, "inconclusive"),
        (0.0, 0.80, "pass"),
        (-0.3, 0.05, "pass"),
    ],
)
def test_growth_that_is_all_below_the_tolerance_is_no_regression(
    part: float, tolerance: float, verdict: str
) -> None:
    assert _grown(part, tolerance).verdict == verdict


def test_a_pass_says_what_growth_is_tolerated() -> None:
    said = verdict(_grown(0.52, 0.8))
    assert said.startswith(
        "pass: no growth above 80 %; growth below that is tolerated: 1 path grew"
    )
    assert verdict(_grown(-0.3, 0.8)) == "pass: no growth above 80 %"


@pytest.mark.parametrize(("tolerance", "verdict"), [(0.05, "regression"), (0.2, "pass")])
def test_a_path_that_grew_beyond_the_tolerance_gates_though_the_total_did_not(
    tolerance: float, verdict: str
) -> None:
    means = {f"do_syscall_64;s{at}/f{at}": (20000, 20000) for at in range(12)}
    means["do_syscall_64;conntrack/nf_conntrack_in"] = (20000, 40000)
    found = answer(noisy(means, 5), 5, tolerance=tolerance)
    [claim] = found.claims
    assert claim.high is not None
    assert 0.05 < claim.high / found.total.base < 0.2
    # Other paths shrank by as much.
    level = replace(found.total, delta=0.0, low=-1.0, high=1.0, p=0.5)
    known = replace(found.sensitivity, excluded=0.01)
    assert run_diff._verdict(replace(found, total=level, sensitivity=known)) == verdict


def test_a_recording_that_is_stored_twice_is_no_second_run() -> None:
    alone = {f"f{at}": [50 + at, 60 + at, 55 + 2 * at, 70 + at] for at in range(30)}
    assert "duplicate" not in {reason.code for reason in answer(runs_of(alone), 2).reasons}
    twice = {name: [hits[0], hits[0], *hits[2:]] for name, hits in alone.items()}
    found = answer(runs_of(twice), 2)
    [doubt] = [reason for reason in found.reasons if reason.code == "duplicate"]
    assert doubt.blocks
    assert doubt.text == "run.0 and run.1 of base are one recording: count one of them"
    few = {name: [hits[0], hits[0], *hits[2:]] for name, hits in list(alone.items())[:10]}
    assert "duplicate" not in {reason.code for reason in answer(runs_of(few), 2).reasons}


def test_work_that_is_far_apart_is_noted() -> None:
    hits = {"a": [500, 510, 520, 505]}
    found = answer(runs_of(hits, work=[1e4, 1e4, 1.0, 1e4]), 2)
    [note] = [reason for reason in found.reasons if reason.code == "work"]
    assert not note.blocks
    assert (
        note.text == "work of new is over 1,000 times apart: run.2 1 packet, run.3 10,000 packets"
    )
    assert "growth above 9,653 x base is excluded" in verdict(found)
    unbounded = replace(found.sensitivity, excluded=2e6)
    said = verdict(replace(found, sensitivity=unbounded))
    assert "cannot tell: no growth is excluded, however large" in said
    assert percent(answer(runs_of(hits, work=[1e6, 1e6, 1.0, 1.0]), 2).total) == "x 1,014,851"
    calm = answer(runs_of(hits, work=[20.0, 1e4, 1e4, 1e4]), 2)
    assert "work" not in {reason.code for reason in calm.reasons}
    off = parse({"budget": {"total": "5 %"}, "checks": {"work": 2e4}}, "p")
    assert off.bounds == {"work": 2e4}


@pytest.mark.parametrize(
    ("base", "new", "is_said"),
    [(0.0, 0.4, True), (0.4, 0.0, True), (0.4, 0.3, False), (0.0, 0.0, False), (None, 0.4, False)],
)
def test_inlined_functions_of_one_side_alone_are_said(
    base: float | None, new: float | None, is_said: bool
) -> None:
    runs = runs_of({"a": [500] * 4})
    shares = (base, base, new, new)
    inlined = tuple(
        replace(run, inlined=share) for run, share in zip(runs.runs, shares, strict=True)
    )
    found = {r.code: r for r in answer(replace(runs, runs=inlined), 2).reasons}
    assert ("inlined" in found) == is_said
    assert not is_said or not found["inlined"].blocks
