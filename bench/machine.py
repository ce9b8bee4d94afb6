"""The machine that measured, and what else it had to do."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path


def described() -> str:
    """A sentence: the machine, and its load."""
    processor = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    libraries = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "polars", "pyarrow"))
    return (
        f"{os.cpu_count()} CPUs ({processor[1] if processor else 'unknown'}), "
        f"{int(memory[1]) >> 20 if memory else 0} GB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {libraries}; load when this ended: "
        f"{os.getloadavg()[0]:.1f} (above the number of CPUs, times "
        f"are longer than they need be: compare within a table).\n"
    )


def of_recording(recording: Path, text: Path) -> str:
    """A sentence: how large both are."""
    return (
        f"The recording: {recording.stat().st_size / 1e6:,.0f} MB of perf.data, "
        f"{text.stat().st_size / 1e6:,.0f} MB as text.\n"
    )
