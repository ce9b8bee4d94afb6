"""A generator in another process: what it yields, what it raises, and its end."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from set_limits import SetLimits

from perfduck_ingest.runtime.subprocess_iter import spawn_worker, subprocess_iter, warm_up
from perfduck_model.errors import PerfduckError


def numbers(*limits: object) -> Iterator[int]:
    """As `range` makes them, which is a function of a module that every process has."""
    return subprocess_iter(cast(Any, range), *limits)


def test_items_are_those_of_the_generator() -> None:
    assert list(numbers(3, 60_000)) == list(range(3, 60_000))


def test_what_the_generator_raises_is_raised() -> None:
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        list(numbers("3"))


def test_the_process_ends_with_who_asked_for_it() -> None:
    process = spawn_worker("builtins")
    items = numbers(0, 1 << 40)
    assert next(items) == 0
    assert process.poll() is None
    items.close()  # type: ignore[attr-defined]
    assert process.poll() is not None


def test_a_process_that_is_killed_is_told_in_a_line() -> None:
    process = spawn_worker("builtins")
    items = numbers(0, 1 << 40)
    assert next(items) == 0
    process.kill()
    with pytest.raises(PerfduckError, match="what reads it was killed"):
        list(items)


@pytest.mark.slow
def test_a_process_that_was_prepared_is_the_one_that_is_asked() -> None:
    process = spawn_worker("perfduck_ingest.perf_data.session")
    assert list(numbers(3)) == [0, 1, 2]
    assert process.poll() is not None
    assert list(numbers(3)) == [0, 1, 2]


def test_a_process_that_is_never_asked_ends_without_a_word() -> None:
    command = (
        "from perfduck_ingest.runtime.subprocess_iter import spawn_worker;"
        " spawn_worker('perfduck_ingest.runtime.malloc')"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.slow
def test_a_process_is_prepared_for_perf_data_that_is_large(
    tmp_path: Path, set_limits: SetLimits
) -> None:
    recording, text = tmp_path / "perf.data", tmp_path / "perf.txt"
    recording.write_bytes(b"PERFILE2 and more")
    text.write_bytes(b"swapper 0 [000] 1.0: cycles:")
    assert warm_up(str(recording)) is None
    set_limits(subprocess_bytes=10)
    for path in (text, tmp_path, tmp_path / "none"):
        assert warm_up(str(path)) is None
    process = warm_up(str(recording))
    assert process is not None
    assert list(numbers(2)) == [0, 1]
    assert process.poll() is not None
