"""The speedscope export in speedscope itself, where npm has installed it: its own importer, and the
table of its sandwich view, which has self and total of every function."""

import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from test_exports import exported, totals

PACKETS = 2168120
PROGRAM = shutil.which("speedscope")
NS = {"ns": 1.0, "µs": 1e3, "ms": 1e6, "s": 1e9}
_ROW = re.compile(r"([\d.]+)(ns|µs|ms|s) \([^)]*\)\s+([\d.]+)(ns|µs|ms|s) \([^)]*\)\s+(.+)", re.S)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(PROGRAM is None, reason="no speedscope (npm)"),
]


@pytest.fixture
def rows(chromium: Any, demo_store: Path, tmp_path: Path) -> list[str]:
    """The rows of the table, as shown of `native.udp64.1` of the demo without its idle task."""
    path = tmp_path / "run.speedscope.json"
    path.write_bytes(exported(demo_store, "native.udp64.1", "speedscope", not_comm="swapper"))
    index = Path(PROGRAM or "").resolve().parents[1] / "dist" / "release" / "index.html"
    # The table has elements of the rows that are in sight alone.
    context = chromium.new_context(viewport={"width": 1200, "height": 20_000})
    page = context.new_page()
    page.goto(index.as_uri())
    page.wait_for_selector("input[type=file]", state="attached")
    page.set_input_files("input[type=file]", path)
    page.wait_for_selector("text=Sandwich")
    page.get_by_text("Sandwich").click()
    # Its first rows are there before it knows how high it is.
    page.wait_for_function("document.querySelectorAll('table tr').length > 100")
    shown = page.eval_on_selector_all("table tr", "rows => rows.map(row => row.innerText)")
    context.close()
    return [str(row) for row in shown]


def test_speedscope_shows_self_and_total_of_top(rows: list[str], demo_store: Path) -> None:
    shown: dict[str, tuple[float, float]] = {
        match[5]: (float(match[3]) * NS[match[4]], float(match[1]) * NS[match[2]])
        for match in filter(None, map(_ROW.fullmatch, rows))
    }
    own, total = Counter[str](), Counter[str]()
    for (name, _), weights in totals(demo_store, "native.udp64.1", not_comm="swapper").items():
        own[name] += weights[0] * PACKETS  # type: ignore[assignment]
        total[name] += weights[1] * PACKETS  # type: ignore[assignment]
    assert len(own) > 100
    named = {name for name, (weight, _) in shown.items() if weight and name[0] != "["}
    assert named == {name for name, weight in own.items() if weight}
    for name, weight in own.items():  # shown to 0.01 of the unit
        assert shown[name] == pytest.approx((weight, total[name]), rel=0.01), name
