"""Functions that were inlined are frames, as perf script prints them."""

import gzip
import lzma
import sys
from itertools import compress
from pathlib import Path

import numpy as np
import oracle
import pytest
from command import run_text
from made import CHAIN, KERNEL, USER, Recording
from test_recordings import FIXTURES

import perfduck
from perfduck_ingest.perf_data import records
from perfduck_ingest.perf_data.dsos import LACKS_INLINED, Dso, DsoSymbols, pack, unpack
from perfduck_kernels import native
from perfduck_model.batch import Batch
from perfduck_model.pprof_schema import Profile
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_symbols.addresses import SymbolTable
from perfduck_symbols.elf import open_elf
from perfduck_symbols.elf_symbols import address_of

FOLDER = FIXTURES / "inlined"
RECORDING = FOLDER / "levels.data.xz"
SYMBOLS = FOLDER / "symbols"
PROGRAM = SYMBOLS / "opt" / "demo" / "levels"
# Where `slot(key)` of levels.c is: 4 functions in fill.constprop.0, in the debug information fill.
DEEP, DEEP_NAMES = 0x1225, ["mix", "hash", "slot", "add", "fill.constprop.0"]
needs_native = pytest.mark.skipif(
    not native.has_inlines(), reason="perfduck-native is not built: `make native` needs cargo"
)


def read(path: Path = RECORDING, **options: object) -> list[Batch]:
    return oracle.batches_of(path, **{"symbol_dirs": (SYMBOLS,), **options})


def chains(batches: list[Batch]) -> list[list[str]]:
    return [[name for name, _ in row[-1]] for row in oracle.said_by_us(batches)]


def of_program(chain: tuple[oracle.Frame, ...]) -> list[oracle.Frame]:
    """The first frames, up to one of another binary."""
    ends = [place for place, (_, dso) in enumerate(chain) if "libc" in dso or dso == "[unknown]"]
    return list(chain[: min(ends, default=len(chain))])


@needs_native
def test_inlined_functions_are_those_that_perf_script_prints() -> None:
    """But for the function around them: perf prints its name in the debug information as inlined
    where the symbol has another one."""
    text = lzma.decompress((FOLDER / "oracle.txt.xz").read_bytes()).decode()
    perf = [row[-1] for row in oracle.said_by_perf(text.splitlines())]
    is_own = ["qsort" not in str(chain) for chain in perf]  # with the tables of libc only
    theirs = [of_program(chain) for chain in compress(perf, is_own)]
    ours = [of_program(row[-1]) for row in compress(oracle.said_by_us(read()), is_own)]
    assert len(theirs) > 10
    named = [[name.removesuffix(".constprop.0") for name, _ in chain] for chain in ours]
    assert named == [[name for name, _ in chain] for chain in theirs]
    assert sum(dso == "inlined" for chain in theirs for _, dso in chain) > len(theirs)
    assert {dso for chain in ours for _, dso in chain} == {"/opt/demo/levels"}


@needs_native
def test_samples_with_inlined_functions_are_counted() -> None:
    batches = read()
    inlined = {"mix", "rotate", "hash", "slot", "add", "sort_all", "round_of"}
    assert batches[-1].facts.inlined_samples == sum(
        bool(inlined & set(chain)) for chain in chains(batches)
    )
    assert "inlined-functions" not in batches[-1].facts.limitations


def test_without_inlined_functions_chains_are_those_of_symbols() -> None:
    batches = read(inline=False)
    assert {name for chain in chains(batches) for name in chain} & {"mix", "sort_all"} == set()
    assert batches[-1].facts.inlined_samples == 0
    assert "inlined-functions" not in batches[-1].facts.limitations


def test_without_the_native_module_that_is_said_with_the_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "perfduck_native", None)
    batches = read()
    own = sum(any(name == "main" or "fill" in name for name in one) for one in chains(batches))
    limitation = batches[-1].facts.limitations["inlined-functions"]
    assert limitation.samples is not None
    assert limitation.samples >= own
    assert "perfduck-native" in limitation.text
    assert batches[-1].facts.inlined_samples == 0


@needs_native
def test_damaged_debug_information_is_said_with_the_samples(tmp_path: Path) -> None:
    raw = bytearray(PROGRAM.read_bytes())
    section = open_elf(PROGRAM).find(".debug_abbrev")
    assert section is not None
    raw[section.offset : section.offset + section.size] = bytes(section.size)
    (tmp_path / "levels").write_bytes(raw)
    batches = read(symbol_dirs=(tmp_path,))
    assert chains(batches)
    assert batches[-1].facts.limitations["inlined-functions"].samples


