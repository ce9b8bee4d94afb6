"""Which files name the addresses of a recording: those that were given, those that perf archive
packed, and those of this machine if they are the recorded ones."""

import os
import platform
from pathlib import Path

import oracle
import pytest
from made import FIELDS, PID, Recording
from test_recordings import FIXTURES, OPTIONS, perf_rows

from perfduck_symbols.elf import open_elf
from perfduck_symbols.files import HostFiles

SPIN = FIXTURES / "symfs" / "tmp" / "perfduck-fixture" / "spin"
PROGRAM = "/opt/spin"


def test_what_perf_archive_packs_is_found_by_build_id(tmp_path: Path) -> None:
    build_id = open_elf(SPIN).build_id or ""
    kept = tmp_path / "tmp" / "spin" / build_id
    kept.mkdir(parents=True)
    (kept / "elf").write_bytes(SPIN.read_bytes())
    link = tmp_path / ".build-id" / build_id[:2] / build_id[2:]
    link.parent.mkdir(parents=True)
    link.symlink_to(os.path.relpath(kept, link.parent))
    path = FIXTURES / "chains" / "recording.data.xz"
    packed = oracle.batches_of(path, **{**OPTIONS, "symbol_dirs": (tmp_path,)})
    assert oracle.differences(perf_rows("chains"), oracle.said_by_us(packed)) == ({}, {})


def leaves(made: Recording, tmp_path: Path, **options: object) -> set[str]:
    path = made.write(tmp_path / "perf.data")
    os.utime(path, (4e9, 4e9))  # finished later than any file was changed
    return {row[-1][0][0] for row in oracle.said_by_us(oracle.batches_of(path, **options))}


def compiled() -> Recording:
    made = Recording(FIELDS)
    made.comm("java")
    made.map(0x7F0000000000, 0x100000, 0, "//anon")
    made.sample(10, 0x7F0000000010)
    return made


@pytest.mark.parametrize(
    ("maps", "named"),
    [
        ((f"tmp/perf-{PID}.map",), True),
        ((f"perf-{PID}.map",), True),
        ((f"{PID}/perf-1.map",), True),
        ((f"{PID}/tmp/perf-1.map",), True),
        (("tmp/perf-1.map",), False),  # whose it is nothing tells
        ((f"{PID}/perf-1.map", f"{PID}/perf-2.map"), False),
    ],
)
def test_the_map_of_a_compiler_is_found(maps: tuple[str, ...], named: bool, tmp_path: Path) -> None:
    for each in maps:
        path = tmp_path / "root" / each
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("7f0000000000 100 LBusy;::main\n")
    found = leaves(compiled(), tmp_path, symbol_dirs=(tmp_path / "root",))
    assert found == {"LBusy;::main" if named else "[unknown]"}


def of_program(hostname: str) -> Recording:
    made = Recording(FIELDS, hostname=hostname)
    made.comm("spin")
    table = open_elf(SPIN).functions()
    (start,) = table.filter(name="turn")["address"]
    made.map(0x400000, 0x100000, 0, PROGRAM)
    made.sample(10, start)
    return made


def test_files_of_this_machine_name_only_what_they_are_known_to_be(tmp_path: Path) -> None:
    host = HostFiles(tmp_path, tmp_path)
    program = tmp_path / PROGRAM.lstrip("/")
    program.parent.mkdir()
    program.write_bytes(SPIN.read_bytes())
    own = of_program(platform.node())
    assert leaves(own, tmp_path, host_files=host) == {"__turn_alias"}
    assert leaves(own, tmp_path) == {"[unknown]"}
    assert leaves(of_program("another-host"), tmp_path, host_files=host) == {"[unknown]"}
    os.utime(program, (5e9, 5e9))  # changed since
    assert leaves(own, tmp_path, host_files=host) == {"[unknown]"}
    assert leaves(of_program("another-host"), tmp_path, symbol_dirs=(program.parent,)) == {
        "__turn_alias"
    }
    assert leaves(own, tmp_path, symbol_dirs=(program,)) == {"__turn_alias"}


