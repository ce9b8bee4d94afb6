"""The pictures of the README, made again from the demo: `make pictures`.

docs/terminal.svg   `perfduck diff` on a terminal of 100 columns, drawn by rich
docs/report.png     the html report of the same, as Chromium shows it
docs/recordings.png the first page of a server of the demo
docs/recording.png  a recording there: when its samples were taken, and its flame graph
"""

import io
import json
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
SIZE, LIST_SIZE, RECORDING_SIZE = "1200,1000", "1200,640", "1200,1240"
ADDRESS = "127.0.0.1:8487"
RECORDING = "docker0-nat.crr.1"


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
    drawn(page.as_uri(), "report.png", SIZE)


def drawn(address: str, name: str, size: str) -> None:
    """What Chromium shows of a page."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit(f"docs/{name}: expected Chromium to draw it, got none (apt-get install chromium)")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    subprocess.run(
        [browser, *flags, f"--window-size={size}", "--virtual-time-budget=2000",
         f"--screenshot={HERE / name}", address],
        check=True, capture_output=True,
    )  # fmt: skip


def pages(store: Path) -> None:
    """Two pages of a server."""
    [row] = json.loads(perfduck("profiles", RECORDING, "--format", "json", store=store))
    command = [PERFDUCK, "serve", "--store", store, "--listen", ADDRESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        server.stdout.readline()  # it answers
        drawn(f"http://{ADDRESS}/", "recordings.png", LIST_SIZE)
        address = f"http://{ADDRESS}/profiles/{row['id']}"
        drawn(address, "recording.png", RECORDING_SIZE)
        server.terminate()


def main() -> None:
    """All pictures."""
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "demo.duckdb"
        perfduck("demo", store=store)
        terminal(store)
        report(store, Path(name))
        pages(store)


if __name__ == "__main__":
    main()
