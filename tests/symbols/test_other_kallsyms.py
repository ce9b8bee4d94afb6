"""A kallsyms of another kernel, given with text: refused by the functions that the text names."""

import gzip
import lzma
import re
from pathlib import Path

import polars as pl
import pytest
from recordings import FIXTURES

from perfduck.ingestion import IngestRequest, ingest
from perfduck_ingest.importer import ImportOptions
from perfduck_model.errors import SymbolError
from perfduck_store.store import Store
from perfduck_tags import catalogue

RECORDING = FIXTURES / "demo" / "docker0-nat.crr.1.txt.xz"


def recorded() -> set[str]:
    """The kernel functions of the recording."""
    text = lzma.decompress(RECORDING.read_bytes()).decode()
    found = re.findall(r"^\s+[0-9a-f]+ (\S+?)(?:\+0x[0-9a-f]+)? \(\[kernel", text, re.MULTILINE)
    return {name for name in found if not name.startswith(("bpf_", "[unknown]"))}


def kallsyms(path: Path, functions: set[str]) -> Path:
    lines = (f"{0xFFFFFFFF81000000 + 64 * i:x} T {one}" for i, one in enumerate(sorted(functions)))
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def of(version: str) -> set[str]:
    """The functions of another kernel, as far as it is catalogued."""
    rows = catalogue.shipped().functions
    return set(rows.filter(pl.col(version) != catalogue.ABSENT)["name"])


@pytest.mark.parametrize("version", ["v5.10", "v6.1", "v7.2"])
def test_that_of_another_kernel_is_refused(version: str, tmp_path: Path, store_path: Path) -> None:
    path = kallsyms(tmp_path / "kallsyms.gz", of(version))
    missing = sorted(recorded() - of(version))
    said = rf"kallsyms\.gz: .* of another one: {len(missing)} of {len(recorded())} kernel functions"
    with Store(store_path, write=True) as store:
        with pytest.raises(SymbolError, match=said):
            ingest(store, IngestRequest(str(RECORDING), options=ImportOptions(kallsyms=path)))
        assert store.rows("select count(*) from profile") == [(0,)]


def test_its_own_is_taken(tmp_path: Path, store_path: Path) -> None:
    few = set(sorted(recorded())[:10])  # of code that came with a module, or was made
    path = kallsyms(tmp_path / "kallsyms.gz", of("v5.10") | recorded() - few)
    with Store(store_path, write=True) as store:
        ingest(store, IngestRequest(str(RECORDING), options=ImportOptions(kallsyms=path)))


def test_of_inlined_functions_nothing_is_said(tmp_path: Path, store_path: Path) -> None:
    text = lzma.decompress(RECORDING.read_bytes()).decode()
    inlined = re.sub(r"(nf_hook_slow\+0x[0-9a-f]+) \(\[kernel\.kallsyms\]\)", r"\1 (inlined)", text)
    assert inlined != text
    recording = tmp_path / "run.txt"
    recording.write_text(inlined)
    path = kallsyms(tmp_path / "kallsyms.gz", of("v5.10"))
    with Store(store_path, write=True) as store:
        ingest(store, IngestRequest(str(recording), options=ImportOptions(kallsyms=path)))
