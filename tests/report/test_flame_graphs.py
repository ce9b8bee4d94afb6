"""Folded stacks in the tools that draw them: totals per function are those of `top`."""

import html
import re
import shutil
import subprocess
from bisect import bisect
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from test_exports import exported, totals

PACKETS = 2168120
NEW, BASE = "docker0-nat.udp64.1", "native.udp64.1"
_HEIGHT = 16  # of a frame; a caller is below
_FRAME = re.compile(
    r'<title>([^<]*) \(([\d,]+) samples[^<]*</title><rect x="([\d.]+)%?" y="(\d+)"'
    r' width="([\d.]+)'
)
Frame = tuple[float, float, str, int]  # where it begins and ends, its name and weight


def drawn(tool: str, folded: bytes, tmp_path: Path) -> dict[str, tuple[int, int]]:
    """Self and total of each function of a graph, recursion counted once: of what a frame says, and
    of the frames above it."""
    path = tmp_path / "in.folded"
    path.write_bytes(folded)
    words = [str(shutil.which(tool)), "--width", "1000000", "--minwidth", "0", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    levels: dict[int, list[Frame]] = defaultdict(list)
    for name, weight, x, y, width in _FRAME.findall(done.stdout):
        begin, samples = float(x), int(weight.replace(",", ""))
        if samples:  # a graph of two sides has those of the base alone
            levels[int(y)].append((begin, begin + float(width), html.unescape(name), samples))
    own, total = Counter[str](), Counter[str]()
    names: dict[tuple[int, int], frozenset[str]] = {}
    for y in sorted(levels, reverse=True):
        below = sorted(levels.get(y + _HEIGHT, []))
        for place, (begin, end, name, samples) in enumerate(sorted(levels[y])):
            callers: frozenset[str] = frozenset()
            if below:
                caller = bisect(below, ((begin + end) / 2,)) - 1
                callers = names[y + _HEIGHT, caller]
                own[below[caller][2]] -= samples
            own[name] += samples
            total[name] += samples if name not in callers else 0
            names[y, place] = callers | {name}
    return {name: (own[name], total[name]) for name in total}


def is_there(tool: str) -> object:
    return pytest.mark.skipif(shutil.which(tool) is None, reason=f"no {tool}")


DRAWING = [
    pytest.param(each, marks=is_there(each)) for each in ("flamegraph.pl", "inferno-flamegraph")
]
DIFFERENCE = [
    pytest.param(each, marks=is_there(each)) for each in ("difffolded.pl", "inferno-diff-folded")
]


@pytest.mark.parametrize("tool", DRAWING)
def test_functions_of_a_graph_have_the_totals_of_top(
    tool: str, demo_store: Path, tmp_path: Path
) -> None:
    folded = exported(demo_store, BASE, "folded", not_comm="swapper")
    found = drawn(tool, folded, tmp_path)
    own, total = Counter[str](), Counter[str]()
    for (name, _), (self_weight, weight) in totals(demo_store, BASE, not_comm="swapper").items():
        own[name] += self_weight  # type: ignore[assignment]
        total[name] += weight  # type: ignore[assignment]
    assert len(own) > 100
    for name, weight in own.items():
        assert found[name][0] / PACKETS == pytest.approx(weight, rel=2e-3, abs=1e-3)
        assert found[name][1] / PACKETS == pytest.approx(total[name], rel=2e-3, abs=1e-3)
    named = {name for name, (weight, _) in found.items() if weight and name[0] != "["}
    assert named == {name for name, weight in own.items() if weight}


@pytest.mark.parametrize("tool", DIFFERENCE)
def test_two_sides_are_what_the_tool_makes_of_two_files(
    tool: str, demo_store: Path, tmp_path: Path
) -> None:
    for name, selector in (("base", BASE), ("new", NEW)):
        content = exported(demo_store, selector, "folded", per_work=True)
        (tmp_path / name).write_bytes(content)
    words = [str(shutil.which(tool)), str(tmp_path / "base"), str(tmp_path / "new")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    theirs = dict(map(_two_weights, done.stdout.splitlines()))
    both = exported(demo_store, NEW, "folded", base=BASE).decode()
    ours = dict(map(_two_weights, both.splitlines()))
    assert len(ours) > 100
    # Whole numbers of parts of a sum differ by 1 where lines are not the same.
    seen = {stack: weights for stack, weights in ours.items() if weights not in ((0, 0), (1, 0))}
    assert {stack: theirs[stack] for stack in seen} == {
        stack: pytest.approx(weights, abs=1) for stack, weights in seen.items()
    }
    assert set(theirs) <= set(ours)


def _two_weights(line: str) -> tuple[str, tuple[int, int]]:
    """A stack and its two weights."""
    stack, base, new = line.rsplit(" ", 2)
    return stack, (int(base), int(new))


@pytest.mark.parametrize("tool", DRAWING)
def test_a_graph_of_two_sides_has_the_weights_of_the_new_one(
    tool: str, demo_store: Path, tmp_path: Path
) -> None:
    both = exported(demo_store, NEW, "folded", base=BASE)
    alone = exported(demo_store, NEW, "folded", per_work=True)
    graph = drawn(tool, both, tmp_path)
    expected = drawn(tool, alone, tmp_path)
    for name, weights in expected.items():
        assert graph[name] == pytest.approx(weights, abs=50)
