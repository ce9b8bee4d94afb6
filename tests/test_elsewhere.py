"""A generator in another process: what it yields, what it raises, and its end."""

import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest

from perfduck_ingest.elsewhere import elsewhere


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Those that were started."""
    started: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Popen)
    return started


def numbers(*limits: object) -> Iterator[int]:
    """As `range` makes them, which is a function of a module that every process has."""
    return elsewhere(cast(Any, range), *limits)


def test_items_are_made_in_one_other_process(processes: list[subprocess.Popen[bytes]]) -> None:
    assert list(numbers(3, 60_000)) == list(range(3, 60_000))
    assert len(processes) == 1


def test_what_the_generator_raises_is_raised() -> None:
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        list(numbers("3"))


def test_the_process_ends_with_who_asked_for_it(
    processes: list[subprocess.Popen[bytes]],
) -> None:
    items = numbers(0, 1 << 40)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert processes[0].poll() is not None
