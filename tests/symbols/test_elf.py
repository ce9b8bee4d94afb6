import shutil
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest
from elftools.elf.elffile import ELFFile

from perfduck_model.errors import SymbolError
from perfduck_symbols import binary, source_path
from perfduck_symbols.dwarf import Dwarf
from perfduck_symbols.elf import open_elf
from perfduck_symbols.file_finder import TAGS, FileFinder
from perfduck_symbols.resolver import FUNCTIONS, BinaryResolver
from perfduck_tags import build_catalogue
from perfduck_tags.explain import explain
from perfduck_tags.tagger import Tagger

ELF = Path(__file__).parents[2] / "fixtures" / "elf"
RECEIVE, TRANSMIT = "net/core/receive.c", "net/core/transmit.c"
MODULES = ["dwarf5.ko", "dwarf4.ko", "zlib.ko", "zstd.ko", "clang5.ko", "clang4.ko", "packed.ko.xz"]


@pytest.mark.parametrize("name", MODULES)
def test_functions_of_a_module_lie_in_their_units(name: str) -> None:
    read = binary.read(ELF / name)
    assert read.module == name.split(".")[0]
    assert read.functions.select("name", "section", "source_file").rows() == [
        ("checked", ".text", RECEIVE),
        ("receive", ".text", RECEIVE),
        ("checked", ".text", TRANSMIT),
        ("transmit", ".text", TRANSMIT),
        ("receive_init", ".init.text", RECEIVE),
    ]


@pytest.mark.parametrize("name", [*MODULES[:-1], "program", "stripped", "stripped.debug"])
def test_sections_and_segments_are_those_that_pyelftools_reads(name: str) -> None:
    ours, theirs = open_elf(ELF / name), ELFFile(BytesIO((ELF / name).read_bytes()))
    assert [(one.name, one.offset, one.size, one.flags, one.link) for one in ours.sections] == [
        (one.name, one["sh_offset"], one["sh_size"], one["sh_flags"], one["sh_link"])
        for one in theirs.iter_sections()
    ]
    assert [(one.offset, one.address, one.stored, one.size) for one in ours.header.segments] == [
        (one["p_offset"], one["p_vaddr"], one["p_filesz"], one["p_memsz"])
        for one in theirs.iter_segments("PT_LOAD")
    ]


@pytest.mark.parametrize("name", ["dwarf5.ko", "dwarf4.ko", "program"])
def test_units_without_aranges_tell_the_same_ranges(name: str) -> None:
    dwarf = Dwarf(open_elf(ELF / name))
    listed, told = dwarf.ranges(), dwarf.unit_ranges()
    assert listed.starts.tolist() == told.starts.tolist()
    assert listed.ends.tolist() == told.ends.tolist()
    assert listed.units.tolist() == told.units.tolist()


@pytest.mark.parametrize("debug", [ELF, None])
def test_split_off_symbols_are_found(tmp_path: Path, debug: Path | None) -> None:
    """Beside the file by its debug link, or below /usr/lib/debug by its build-id."""
    program = tmp_path / "bin" / "program"
    program.parent.mkdir()
    shutil.copy(ELF / "stripped", program)
    build_id = open_elf(program).build_id
    assert build_id is not None
    if debug is None:
        shutil.copy(ELF / "stripped.debug", program.parent)
    else:
        folder = tmp_path / ".build-id" / build_id[:2]
        folder.mkdir(parents=True)
        shutil.copy(ELF / "stripped.debug", folder / f"{build_id[2:]}.debug")
    finder = FileFinder([tmp_path], TAGS)
    whole, split = binary.read(ELF / "program"), binary.read(program, finder=finder)
    assert split.build_id == whole.build_id
    assert split.functions.equals(whole.functions)
    assert "receive" in split.functions["name"]


def unknown(dso: str, *addresses: int) -> pl.DataFrame:
    return pl.DataFrame({"address": addresses}).select(
        pl.col("address").alias("symbol_id"), pl.lit("[unknown]").alias("name"),
        pl.lit(dso).alias("dso"), "address",
    )  # fmt: skip


def test_addresses_of_a_program_are_offsets_in_its_file_or_virtual() -> None:
    asked = unknown("/usr/bin/program", 0x138, 0x400138, 0x150, 0x10, 0x500000)
    tagged = Tagger(binaries=[ELF]).tag(asked)
    receive = ("receive", RECEIVE)
    assert tagged.select("canonical", "source_file").rows() == [
        receive, receive, ("transmit", TRANSMIT), ("[unknown]", None), ("[unknown]", None),
    ]  # fmt: skip
    assert tagged["name"].to_list() == ["[unknown]"] * 5


def test_what_was_read_once_needs_no_file() -> None:
    kept = BinaryResolver([ELF]).functions(["/usr/bin/program", "/no/such/file", "[dwarf5]"])
    assert dict(kept.schema) == {name: kind() for name, kind in FUNCTIONS.items()}
    assert set(kept["dso"]) == {"/usr/bin/program", "[dwarf5]"}
    tagger = Tagger()
    tagger.know(kept)
    tagged = tagger.tag(unknown("/usr/bin/program", 0x138))
    assert tagged["canonical"].item() == "receive"


