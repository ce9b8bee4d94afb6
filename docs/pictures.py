"""The pictures of the README, made again from the demo: `make pictures`.

docs/terminal.svg   `perfduck diff` on a terminal of 100 columns, drawn by rich
docs/report.png     the html report of the same, as Chromium shows it
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
PERFDUCK = Path(sys.executable).parent / "perfduck"
DIFF = ("diff", "scenario=native", "scenario=docker0-nat", "--where", "workload=udp64")
LINES = 27
SIZE = "1200,1000"


def perfduck(*words: str, store: Path) -> str:
    """What a command prints, in colour."""
    command = [PERFDUCK, *words, "--store", store]
    environment = os.environ | {"FORCE_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment).stdout


def terminal(store: Path) -> None:
    """The head of the answer as an SVG."""
    shown = [f"$ perfduck {' '.join(DIFF)}", *perfduck(*DIFF, store=store).splitlines()[:LINES]]
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join(shown)))
    svg = console.export_svg(title="perfduck", unique_id="perfduck")
    # rich's own has a font of a CDN; a picture asks no network for anything
    svg = re.sub(r"\s*@font-face \{.*?\}|\s*<!--.*?-->", "", svg, flags=re.DOTALL)
    (HERE / "terminal.svg").write_text(svg.replace("Fira Code, monospace", "monospace"))


def report(store: Path, folder: Path) -> None:
    """The top of the page as a PNG."""
    page = folder / "report.html"
    page.write_text(perfduck(*DIFF, "--format", "html", store=store))
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit(
            "docs/report.png: expected Chromium to draw it, got none (apt-get install chromium)"
        )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    subprocess.run(
        [browser, *flags, f"--window-size={SIZE}", "--virtual-time-budget=2000",
         f"--screenshot={HERE / 'report.png'}", page.as_uri()],
        check=True, capture_output=True,
    )  # fmt: skip


def main() -> None:
    """Both pictures."""
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "demo.duckdb"
        perfduck("demo", store=store)
        terminal(store)
        report(store, Path(name))


if __name__ == "__main__":
    main()
