"""A progress line on a terminal for what takes more than a second; nothing on a pipe."""

import sys
import time
from typing import TYPE_CHECKING, Self

from perfduck import visible

if TYPE_CHECKING:
    from perfduck import Source

_SILENT_S = 1.0


class ProgressLine:
    """Bytes, samples, rate, and the remaining time where the size is known."""

    def __init__(self, name: str) -> None:
        self._name = visible(name)
        self._start = time.monotonic()
        self._is_shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")

    def update(self, source: "Source", samples: int) -> None:
        """Redraw the progress line."""
        seconds = time.monotonic() - self._start
        if seconds < _SILENT_S or not sys.stderr.isatty():
            return
        self._is_shown = True
        done = source.bytes_read
        parts = [
            f"{self._name}: {done / 1e6:,.0f} MB",
            f"{samples:,} samples",
            f"{done / 1e6 / seconds:,.0f} MB/s",
            *_remaining(source.fraction_read, seconds),
        ]
        sys.stderr.write(f"\r\x1b[K{', '.join(parts)}")
        sys.stderr.flush()


def _remaining(fraction: float | None, seconds: float) -> list[str]:
    if not fraction:
        return []
    if fraction == 1:
        return ["storing"]  # sorting and tagging: a tenth of the time
    return [f"{seconds * (1 - fraction) / fraction:,.0f} s left"]