def test_modules_of_another_boot_have_no_names(tmp_path: Path) -> None:
    """Where the kernel lay elsewhere, `_text` tells how far, and nothing tells it of a module."""
    made = Recording(FIELDS)
    made.map(
        0xFFFFFFFF91000000, 0x200B08, 0xFFFFFFFF91000000, "[kernel.kallsyms]_text", mode=1, pid=-1
    )
    made.map(0xFFFFFFFFC0A00000, 0x9000, 0, "/lib/modules/6.1.0/net/nf_nat.ko", mode=1, pid=-1)
    made.comm("x")
    made.sample(10, 0xFFFFFFFF91001010, mode=1)
    made.sample(11, 0xFFFFFFFFC0A01010, mode=1)
    lines = [
        "{0:x} T _text",
        "{1:x} T nf_hook_slow",
        "{2:x} T _etext",
        "{3:x} t nf_nat_init\t[nf_nat]",
    ]
    kernel, module = 0xFFFFFFFF91000000, 0xFFFFFFFFC0A01000
    for moved, of_module, wanted in (
        (0, 0, {"nf_hook_slow", "nf_nat_init"}),
        (0x800000, 0, {"nf_hook_slow", "[unknown]"}),
        (0, 0x9000, {"nf_hook_slow", "[unknown]"}),
    ):
        addresses = [kernel + moved + at for at in (0, 0x1000, 0x200B08)]
        text = "\n".join(lines).format(*addresses, module + of_module)
        (tmp_path / "kallsyms").write_text(text)
        assert leaves(made, tmp_path, kallsyms=tmp_path / "kallsyms") == wanted


def of_old_perf(size: int) -> Recording:
    """A kernel whose map has a size, and a module; a sample in each."""
    made = Recording(FIELDS)
    made.map(0xFFFFFFFF91000000, size, 0xFFFFFFFF91000000, "[kernel.kallsyms]_text", mode=1, pid=-1)
    made.map(0xFFFFFFFFC0A00000, 0x9000, 0, "/lib/modules/6.1.0/net/nf_nat.ko", mode=1, pid=-1)
    made.comm("x")
    made.sample(10, 0xFFFFFFFF91001010, mode=1)
    made.sample(11, 0xFFFFFFFFC0A01010, mode=1)
    return made


@pytest.mark.parametrize(
    ("size", "moved", "module", "said"),
    [
        (0x200B08, 0, "[nf_nat]", None),
        (0x200B08, 0x800000, "[nf_nat]", None),  # of as many bytes: another boot of this kernel
        (0x2F000000, 0, "[nf_nat]", None),  # its module is in place: of this boot
        (0x2F000000, 0x800000, "[nf_nat]", ", which was 8,388,608 bytes off: that it is of"),
        (0x2F000000, -0x800000, "", ", which was 8,388,608 bytes off: that it is of"),
        (0x2F000000, 0, "", "given: that it is of the recorded kernel could not be checked"),
        (0x2F000000, 0, "", "the recorded map of 752 MB goes beyond the kernel"),
    ],
)
def test_that_a_kallsyms_could_not_be_checked_is_said(
    size: int, moved: int, module: str, said: str | None, tmp_path: Path
) -> None:
    base = 0xFFFFFFFF91000000 + moved
    listed = f"{0xFFFFFFFFC0A01000:x} t nf_nat_init\t{module}\n" if module else ""
    own = f"{base:x} T _text\n{base + 0x1000:x} T nf_hook_slow\n{base + 0x200B08:x} T _etext\n"
    (tmp_path / "kallsyms").write_text(own + listed)
    path = of_old_perf(size).write(tmp_path / "perf.data")
    last = oracle.batches_of(path, kallsyms=tmp_path / "kallsyms")[-1]
    doubt = last.facts.limitations.get("unproven-kallsyms")
    assert (doubt is not None and said in doubt.text) if said else doubt is None
    assert "unproven-kallsyms" not in oracle.batches_of(path)[-1].facts.limitations


def test_what_has_no_name_is_said_with_what_would_help(tmp_path: Path) -> None:
    made = of_program("another-host")
    for time in range(20, 23):
        made.sample(time, 0xFFFFFFFF81001010, mode=1)
    path = made.write(tmp_path / "perf.data")
    host = HostFiles(tmp_path, tmp_path)
    said = oracle.batches_of(path, host_files=host)[-1].facts.limitations["no-names"].text
    assert said == (
        "100 % of the weight has no name: give --kallsyms and --symbols (75 % [kernel.kallsyms],"
        " 25 % /opt/spin: no build id recorded, and the recording is of another host)"
    )
    given = oracle.batches_of(path, symbol_dirs=(SPIN,))[-1].facts.limitations["no-names"].text
    assert given == "75 % of the weight has no name: give --kallsyms (75 % [kernel.kallsyms])"
