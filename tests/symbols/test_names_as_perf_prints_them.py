"""Names and aliases as perf prints them; each pair was taken from perf script's output."""

import sys

import numpy as np
import pytest

from perfduck_ingest.perf_data.dsos import IS_MANGLED, DsoSymbols
from perfduck_kernels import native
from perfduck_symbols.addresses import Aliases, Names, SymbolTable
from perfduck_symbols.demangle import _demangler, demangled, stays_mangled
from perfduck_symbols.kallsyms import of_running_kernel

RUST = [
    ("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"),
    ("_RNCNvCs1234_7mycrate4main0B3_", "mycrate::main::{closure#0}"),
    ("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>"),
    ("_RNvXCs1_1aINtB2_3VeclENtC1b1T1f", "<a::Vec<i32> as b::T>::f"),
    ("_RNvMC1aRShNtB2_1f", None),
    ("_RNvNtCs1234_7mycrate3foo3bar.llvm.123", "mycrate::foo::bar"),
    ("_ZN4core3fmt5write17h0123456789abcdefE.part.0", "core::fmt::write"),
    ("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"),
    (
        "_ZN50_$LT$T$u20$as$u20$core..convert..Into$LT$U$GT$$GT$4into17h0123456789abcdefE",
        "<T as core::convert::Into<U>>::into",
    ),
]
CPLUSPLUS = [
    ("_Z17push_to_top_levelv", "push_to_top_level"),
    ("_ZN3app3BoxIiE4spinEi", "app::Box<int>::spin"),
    ("_Z9transformIiEvT_", "transform<int>"),
    ("_ZNK4node5Thing3getEv.part.0", "node::Thing::get"),
    ("_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()"),
    ("_ZN2v812_GLOBAL__N_16InvokeEPNS0_7IsolateE", "v8::(anonymous namespace)::Invoke"),
]  # fmt: skip


@pytest.mark.skipif(
    not native.has_rust_names(), reason="perfduck-native is not built: `make native` needs cargo"
)
@pytest.mark.parametrize(("mangled", "plain"), RUST)
def test_rust_names_lose_their_hashes(mangled: str, plain: str | None) -> None:
    assert demangled(mangled) == (plain or mangled)


def test_without_perfduck_native_rust_names_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "perfduck_native", None)
    names = ["_RNvNtC7mycrate3foo6absent", "_ZN4core3fmt6absent17h0123456789abcdefE"]
    assert list(map(demangled, names)) == names
    assert [stays_mangled(name) for name in [*names, "_RNG_init", "_Znwm", "read"]] == [
        True, True, False, False, False,
    ]  # fmt: skip
    symbols = DsoSymbols()
    numbers = symbols.intern([(name, "/bin/x", None) for name in [*names, "read"]])
    assert symbols.has_flags
    assert symbols.flags(numbers.astype(np.int32)).tolist() == [IS_MANGLED, IS_MANGLED, 0]


@pytest.mark.skipif(_demangler() is None, reason="no C++ library here")
@pytest.mark.parametrize(("mangled", "plain"), CPLUSPLUS)
def test_cplusplus_names_lose_their_parameters(mangled: str, plain: str) -> None:
    assert demangled(mangled) == plain


def test_of_aliases_the_plain_long_one_is_kept() -> None:
    text = np.frombuffer(b"__libc_read\0read\0__read\0other\0", np.uint8)
    names = Names.ending_in_zero(text, np.array([0, 12, 17, 24]))
    starts = np.array([16, 16, 16, 32], np.uint64)
    aliases = Aliases(starts, np.array([0, 0, 0, 0], np.uint8), names)
    assert [aliases.name(int(place)) for place in aliases.kept()] == ["read", "other"]
    weak = Aliases(starts, np.array([0, 2, 2, 0], np.uint8), names)
    assert [weak.name(int(place)) for place in weak.kept()] == ["__libc_read", "other"]


@pytest.mark.skipif(_demangler() is None, reason="no C++ library here")
def test_of_aliases_the_name_counts_that_is_shown() -> None:
    """perf demangles before it chooses: of one length are the mangled names alone."""
    text = np.frombuffer(b"_Znwm\0_Znam\0", np.uint8)
    names = Names.ending_in_zero(text, np.array([0, 6]))
    aliases = Aliases(np.array([16, 16], np.uint64), np.array([0, 0], np.uint8), names)
    assert aliases.name(0, demangled) == "operator new[]"


def test_an_address_behind_an_inner_symbol_is_the_outer_ones() -> None:
    table = SymbolTable(
        np.array([10, 20], np.uint64),
        np.array([100, 30], np.uint64),
        ["outer", "inner"].__getitem__,
    )
    found = table.find(np.array([5, 10, 25, 40, 100], np.uint64))
    assert found.tolist() == [-1, 0, 1, 0, -1]


def test_kallsyms_keeps_the_last_alias_and_ends_modules() -> None:
    read = of_running_kernel(
        b"ffffffff81000000 T _stext\nffffffff81000000 T _text\nffffffff81000040 t foo\n"
        b"ffffffffc0a41000 t in_module\t[nf]\nffffffff81000050 r no_code\n"
    )
    kernel, module = read.part(""), read.part("[nf]")
    assert [kernel.name(place) for place in range(len(kernel.starts))] == ["_text", "foo"]
    assert kernel.ends.tolist() == [0xFFFFFFFF81000040, 0xFFFFFFFF81002000]
    assert module.name(0) == "in_module"
    assert read.address("_text") == 0xFFFFFFFF81000000
