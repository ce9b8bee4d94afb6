"""Processes that a process has started, as Linux lists them."""

from contextlib import suppress
from pathlib import Path


def children(pid: int) -> list[int]:
    """Those it has started itself (proc_tid_children(5)), but for those of a thread that ends
    meanwhile."""
    pids: list[int] = []
    with suppress(OSError):  # the process ends
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):
                pids += map(int, path.read_text().split())
    return pids
