import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from made_runs import answer, noisy, runs_of

from perfduck_diff.engine.flame import Flame, flame, hottest
from perfduck_diff.engine.rates import subsystem_runs
from perfduck_diff.engine.result import Diff, Reason
from perfduck_diff.engine.run_matrix import RunMatrix
from perfduck_report.html import render, render_side
from perfduck_report.html_view import claim_bars, sentence, sides

EVIL = "</script><b>evil</b>\"'<!--"
HITS = {
    "do_syscall_64;net/send;net/copy": (4000, 4000),
    "handle_softirqs;net/poll;bridge/forward": (0, 900),
    "handle_softirqs;net/poll;nat/evil": (300, 700),  # gets its name in named_evil
    "handle_softirqs;net/poll;net/drop": (600, 200),
}
VOID = {"meta", "link", "input", "br", "hr", "img"}


def asked(runs: RunMatrix | None = None) -> tuple[Diff, Flame]:
    runs = runs or named_evil(noisy(HITS, 3))
    return answer(runs, 3), flame(runs, np.arange(3), np.arange(3, 6))


def named_evil(runs: RunMatrix) -> RunMatrix:
    """Markup wherever a recording or its user may put a name."""
    evil = {"name": EVIL, "subsystem": EVIL, "dso": f"/lib/{EVIL}"}
    frames = tuple(replace(f, **evil) if f.name == "evil" else f for f in runs.frames)
    names = tuple(EVIL if "nat" in name else name for name in runs.subsystems)
    labels = [{"scenario": EVIL if n < 3 else "new<i>", "workload": "<u>udp"} for n in range(6)]
    facts = [replace(run, name=f"{EVIL}{n}", labels=labels[n]) for n, run in enumerate(runs.runs)]
    return replace(runs, frames=frames, subsystems=names, runs=tuple(facts))


class Page(HTMLParser):
    """Elements by name; every one must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def data_of(page: str) -> dict[str, list[Any]]:
    found = re.search(r'<script type="application/json" id="flame-data">(.*?)</script>', page)
    assert found is not None
    values: dict[str, list[Any]] = json.loads(found[1])
    return values


def test_a_name_that_is_markup_does_no_harm() -> None:
    diff, drawn = asked()
    diff = replace(diff, reasons=(Reason(code="load", text=f"odd {EVIL}", blocks=False),))
    page = render(diff, drawn)
    assert "<b>evil" not in page
    assert "<!--" not in page
    frames = data_of(page)["frames"]
    assert [EVIL, f"/lib/{EVIL}"] in [frame[:2] for frame in frames]
    assert not {tag for tag, _ in Page(page).elements} & {"u", "img"}


def test_no_script_but_ours_may_run_and_nothing_is_loaded() -> None:
    page = render(*asked())
    parsed = Page(page)
    policy = next(m["content"] for m in parsed.named("meta") if "http-equiv" in m) or ""
    assert policy.startswith("default-src 'none'")
    runnable = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in runnable}
    assert set(re.findall(r"'sha256-(.*?)'", policy)) == hashes
    loading = [a for _, a in parsed.elements if {"src", "srcset", "action", "data"} & set(a)]
    assert loading == []
    assert all((a.get("href") or "#").startswith("#") for _, a in parsed.elements)
    assert "url(" not in page.partition("</style>")[0]


def test_the_same_diff_is_the_same_page() -> None:
    assert render(*asked()) == render(*asked())


def test_the_flame_graphs_weights_add_up_to_the_total() -> None:
    diff, drawn = asked()
    data = data_of(render(diff, drawn))
    assert sum(data["base"]) == pytest.approx(diff.total.base, rel=1e-4)
    assert sum(data["new"]) == pytest.approx(diff.total.new, rel=1e-4)


def test_the_steps_lead_from_base_to_new() -> None:
    diff, drawn = asked()
    steps = claim_bars(diff, drawn).steps
    assert steps[0].start == diff.total.base
    assert all(a.stop == b.start for a, b in pairwise(steps))
    assert steps[-1].start + diff.unattributed.delta == pytest.approx(diff.total.new)
    assert all(step.node is not None for step in steps[:-1])


def test_sides_are_called_by_the_labels_in_which_they_differ() -> None:
    diff, _ = asked(noisy(HITS, 3))
    base = replace(diff.base, labels={"scenario": "native", "workload": "udp"})
    new = replace(diff.new, labels={"scenario": "docker0", "workload": "udp"})
    assert sides(replace(diff, base=base, new=new)) == ("native", "docker0")
    assert sides(diff) == ("run.*", "run.*")


@pytest.mark.parametrize(
    ("unit", "start"),
    [
        ("ns/packet", "A packet costs "),
        ("cycles/operation", "An operation costs "),
        ("ms/cpu-s", "A CPU-second holds "),
        ("%", "Only shares are known"),
    ],
)
def test_the_total_is_told_in_words(unit: str, start: str) -> None:
    diff, _ = asked()
    assert sentence(replace(diff, unit=unit)).startswith(start)


def test_a_difference_within_the_noise_is_called_that() -> None:
    diff, _ = asked(noisy({"net/send": (1000, 1000)}, 3))
    assert "within what runs differ by" in sentence(diff)


def test_one_run_against_one_has_a_page() -> None:
    runs = runs_of({"net/send": [100, 130], "nat/translate": [0, 50]})
    diff = answer(runs, 1)
    page = render(diff, flame(runs, np.array([0]), np.array([1])))
    assert diff.verdict == "inconclusive"
    Page(page)


def test_one_side_has_a_page_without_a_comparison() -> None:
    runs = named_evil(noisy(HITS, 3))
    columns = np.arange(6)
    page = render_side(EVIL, ["a", "b"], flame(runs, columns[:0], columns), hottest(runs, columns))
    assert EVIL not in page
    assert "Side by side" not in page
    Page(page)


@pytest.mark.slow
def test_a_large_store_makes_a_page_of_less_than_3_mb_that_says_what_is_folded() -> None:
    random = np.random.default_rng(7)
    names = [f"net{n % 40}/a_function_with_a_rather_long_name_{n}" for n in range(4000)]
    stacks = {
        ";".join(names[n] for n in random.integers(0, 4000, random.integers(5, 30))): [k, k + 1]
        for k in range(1, 12_000)
    }
    runs = runs_of(stacks)
    diff, drawn = answer(runs, 1), flame(runs, np.array([0]), np.array([1]))
    page = render(diff, drawn)
    assert len(page.encode()) < 3e6
    assert drawn.folded[1] > 0.001
    assert "are folded into their callers" in page


@pytest.mark.slow
def test_jinja_is_loaded_only_when_a_page_is_made() -> None:
    code = "import sys, perfduck_report.html; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_marks_of_runs_are_around_the_means_of_their_sides() -> None:
    runs = noisy({"do_syscall_64;udp/udp_sendmsg": (4000, 4400), "x;nat/nf_nat": (0, 90)}, 3)
    diff = answer(runs, 3)
    of_runs = {each.subsystem: each for each in subsystem_runs(runs, np.arange(3), np.arange(3, 6))}
    for row in diff.subsystems:
        found = of_runs[row.subsystem]
        assert np.mean(found.base) == pytest.approx(row.base)
        assert np.mean(found.new) == pytest.approx(row.new)
    drawn = flame(runs, np.arange(3), np.arange(3, 6))
    page = render(diff, drawn, None, tuple(of_runs.values()))
    assert page.count('class="run base"') == page.count('class="run new"') == 3 * len(of_runs)
    assert 'class="run' not in render(diff, drawn)
