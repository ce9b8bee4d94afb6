"""Names of functions: files below --symbols, modules, and what is left without a name."""

import io
import os
from pathlib import Path

import pytest
from oprofile_files import (
    LAYOUT,
    SAMPLES,
    Written,
    archive,
    elf_file,
    functions,
    lay_out,
    sample_file,
)

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.oprofile import session_importer
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_symbols.demangle import with_parameters

EVENT = "CPU_CLK_UNHALTED.1000000.0.all.all.all"
SYMBOLS = [
    ("first", 0x10, True),
    ("_alias", 0x20, True),
    ("second", 0x20, True),
    ("third", 0x80, False),
]
MTIME = 1700000000  # that sample_file writes


def read(
    image: str, keys: dict[int, int], options: ImportOptions, *, is_kernel: bool = False
) -> Batch:
    content = sample_file(LAYOUT, Written(nodes=tuple(keys.items()), is_kernel=is_kernel))
    path = SAMPLES + "{root}/opt/x/{dep}/" + image + "/" + EVENT
    source = Source("x.tar", io.BytesIO(archive([(path, content)])))
    (batch,) = session_importer.open(source).batches(options)
    return batch


def names(batch: Batch) -> dict[str, int]:
    return {name: count for (_, name, _), count in functions(batch).items()}


@pytest.mark.parametrize("place", ["opt/x", "x"])
def test_a_file_is_found_by_path_or_by_base_name(place: str, tmp_path: Path) -> None:
    lay_out(tmp_path, [(place, elf_file(SYMBOLS))])
    os.utime(tmp_path / place, (MTIME, MTIME))
    # .text lies at 0x40 of the file: a function reaches to the next one, whatever its size says
    keys = {0x45: 1, 0x50: 2, 0x5F: 4, 0x60: 8, 0xBF: 16, 0xC0: 32, 0x13F: 64, 0x140: 128}
    batch = read("{root}/opt/x", keys, ImportOptions(symbol_dirs=(tmp_path,)))
    assert names(batch) == {"first": 6, "second": 24, "third": 96, "[unknown]": 129}
    assert batch.symbols.filter(name="[unknown]")["address"].sort().to_list() == [0x45, 0x140]
    assert batch.leaf_offsets["offset"].sort().to_list() == [0, 0, 0, 0xF, 0x5F, 0x7F]
    assert len(batch.skipped) == 0


def test_a_file_that_is_given_is_found_by_its_name(tmp_path: Path) -> None:
    lay_out(tmp_path, [("x", elf_file(SYMBOLS)), ("y", elf_file(SYMBOLS))])
    for given, name in (("x", "first"), ("y", "[unknown]")):
        options = ImportOptions(symbol_dirs=(tmp_path / given,))
        assert names(read("{root}/opt/x", {0x50: 1}, options)) == {name: 1}


def test_a_file_that_has_changed_since_is_named(tmp_path: Path) -> None:
    lay_out(tmp_path, [("x", elf_file(SYMBOLS))])
    batch = read("{root}/opt/x", {0x50: 1}, ImportOptions(symbol_dirs=(tmp_path,)))
    assert batch.skipped.rows() == [(0, "/opt/x", "x has changed since: names may be wrong")]


def test_what_is_no_elf_file_names_nothing(tmp_path: Path) -> None:
    lay_out(tmp_path, [("x", b"#!/bin/sh\n")])
    assert names(read("{root}/opt/x", {0x50: 1}, ImportOptions(symbol_dirs=(tmp_path,)))) == {
        "[unknown]": 1
    }


def test_a_modules_keys_count_from_its_text(tmp_path: Path) -> None:
    lay_out(tmp_path, [("6.1/kernel/net/nf-nat.ko", elf_file(SYMBOLS, is_linked=False))])
    batch = read(
        "{kern}/nf_nat", {0x12: 1, 0x25: 2}, ImportOptions(symbol_dirs=(tmp_path,)), is_kernel=True
    )
    assert functions(batch) == {
        ("CPU_CLK_UNHALTED", "first", "[nf_nat]"): 1,
        ("CPU_CLK_UNHALTED", "second", "[nf_nat]"): 2,
    }


def test_without_its_file_a_module_is_named_by_kallsyms(tmp_path: Path) -> None:
    lines = [
        "ffffffff81000000 T _stext",
        "ffffffffc0a41010 t nf_nat_init\t[nf_nat]",
        "ffffffffc0a41100 t nf_nat_inet_fn\t[nf_nat]",
        "ffffffffc0b00000 t other\t[veth]",
    ]
    kallsyms = tmp_path / "kallsyms"
    kallsyms.write_text("\n".join(lines) + "\n")
    batch = read(
        "{kern}/nf_nat", {0x20: 1, 0x108: 2}, ImportOptions(kallsyms=kallsyms), is_kernel=True
    )
    assert names(batch) == {"nf_nat_init": 1, "nf_nat_inet_fn": 2}


def test_vmlinux_keys_count_from_its_text(tmp_path: Path) -> None:
    lay_out(tmp_path, [("vmlinux", elf_file(SYMBOLS, address=0xFFFFFFFF81000000))])
    options = ImportOptions(vmlinux=tmp_path / "vmlinux")
    batch = read("{root}/boot/vmlinux-6.1", {0x11: 1, 0x21: 2}, options, is_kernel=True)
    assert functions(batch) == {
        ("CPU_CLK_UNHALTED", "first", "[kernel.kallsyms]"): 1,
        ("CPU_CLK_UNHALTED", "second", "[kernel.kallsyms]"): 2,
    }


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("LDemo;otherLoop(II)J", "long Demo.otherLoop(int, int)"),
        ("La/b/C;m([[Ljava/lang/String;Z)V", "void a.b.C.m(java.lang.String[][], boolean)"),
        ("main", "main"),
        ("_Znot mangled", "_Znot mangled"),
    ],
)
def test_names_are_shown_as_they_were_written(name: str, plain: str) -> None:
    assert with_parameters(name) == plain
