"""`perfduck export --format html` on a real recording."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from perfduck_cli.main import main; main()"]
RECORDING = Path(__file__).parents[2] / "fixtures" / "demo" / "native.udp64.1.txt.xz"


def perfduck(*arguments: str | Path, store: Path) -> str:
    command = [*PROGRAM, *map(str, arguments), "--store", str(store)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@pytest.fixture
def recorded(store_path: Path) -> Path:
    perfduck("ingest", RECORDING, "--name", "run", "--work", "1000", store=store_path)
    return store_path


def test_the_page_has_the_weight_that_top_has(recorded: Path) -> None:
    page = perfduck("export", "run", "--format", "html", store=recorded)
    found = re.search(r'id="flame-data">(.*?)</script>', page)
    assert found is not None
    rows = json.loads(
        perfduck("top", "run", "--limit", "100000", "--format", "json", store=recorded)
    )
    drawn = json.loads(found[1])
    assert drawn["unit"] == "ms/unit"  # top's JSON is in ns/unit
    assert sum(drawn["new"]) == pytest.approx(sum(r["self"] for r in rows) / 1e6, rel=1e-4)


def test_the_page_knows_no_path_and_no_clock(recorded: Path) -> None:
    page = perfduck("export", "run", "--format", "html", store=recorded)
    assert str(recorded.parent) not in page
    assert page == perfduck("export", "run", "--format", "html", store=recorded)
