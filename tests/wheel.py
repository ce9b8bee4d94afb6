"""Builds the wheel, installs it into an empty environment and runs it from /."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
RECORDING = ROOT / "fixtures" / "demo" / "native.udp64.1.txt.xz"


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    return subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE).stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", place, ROOT)
        venv.create(place / "venv", with_pip=True)
        python, perfduck = place / "venv/bin/python", place / "venv/bin/perfduck"
        wheel = next(place.glob("*.whl"))
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
        store = f"--store={place / 'store.duckdb'}"
        stored = run(perfduck, "ingest", RECORDING, "--work", "2168120", "--unit", "packet", store,
                     cwd=Path("/"))  # fmt: skip
        assert stored.startswith("native.udp64.1: 7944 samples"), stored
        top = run(perfduck, "top", "native.udp64.1", "--by", "subsystem", store, cwd=Path("/"))
        assert "ns/packet" in top, top
        demo = run(perfduck, "demo", f"--store={place / 'demo.duckdb'}", cwd=Path("/"))
        assert "conntrack" in demo, demo
        said = run(python, "-m", "perfduck", "--version", cwd=Path("/"))
        assert said.startswith("perfduck "), said
        sys.stdout.write("the wheel runs by itself\n")


if __name__ == "__main__":
    main()
