"""What is larger or deeper than files of its kind are is refused by a line with the bound."""

import io
import lzma
import struct
import tarfile
import zlib
from pathlib import Path

import pytest
from recordings import FIXTURES
from set_limits import SetLimits

import perfduck
from perfduck_ingest import formats
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.oprofile import files
from perfduck_ingest.source import Source
from perfduck_model.errors import PerfduckError, SymbolError
from perfduck_model.zstandard import zstd
from perfduck_symbols import elf, kallsyms

XML = b'<profile schemaversion="3.1" cputype="i386" processor="x" mhz="2300.00">'
KALLSYMS = b"ffffffff81f28dd0 T nf_hook_slow\n"


def refusal(content: bytes) -> str:
    """Why a recording is refused."""
    source = Source("x", io.BytesIO(content))
    with pytest.raises(PerfduckError) as error:
        list(formats.opened(source).batches(ImportOptions(lenient=True)))
    return str(error.value)


XML_BOMBS = {
    "nested": (b"<a>" * 70, "expected elements nested at most 64 deep"),
    "an attribute": (b'<a x="' + b"x" * (3 << 20), "expected tags and comments of at most 1 MB"),
    "a comment": (b"<!--" + b"x" * (3 << 20), "expected tags and comments of at most 1 MB"),
    "a tag": (b"<" + b"x" * (3 << 20), "expected tags and comments of at most 1 MB"),
}


@pytest.mark.parametrize(("content", "expected"), XML_BOMBS.values(), ids=XML_BOMBS.keys())
def test_xml_is_bounded(content: bytes, expected: str) -> None:
    assert expected in refusal(XML + content)


def test_rows_of_reports_are_bounded(set_limits: SetLimits) -> None:
    set_limits(most_rows=100)
    assert "x:2: expected at most 100 elements" in refusal(XML + b"\n" + b"<a/>" * 100)
    set_limits(most_rows=100)
    heading = b"samples  %        symbol name\n"
    assert "at most 100 lines" in refusal(heading + b"896       3.9221  f\n" * 100)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_headers_of_archives_are_bounded(kind: bytes) -> None:
    member = tarfile.TarInfo("oprofile_data/x")
    member.type, member.size = kind, 2 << 20
    content = member.tobuf(tarfile.GNU_FORMAT)[:512] + b"a" * (2 << 20)
    assert "a header of 2097152 bytes, more than 1 MB" in refusal(content)


def test_large_members_lie_on_disk_and_are_the_same(set_limits: SetLimits) -> None:
    def contents() -> dict[str, bytes]:
        path = FIXTURES / "oprofile" / "app-callgraph" / "session.tar.gz"
        with Source(str(path)) as source:
            found = files.open_files(source, Path())
        return {name: found.read(name) for name in found.contents}

    expected = contents()
    set_limits(most_member_in_memory=5000)
    assert contents() == expected
    set_limits(most_memory_of_members=20_000)
    assert contents() == expected
    assert max(map(len, expected.values())) > 5000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (zstd.compress(KALLSYMS + b"\n" * (65 << 20)), "of at most 64 MB, got more"),
        (lzma.compress(KALLSYMS + b"a" * (65 << 20), preset=0), "of at most 64 MB, got more"),
        (KALLSYMS + b"\n" * (2 << 20), "of at most 2,097,152 lines, got more"),
    ],
)
def test_kallsyms_is_bounded(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "kallsyms").write_bytes(content)
    with pytest.raises(SymbolError, match=f"kallsyms: expected kallsyms {expected}"):
        kallsyms.read(kallsyms.file_of(tmp_path / "kallsyms"))


def test_kallsyms_of_a_device_is_bounded() -> None:
    with pytest.raises(SymbolError, match="/dev/zero: expected kallsyms, got: more than 64 MB"):
        kallsyms.read(kallsyms.file_of(Path("/dev/zero")))


def test_a_packed_elf_file_is_bounded(tmp_path: Path, set_limits: SetLimits) -> None:
    set_limits(most_elf_bytes=4 << 20)
    (tmp_path / "vmlinux.zst").write_bytes(zstd.compress(b"\x7fELF" + b"\0" * (5 << 20)))
    with pytest.raises(SymbolError, match="expected an ELF file of at most 4 MB, got more"):
        elf.open_elf(tmp_path / "vmlinux.zst")
    (tmp_path / "vmlinux.zst").write_bytes(zstd.compress(b"\x7fELG" + b"\0" * (5 << 20)))
    with pytest.raises(SymbolError, match=r"got: packed data that begin with b'.x7fELG'"):
        elf.open_elf(tmp_path / "vmlinux.zst")


