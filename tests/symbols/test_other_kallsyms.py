"""A kallsyms of another kernel, given with text: refused by the functions that the text names."""

import gzip
import lzma
import re
from pathlib import Path

import polars as pl
import pytest
from recordings import FIXTURES, text_of

from perfduck.ingestion import IngestRequest, ingest
from perfduck.tagging import TaggingSources, tag_again
from perfduck_ingest.importer import ImportOptions
from perfduck_model.errors import SymbolError
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_symbols.kallsyms import file_of
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


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v7.2", "v5.10", "v6.1"])
def test_that_of_another_kernel_is_refused(version: str, tmp_path: Path, store_path: Path) -> None:
    path = kallsyms(tmp_path / "kallsyms.gz", of(version))
    missing = sorted(recorded() - of(version))
    said = rf"kallsyms\.gz: .* of another one: {len(missing)} of {len(recorded())} kernel functions"
    with DuckDbStore(store_path, write=True) as store:
        with pytest.raises(SymbolError, match=said):
            ingest(store, IngestRequest(str(RECORDING), options=ImportOptions(kallsyms=path)))
        assert store.rows("select count(*) from profile") == [(0,)]


@pytest.mark.slow
def test_its_own_is_taken(tmp_path: Path, store_path: Path) -> None:
    few = set(sorted(recorded())[:10])  # of code that came with a module, or was made
    path = kallsyms(tmp_path / "kallsyms.gz", of("v5.10") | recorded() - few)
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(str(RECORDING), options=ImportOptions(kallsyms=path)))


@pytest.mark.slow
def test_of_inlined_functions_nothing_is_said(tmp_path: Path, store_path: Path) -> None:
    text = lzma.decompress(RECORDING.read_bytes()).decode()
    inlined = re.sub(r"(nf_hook_slow\+0x[0-9a-f]+) \(\[kernel\.kallsyms\]\)", r"\1 (inlined)", text)
    assert inlined != text
    recording = tmp_path / "run.txt"
    recording.write_text(inlined)
    path = kallsyms(tmp_path / "kallsyms.gz", of("v5.10"))
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(str(recording), options=ImportOptions(kallsyms=path)))


@pytest.mark.slow
def test_tag_refuses_that_of_another_kernel(tmp_path: Path, store_path: Path) -> None:
    path = kallsyms(tmp_path / "kallsyms.gz", of("v5.10"))
    with DuckDbStore(store_path, write=True) as store:
        ingest(store, IngestRequest(str(RECORDING)))
        before = store.rows("from symbol order by symbol_id")
        with pytest.raises(
            SymbolError, match=r"kallsyms\.gz: .* of another one: \d+ of \d+ kernel"
        ):
            tag_again(store, TaggingSources(kallsyms=file_of(path)))
        assert store.rows("from symbol order by symbol_id") == before
        assert store.rows("from tag_input") == []


NAMELESS = FIXTURES / "perf_script" / "no-kernel-symbols"
BOOT = 0x9000000  # how far the kernel of another boot is


def nameless(path: Path, moved: int) -> Path:
    """A real recording without names of the kernel, of a boot where that is elsewhere."""
    text = text_of(NAMELESS).decode()
    path.write_text(re.sub(r"ffffffff8\w{7}", lambda found: f"{int(found[0], 16) + moved:x}", text))
    return path


def of_its_boot(path: Path) -> Path:
    """Kallsyms with a function every 64 bytes around the addresses of the recording."""
    found = {
        int(one, 16) & -64 for one in re.findall(r"ffffffff8\w{7}", text_of(NAMELESS).decode())
    }
    path.write_text("".join(f"{at:x} t f_{at:x}\n" for at in sorted(found)))
    return path


@pytest.mark.slow
def test_of_another_boot_no_address_is_named(tmp_path: Path, store_path: Path) -> None:
    own, other = nameless(tmp_path / "own.txt", 0), nameless(tmp_path / "other.txt", BOOT)
    options = ImportOptions(kallsyms=of_its_boot(tmp_path / "kallsyms"))
    with DuckDbStore(store_path, write=True) as store:
        with pytest.raises(SymbolError, match=r"kallsyms: .*boot, got those of another one: most"):
            ingest(store, IngestRequest(str(other), options=options))
        ingest(store, IngestRequest(str(other)))
        ingest(store, IngestRequest(str(own), options=options))
        expected = {f"f_{at & -64:x}" for at in addresses(store, "own")}
        for _ in range(2):  # the kallsyms that is kept names them again
            assert canonical(store, "own") == expected
            assert canonical(store, "other") == {"[unknown]"}
            used = tag_again(store, TaggingSources()).used
            assert used[1] == "not for kernel addresses of 1 profile of another boot"


QUERY = """select distinct {} from symbol join stack_symbol using (symbol_id)
join rollup using (stack_id) join profile using (profile_id)
where dso = '[kernel.kallsyms]' and address is not null and profile.name = $name"""


def addresses(store: DuckDbStore, name: str) -> list[int]:
    return [at % (1 << 64) for (at,) in store.rows(QUERY.format("address"), {"name": name})]


def canonical(store: DuckDbStore, name: str) -> set[str]:
    return {each for (each,) in store.rows(QUERY.format("canonical"), {"name": name})}
