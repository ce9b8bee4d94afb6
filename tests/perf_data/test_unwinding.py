"""Stacks of `--call-graph dwarf` are unwound to the callers that perf script prints."""

import lzma
import sys
from pathlib import Path

import oracle
import pytest
from set_limits import SetLimits
from test_recordings import FIXTURES

from perfduck_kernels import native
from perfduck_model.batch import Batch

FOLDER = FIXTURES / "dwarf"
RECORDING = FOLDER / "stacks.data.xz"
SYMBOLS = FOLDER / "symbols"
needs_native = pytest.mark.skipif(
    native.version() is None, reason="perfduck-native is not built: `make native` needs cargo"
)


def read(symbols: tuple[Path, ...] = (SYMBOLS,)) -> list[Batch]:
    return oracle.batches_of(RECORDING, symbol_dirs=symbols)


def chains(batches: list[Batch]) -> list[list[str]]:
    return [[name for name, _ in row[-1]] for row in oracle.said_by_us(batches)]


def counted(batches: list[Batch]) -> dict[str, int]:
    said = batches[-1].facts.limitations
    return {code: one.samples for code, one in said.items() if one.samples is not None}


def perf_rows() -> list[oracle.Row]:
    text = lzma.decompress((FOLDER / "oracle.txt.xz").read_bytes()).decode()
    return list(oracle.said_by_perf(text.splitlines()))


@needs_native
def test_callers_are_those_that_perf_script_prints() -> None:
    """But for what returns from a signal: perf looks for its name a byte before it begins."""
    path = "/opt/stacks/stacks"
    wanted = [
        (
            *row[:-1],
            tuple(("restore", path) if one == ("[unknown]", path) else one for one in row[-1]),
        )
        for row in perf_rows()
    ]
    batches = read()
    assert len(wanted) == 12
    assert oracle.differences(wanted, oracle.said_by_us(batches)) == ({}, {})
    assert counted(batches) == {}


@needs_native
@pytest.mark.parametrize(
    "values", [{"block_bytes": 8192, "head_bytes": 8192}, {"subprocess_bytes": 0}]
)
def test_how_much_is_read_at_once_makes_no_difference(
    values: dict[str, int], set_limits: SetLimits, tmp_path: Path
) -> None:
    whole = chains(read())
    set_limits(**values)
    plain = tmp_path / "stacks.data"
    plain.write_bytes(lzma.decompress(RECORDING.read_bytes()))
    assert chains(oracle.batches_of(plain, symbol_dirs=(SYMBOLS,))) == whole


@needs_native
def test_callers_beyond_the_limit_are_counted(set_limits: SetLimits) -> None:
    whole = chains(read())
    set_limits(most_unwound_frames=4)
    batches = read()
    assert chains(batches) == [one[:4] for one in whole]
    assert counted(batches) == {"cut-stacks": sum(len(one) > 4 for one in whole)}


@needs_native
def test_without_the_file_there_are_no_callers_and_that_is_counted() -> None:
    batches = read(())
    assert {len(one) for one in chains(batches)} == {1}
    assert counted(batches) == {"no-unwind-tables": 12}


def test_without_the_native_module_there_are_no_callers_and_that_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "perfduck_native", None)
    batches = read()
    assert {len(one) for one in chains(batches)} == {1}
    assert counted(batches) == {"dwarf-stacks": 12}