@pytest.mark.parametrize("method", [1, 2])
def test_a_packed_section_is_bounded(method: int, set_limits: SetLimits) -> None:
    pack = zlib.compress if method == 1 else zstd.compress
    assert len(elf._inflated(".debug_info", method, memoryview(pack(b"\0" * (3 << 20))))) == 3 << 20
    set_limits(most_elf_section=2 << 20)
    with pytest.raises(elf.ElfError, match=r"\.debug_info of more than 2 MB"):
        elf._inflated(".debug_info", method, memoryview(pack(b"\0" * (3 << 20))))


def perf_data(attributes: int, ids_size: int = 0) -> bytes:
    """A file of perf record with so many events and without records; its ids are its own bytes."""
    entry = struct.pack("<IIQQQQQ", 1, 136, 0, 1, 7, 0, 0).ljust(128, b"\0")
    entry += struct.pack("<QQ", 0, ids_size)
    numbers = (104, len(entry), 104, attributes * len(entry), 104 + attributes * len(entry), 0)
    return b"PERFILE2" + struct.pack("<12Q", *numbers, *[0] * 6) + entry * attributes


def pipe(*records: tuple[int, bytes]) -> bytes:
    """What `perf record -o -` writes."""
    attribute = struct.pack("<IIQQQQQ", 1, 136, 0, 1, 7, 0, 0).ljust(136, b"\0")
    every = [(64, attribute + struct.pack("<Q", 1)), *records]
    packed = (struct.pack("<IHH", kind, 0, 8 + len(body)) + body for kind, body in every)
    return b"PERFILE2" + struct.pack("<Q", 16) + b"".join(packed)


def test_events_and_their_ids_are_bounded(set_limits: SetLimits) -> None:
    set_limits(most_events=10, most_event_ids=1000)
    assert "more than 10 events" in refusal(perf_data(11))
    assert "more than 10 events or 1,000 ids of events" in refusal(perf_data(9, ids_size=1000))
    attribute = struct.pack("<IIQQQQQ", 1, 136, 0, 1, 7, 0, 0).ljust(136, b"\0")
    assert "more than 10 events or 1,000 ids of events" in refusal(pipe(*[(64, attribute)] * 10))
    set_limits(most_events=8)
    assert "more than 8 events" in refusal(perf_data(9))


def test_events_of_text_are_bounded(tmp_path: Path, set_limits: SetLimits) -> None:
    line = "x 1 [000] {n}.500000: 1 event-{n}: \n\tffffffff821f2fa7 f+0xd7 ([kernel.kallsyms])\n\n"
    recording = tmp_path / "run.txt"
    recording.write_text("".join(line.format(n=number) for number in range(8)))
    set_limits(most_events=7)
    with pytest.raises(PerfduckError, match=r"run\.txt: expected at most 7 events, got more$"):
        perfduck.open(tmp_path / "s.duckdb").ingest(recording)
    set_limits(most_events=8)
    perfduck.open(tmp_path / "s.duckdb").ingest(recording)


@pytest.mark.slow
def test_packs_are_bounded(set_limits: SetLimits) -> None:
    sample = struct.pack("<IHHQQ", 9, 0, 24, 0, 0)  # two words of three
    assert "expected packs of at most 64 MB unpacked" in refusal(
        pipe((81, zstd.compress(sample * 3_000_000)))
    )
    set_limits(most_pack_bytes=2400)
    comm = struct.pack("<IHHII8s", 3, 0, 24, 1, 1, b"x")
    assert "expected packs of" in refusal(pipe((81, zstd.compress(comm * 101))))
    assert "expected packs of" not in refusal_or_nothing(
        pipe(*[(81, zstd.compress(comm * 90))] * 3)
    )


def refusal_or_nothing(content: bytes) -> str:
    source = Source("x", io.BytesIO(content))
    list(formats.opened(source).batches(ImportOptions()))
    return ""
