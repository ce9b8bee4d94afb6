"""Which hot loops run, and that the rows of a store are the same with either."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import duckdb
import pytest
from implementations import needs_native

import perfduck
from perfduck_kernels import selection
from perfduck_model.errors import PerfduckError

FIXTURES = Path(__file__).parents[2] / "fixtures"
RECORDINGS = (
    *FIXTURES.glob("demo/*.udp64.1.txt.xz"),
    *FIXTURES.glob("perf_data/*/recording.data.xz"),
    *sorted(FIXTURES.glob("perf_script/*/input.txt.xz"))[::5],
    *FIXTURES.glob("folded/*.folded"),
    FIXTURES / "oprofile" / "pod-callgraph-q" / "session.tar.gz",
)


@pytest.fixture(autouse=True)
def without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(selection.VARIABLE, raising=False)


@needs_native
def test_native_loops_run_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert perfduck.kernels_in_use == "native"
    monkeypatch.setenv(selection.VARIABLE, "numpy")
    assert selection.implementation().__name__ == "perfduck_kernels.numpy_kernels"
    monkeypatch.setenv(selection.VARIABLE, "native")
    assert selection.implementation().__name__ == "perfduck_kernels.native_kernels"


def test_without_native_loops_those_in_numpy_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (None, _older()):
        monkeypatch.setitem(sys.modules, "perfduck_native", module)
        assert selection.name() == "numpy"


@pytest.mark.parametrize(
    ("version", "got"), [(None, "no perfduck-native"), ("0.1.0", "perfduck-native 0.1.0, which ")]
)
def test_native_loops_that_are_asked_for_and_not_there(
    monkeypatch: pytest.MonkeyPatch, version: str | None, got: str
) -> None:
    monkeypatch.setitem(sys.modules, "perfduck_native", _older() if version else None)
    monkeypatch.setenv(selection.VARIABLE, "native")
    with pytest.raises(PerfduckError, match=f"^.PERFDUCK_KERNELS: .* got {got}.*pip install"):
        selection.name()


def _older() -> ModuleType:
    module = ModuleType("perfduck_native")
    module.__version__ = "0.1.0"  # type: ignore[attr-defined]
    return module


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--version"], ["profiles"], ["ingest", "x"]])
def test_another_name_is_refused_by_every_command(words: list[str], tmp_path: Path) -> None:
    done = _run("both", words, tmp_path)
    said = "perfduck: $PERFDUCK_KERNELS: expected native or numpy, got both\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


@pytest.mark.slow
def test_the_process_that_reads_perf_data_loads_no_polars() -> None:
    code = "import sys, perfduck_ingest.perf_data.ready_samples; print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"


@needs_native
@pytest.mark.slow
def test_rows_are_the_same_with_either(tmp_path: Path) -> None:
    named = [tmp_path / f"{number}.{path.name}" for number, path in enumerate(RECORDINGS)]
    for link, path in zip(named, RECORDINGS, strict=True):
        link.symlink_to(path)
    for kernels in ("numpy", "native"):
        words = ["ingest", "--store", f"{kernels}.duckdb", "--lenient", *map(str, named)]
        done = _run(kernels, words, tmp_path)
        assert done.returncode == 0, done.stderr
    rows = _tables(tmp_path / "native.duckdb")
    assert rows == _tables(tmp_path / "numpy.duckdb")
    assert len(rows["profile"]) > 40


def _run(kernels: str, words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "perfduck", *words]
    environment = {**os.environ, selection.VARIABLE: kernels}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


def _tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows, in the order that they were written in."""
    with duckdb.connect(path, read_only=True) as store:
        names = [name for (name,) in store.execute(
            "select table_name from duckdb_tables() where not internal"
        ).fetchall()]  # fmt: skip
        without = {"profile": "exclude (ingested_at)"}
        return {
            name: store.execute(f"select * {without.get(name, '')} from {name}").fetchall()
            for name in names
        }