def test_maps_of_run_time_code_are_no_elf_files(tmp_path: Path) -> None:
    (tmp_path / "perf-7.map").write_text("7f00 10 LazyCompile:~main\n")
    resolver = BinaryResolver([tmp_path])
    assert [resolver.find(dso) for dso in ("/tmp/perf-7.map", "//anon", "[vdso]")] == [None] * 3


def test_debug_information_of_the_module_decides() -> None:
    symbols = pl.DataFrame(
        {"symbol_id": [1, 2], "name": ["transmit", "checked"], "dso": ["[dwarf5]"] * 2}
    ).with_columns(pl.lit(None, pl.Int64).alias("address"))
    tagged = Tagger(binaries=[ELF]).tag(symbols)
    assert tagged.select("source_file", "subsystem", "tagged_by").rows() == [
        (TRANSMIT, "netdev", "dwarf"), (None, "netdev", "dwarf"),  # two files, one tag
    ]  # fmt: skip


def test_an_explanation_names_the_rule_and_the_alternatives() -> None:
    told = explain(Tagger(binaries=[ELF]), "transmit", "[dwarf5]")
    assert (told.method, told.source_file, told.subsystem) == ("dwarf", TRANSMIT, "netdev")
    assert told.rule is not None
    assert told.rule.startswith("source net/core/* (path_rules.csv:")
    ambiguous = explain(Tagger(), "init_once")
    assert (ambiguous.method, ambiguous.rule) == ("unknown", None)
    assert {"fs/inode.c", "net/socket.c"} <= {a.source_file for a in ambiguous.alternatives}
    assert explain(Tagger(), "main", "/usr/sbin/nginx").subsystem == "nginx"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "cannot mmap an empty file"), (b"#!/bin/sh\n", "Magic number"), (b"\x7fELF", "")],
)
def test_what_is_no_elf_file_is_refused_in_one_line(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "nginx"
    path.write_bytes(content)
    with pytest.raises(SymbolError) as refused:
        binary.read(path)
    assert str(refused.value).startswith(f"{path}: expected an ELF file, got: ")
    assert reason.lower() in str(refused.value).lower()


@pytest.mark.parametrize("name", ["dwarf5.ko", "program", "zlib.ko"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_cut_off_is_refused_in_one_line(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    whole = (ELF / name).read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SymbolError, match="expected an ELF file, got a damaged one"):
        binary.read(path)


@pytest.mark.parametrize(
    ("name", "directory", "path"),
    [
        ("net/core/dev.c", "debian/build/build_amd64_none_amd64", "net/core/dev.c"),
        ("./include/x.h", "/src/linux", "include/x.h"),
        ("../../net/core/dev.c", "/src/linux/obj/x", "net/core/dev.c"),
        ("/b/linux-6.1/arch/x86/entry/e.S", "/b/linux-6.1/debian/build", "arch/x86/entry/e.S"),
        ("/src/linux/drivers/net/veth.c", "/obj", "drivers/net/veth.c"),
        ("/net/linux/fs/x.c", "/obj", "fs/x.c"),
        ("/usr/lib/rustlib/src/core/lib.rs", "/obj", "/usr/lib/rustlib/src/core/lib.rs"),
    ],
)
def test_source_paths_are_those_of_the_kernel_tree(name: str, directory: str, path: str) -> None:
    known = source_path.roots([("/net/linux/init/main.c", "/obj"), ("init/main.c", "obj")])
    assert source_path.in_tree(name, directory, known) == path


def test_the_catalogue_is_built_from_a_directory_with_debug_information(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ELF / "program", tmp_path / "vmlinux-9.9")
    shutil.copy(ELF / "dwarf5.ko", tmp_path / "dwarf5.ko")
    table = tmp_path / "functions-9.9.parquet"
    assert build_catalogue.main(["read", str(tmp_path), str(table)]) == 0
    read = pl.read_parquet(table)
    assert read["module"].value_counts().sort("module").rows() == [("dwarf5", 5), ("vmlinux", 6)]
    assert build_catalogue.main(["pack", str(table), "--output", str(tmp_path)]) == 0
    names = pl.read_parquet(tmp_path / "functions.parquet")
    assert names.filter(pl.col("name") == "transmit").row(0) == ("transmit", TRANSMIT, 2)
    assert build_catalogue.main(["read", str(tmp_path / "none"), str(table)]) == 2
    assert "expected a vmlinux somewhere below" in capsys.readouterr().err


@pytest.mark.parametrize("width", [0, 3, 16])
def test_ranges_with_impossible_addresses_are_refused(tmp_path: Path, width: int) -> None:
    elf = open_elf(ELF / "program")
    aranges = elf.section(".debug_aranges").tobytes()
    content = bytearray((ELF / "program").read_bytes())
    content[content.index(aranges) + 10] = width
    broken = tmp_path / "program"
    broken.write_bytes(content)
    with pytest.raises(SymbolError, match="expected"):
        binary.read(broken)