@needs_native
@pytest.mark.parametrize("moved", [0, 0x1000000])
def test_functions_inlined_in_the_kernel_are_those_of_vmlinux(moved: int, tmp_path: Path) -> None:
    """The program stands for a vmlinux, and was loaded `moved` from where it is linked."""
    linked = address_of(open_elf(PROGRAM), "main")
    assert linked is not None
    base = (1 << 63) + moved  # the addresses of a kernel
    made = Recording(CHAIN)
    made.comm("worker")
    name = "[kernel.kallsyms]main"
    made.map(base, 0x4000, base + linked, name, mode=records.KERNEL)
    chain = [KERNEL, base + DEEP, USER, 0x7F0000001000]
    made.sample(10, base + DEEP, chain, mode=records.KERNEL)
    path = made.write(tmp_path / "perf.data")
    batches = read(path, symbol_dirs=(), vmlinux=PROGRAM)
    assert chains(batches) == [[*DEEP_NAMES, "[unknown]"]]
    assert batches[-1].facts.inlined_samples == 1


@needs_native
def test_the_offset_of_a_leaf_is_from_the_function_around_it() -> None:
    batches = read()
    symbols = dict(row[:2] for batch in batches for row in batch.symbols.iter_rows())
    offsets = {
        (symbols[row["symbol_id"]], row["offset"])
        for batch in batches
        for row in batch.leaf_offsets.iter_rows(named=True)
    }
    function = address_of(open_elf(PROGRAM), "fill.constprop.0")
    assert function is not None
    assert ("mix", DEEP - function) in offsets


def test_a_chain_has_one_number_and_its_innermost_symbol_is_the_leaf() -> None:
    symbols = DsoSymbols()
    one, two, three = symbols.intern([(name, "/bin/x", None) for name in "abc"]).tolist()
    chain = symbols.chain((one, two, three))
    assert chain == symbols.chain((one, two, three))
    assert chain != symbols.chain((two, three))
    numbers, sizes = symbols.unchained(np.array([two, chain, one], np.int32))
    assert numbers.tolist() == [two, one, two, three, one]
    assert sizes.tolist() == [1, 3, 1]
    leaf = symbols.innermost(pack(np.array([chain, two]), np.array([7, 8])))
    assert [part.tolist() for part in unpack(leaf)] == [[one, two], [7, 8]]


@needs_native
def test_an_option_resolves_a_stored_recording_again(store_path: Path) -> None:
    given = ("--symbols", SYMBOLS, "--no-host-files", "--store", store_path)
    first = run_text(["ingest", RECORDING, *given])
    assert "inlined functions in 20 of 21 samples" in first.stdout
    without = run_text(["ingest", RECORDING, *given, "--no-inline"])
    assert "; inlined functions in 0 samples, 20 before" in without.stdout
    rows = "select inlined_samples, count(*) from profile, recorded_binary group by all"
    with DuckDbStore(store_path) as store:
        assert store.rows(rows) == [(0, 1)]  # that of the program
    again = run_text(["ingest", RECORDING, *given, "--no-inline"])
    assert "nothing added" in again.stdout


def test_recorded_build_ids_are_those_of_mappings_in_pprof(store_path: Path) -> None:
    run_text(["ingest", RECORDING, "--no-host-files", "--store", store_path])
    packed = b"".join(perfduck.open(store_path).export("levels", "pprof").parts())
    profile = Profile.FromString(gzip.decompress(packed))
    texts = profile.string_table
    mappings = {texts[one.filename]: texts[one.build_id] for one in profile.mapping}
    assert mappings["/opt/demo/levels"] == open_elf(PROGRAM).build_id


def test_of_a_kernel_module_is_said_that_it_is_not_known() -> None:
    symbols = DsoSymbols()
    starts = np.array([16, 32], np.uint64)
    table = SymbolTable(
        starts, starts + np.uint64(16), ["nf_nat_setup_info", "get_tuple"].__getitem__
    )
    module = Dso("[nf_nat]", table, lacks_inlined=True)
    numbers, _ = unpack(module.resolve(np.array([20, 99], np.uint64), symbols))
    assert symbols.flags(numbers.astype(np.int32)).tolist() == [LACKS_INLINED, 0]
