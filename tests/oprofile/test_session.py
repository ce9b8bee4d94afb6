"""Sessions as directories, archives and oparchive trees; and archives that mean harm."""

import io
import tarfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oprofile_files import (
    KALLSYMS,
    KERNEL_FILE,
    LAYOUT,
    RECORDINGS,
    SAMPLES,
    Written,
    archive,
    batch_of,
    functions,
    lay_out,
    sample_file,
)
from set_limits import SetLimits

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.oprofile import session_importer
from perfduck_ingest.oprofile.sample_file import parse
from perfduck_ingest.oprofile.session import parse_log
from perfduck_ingest.oprofile.symbol_table import functions as elf_functions
from perfduck_ingest.oprofile.symbol_table import read_elf
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch
from perfduck_model.errors import PerfduckError
from perfduck_symbols.demangle import with_parameters

SESSION = RECORDINGS / "app-callgraph" / "session.tar.gz"
EVENT = "CPU_CLK_UNHALTED.1000000.0.all.all.all"
USER_FILE = SAMPLES + "{root}/bin/x/{dep}/{root}/bin/x/" + EVENT


def unpacked(folder: Path) -> Path:
    with tarfile.open(SESSION) as tar:
        # Python before 3.11.4 knows no filter, from 3.14 on it is the default.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)
    return folder / "app-callgraph" / "oprofile_data"


def read(path: Path, options: ImportOptions | None = None) -> tuple[str, Batch]:
    source = Source(str(path), None if path.is_dir() else io.BytesIO(path.read_bytes()))
    assert session_importer.open(source)
    (batch,) = session_importer.open(source).batches(options or ImportOptions(kallsyms=KALLSYMS))
    return source.reading.content_hash, batch


def read_files(entries: list[tuple[str, bytes]], options: ImportOptions | None = None) -> Batch:
    source = Source("x.tar", io.BytesIO(archive(entries)))
    (batch,) = session_importer.open(source).batches(options or ImportOptions())
    return batch


def test_a_directory_and_an_archive_of_it_are_the_same_recording(tmp_path: Path) -> None:
    folder = unpacked(tmp_path)
    of_archive, batch = read(SESSION)
    for path in (folder, folder.parent, folder / "samples" / "current"):
        of_directory, same = read(path)
        assert of_directory == of_archive
        assert same.samples.equals(batch.samples)
        assert same.edges.equals(batch.edges)


def test_the_run_before_is_another_recording(tmp_path: Path) -> None:
    folder = unpacked(tmp_path)
    digest, batch = read(folder)
    (folder / "samples" / "current").rename(folder / "samples" / "previous")
    lay_out(folder.parent, [(KERNEL_FILE, sample_file())])
    other_digest, other = read(folder)
    assert other_digest != digest
    assert other.samples["count"].sum() == 7
    assert batch.samples["count"].sum() == 1283
    _, named = read(folder / "samples" / "previous")
    assert named.samples["count"].sum() == 1283


def test_two_sessions_in_one_archive_are_refused() -> None:
    entries = [(f"{run}/{KERNEL_FILE}", sample_file()) for run in "ab"]
    with pytest.raises(PerfduckError, match=r"expected one OProfile session .* got a/.*, b/"):
        read_files(entries)


def test_an_archive_without_session_is_refused() -> None:
    expected = r"expected one OProfile session .*, got none, but 1, 2, 3 and 1 more$"
    with pytest.raises(PerfduckError, match=expected):
        read_files([(name, b"hello") for name in "4321"])


def test_oparchive_brings_kallsyms_and_images(tmp_path: Path) -> None:
    kallsyms = b"ffffffff81000000 T _stext\nffffffff81000010 T hit\nffffffff81000020 T next\n"
    inside = SAMPLES.replace("oprofile_data", "var/lib/oprofile")
    folder = lay_out(
        tmp_path,
        [
            (inside + "{root}/bin/x/{dep}/{root}/proc/kallsyms/" + EVENT, sample_file()),
            ("proc/kallsyms", kallsyms),
            ("home/me/oprofile_data/samples/current/stats/lost_no_mapping", b"12"),
        ],
    )
    _, batch = read(folder, ImportOptions())
    assert functions(batch) == {
        ("CPU_CLK_UNHALTED", "hit", "[kernel.kallsyms]"): 3,
        ("CPU_CLK_UNHALTED", "next", "[kernel.kallsyms]"): 4,
    }
    assert batch.facts.lost == 12


def test_without_kallsyms_the_kernel_has_addresses() -> None:
    symbols = read_files([(KERNEL_FILE, sample_file())]).symbols.sort("address")
    assert symbols.select("name", "dso", "address").rows() == [
        ("[unknown]", "[kernel.kallsyms]", 0x10),
        ("[unknown]", "[kernel.kallsyms]", 0x20),
    ]


def renamed_kernel(image: str, add: int) -> list[tuple[str, bytes]]:
    """The files of app-flat as if the kernel was called `image`; `add` to each of its keys."""
    with tarfile.open(RECORDINGS / "app-flat" / "session.tar.gz") as tar:
        files = [(one.name, tar.extractfile(one).read()) for one in tar if one.isreg()]  # type: ignore[union-attr]
    return [
        (path.replace("{root}/proc/kallsyms", image), _moved(content, add))
        if "{root}/proc/kallsyms" in path
        else (path, content)
        for path, content in files
    ]


def _moved(content: bytes, add: int) -> bytes:
    found = parse("x", content)
    nodes = tuple(zip((found.keys + np.uint64(add)).tolist(), found.counts.tolist(), strict=True))
    return sample_file(LAYOUT, Written(nodes=nodes, mhz=found.header.mhz))


@pytest.mark.parametrize(
    ("image", "add"),
    [
        ("{root}/srv/vmlinux/vmlinux-6.18.44-synth", 0),  # --vmlinux: keys count from .text
        ("{kern}/no-vmlinux", 0xFFFFFFFF81000000),  # neither: keys are addresses
    ],
)
def test_kallsyms_names_the_kernel_of_a_session_with_vmlinux(image: str, add: int) -> None:
    _, by_kallsyms = read(RECORDINGS / "app-flat" / "session.tar.gz")
    batch = read_files(renamed_kernel(image, add), ImportOptions(kallsyms=KALLSYMS))
    assert functions(batch) == functions(by_kallsyms)
    without = read_files(renamed_kernel(image, add))
    assert without.facts.limitations["no-kernel-names"].samples == 18  # operf.log
    assert "no-kernel-names" not in batch.facts.limitations


@pytest.mark.parametrize("text", [0xFFFF800080000000, 0xFFFFFFFF81000000])
def test_text_of_vmlinux_begins_at_stext_on_arm64_and_at_text_on_x86(
    text: int, tmp_path: Path
) -> None:
    kallsyms = tmp_path / "kallsyms"
    is_x86 = text > 0xFFFFFFFF80000000
    kallsyms.write_text(
        f"{text:x} T _text\n{text + 0x10000:x} T _stext\n"
        f"{text + (0x8 if is_x86 else 0x10008):x} T hit\n{text + 0x20000:x} T _etext\n"
    )
    path = SAMPLES + "{root}/bin/x/{dep}/{root}/boot/vmlinux-6.1/" + EVENT
    batch = read_files([(path, sample_file())], ImportOptions(kallsyms=kallsyms))
    assert set(functions(batch)) == {("CPU_CLK_UNHALTED", "hit", "[kernel.kallsyms]")}


@pytest.mark.parametrize(
    ("image", "dso"),
    [
        ("{kern}/nf_conntrack", "[nf_conntrack]"),
        ("{kern}/no-vmlinux", "[kernel.kallsyms]"),
        ("{root}/boot/vmlinux-6.1.0-9-amd64", "[kernel.kallsyms]"),
        ("{root}/lib/modules/6.1/kernel/net/nf-nat.ko", "[nf_nat]"),
        ("{anon:[vdso]}/28.0x7f0000000000.0x7f0000000fff", "[vdso]"),
        ("{anon:anon}/28.0x7f0000000000.0x7f0000000fff", "//anon"),
    ],
)
def test_images_have_the_names_perf_gives_them(image: str, dso: str) -> None:
    content = sample_file(LAYOUT, Written(is_kernel="anon" not in image))
    batch = read_files([(SAMPLES + "{root}/bin/x/{dep}/" + image + "/" + EVENT, content)])
    assert batch.symbols["dso"].unique().to_list() == [dso]
    assert "28" not in str(batch.symbols["name"].to_list())


@pytest.mark.parametrize(
    ("app", "comm"),
    [
        ("{root}/usr/bin/iperf3", "iperf3"),
        ("{kern}/kdamond.0", "kdamond.0"),
        ("{root}/ksoftirqd/1", "ksoftirqd/1"),
        ("{root}/memfd:sealed-1 (deleted)", "memfd:sealed-1"),
    ],
)
def test_the_comm_is_the_base_name_of_the_application(app: str, comm: str) -> None:
    path = SAMPLES + app + "/{dep}/{root}/proc/kallsyms/" + EVENT
    assert read_files([(path, sample_file())]).samples["comm"].unique().to_list() == [comm]


def test_without_separation_libraries_and_the_kernel_have_no_comm() -> None:
    lib = SAMPLES + "{root}/lib/libc.so.6/{dep}/{root}/lib/libc.so.6/" + EVENT
    kernel = SAMPLES + "{root}/boot/vmlinux-6.1.0-9/{dep}/{root}/boot/vmlinux-6.1.0-9/" + EVENT
    user = sample_file(LAYOUT, Written(is_kernel=False))
    batch = read_files([(lib, user), (kernel, sample_file()), (USER_FILE, user)])
    assert set(batch.samples["comm"]) == {None, "x"}
    assert batch.facts.kernel_release == "6.1.0-9"


def test_throttled_events_are_noted() -> None:
    batch = read_files([(KERNEL_FILE, sample_file()), (SAMPLES + "stats/throttled/LLC_REFS", b"")])
    assert batch.skipped.rows() == [(0, "LLC_REFS", "throttled: samples are missing")]


def test_threads_and_cpus_are_kept_apart() -> None:
    path = KERNEL_FILE.replace("all.all.all", "12.13.3")
    (row,) = read_files([(path, sample_file(LAYOUT, Written(nodes=((1, 5),))))]).samples.iter_rows(
        named=True
    )
    assert (row["pid"], row["tid"], row["cpu"], row["count"]) == (12, 13, 3, 5)
    assert row["period"] == 5 * 500_000  # a million cycles at 2000 MHz are 500,000 ns


def test_an_unknown_clock_leaves_cycles() -> None:
    content = sample_file(LAYOUT, Written(mhz=0.0))
    batch = read_files([(KERNEL_FILE, content), (USER_FILE, sample_file())])
    assert batch.facts.events["CPU_CLK_UNHALTED"].unit == "cycles"
    assert batch.samples["period"].sum() == 14 * 1_000_000


def test_a_damaged_file_is_an_error_and_left_out_if_lenient() -> None:
    entries = [(KERNEL_FILE, sample_file()), (USER_FILE, sample_file()[:-4])]
    with pytest.raises(PerfduckError, match=r"x\.tar: \{root\}/bin/x/.*2664 bytes .* got 2660"):
        read_files(entries)
    batch = read_files(entries, ImportOptions(lenient=True))
    assert batch.samples["count"].sum() == 7
    assert len(batch.skipped) == 1


def test_a_path_that_is_no_sample_files_is_skipped_and_counted() -> None:
    stray = SAMPLES + "{root}/bin/x/{dep}/{root}/bin/x/notes.txt"
    batch = read_files([(KERNEL_FILE, sample_file()), (stray, b"")])
    assert batch.skipped["reason"].to_list() == ["not the path of a sample file"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x"])
def test_paths_that_leave_the_archive_are_refused(name: str) -> None:
    with pytest.raises(PerfduckError, match="expected paths inside the archive"):
        read_files([(KERNEL_FILE, sample_file()), (name, b"")])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_left_out_and_named(kind: bytes) -> None:
    def edit(member: tarfile.TarInfo) -> None:
        if member.name == USER_FILE:
            member.type, member.linkname, member.size = kind, "/etc/passwd", 0

    content = archive([(KERNEL_FILE, sample_file()), (USER_FILE, b"")], edit)
    (batch,) = session_importer.open(Source("x.tar", io.BytesIO(content))).batches(ImportOptions())
    assert batch.skipped["text"].to_list() == [USER_FILE]
    assert batch.samples["count"].sum() == 7


def test_links_in_a_directory_are_not_followed(tmp_path: Path) -> None:
    lay_out(tmp_path, [(KERNEL_FILE, sample_file())])
    (tmp_path / SAMPLES / "{root}" / "up").symlink_to("/")
    _, batch = read(tmp_path / "oprofile_data")
    assert batch.skipped["reason"].to_list() == ["a link"]


def test_too_many_members_and_too_many_bytes_are_refused(set_limits: SetLimits) -> None:
    entries = [(KERNEL_FILE, sample_file()), (USER_FILE, sample_file())]
    set_limits(most_files=1)
    with pytest.raises(PerfduckError, match="expected at most 1 files, got more"):
        read_files(entries)
    set_limits(most_files=10, most_archive_bytes=4000)
    with pytest.raises(PerfduckError, match="expected an archive of at most 4000 bytes"):
        read_files(entries)


def test_a_truncated_archive_is_refused() -> None:
    content = archive([(KERNEL_FILE, sample_file())])
    with pytest.raises(PerfduckError, match="expected"):
        list(
            session_importer.open(Source("x.tar", io.BytesIO(content[:1500]))).batches(
                ImportOptions()
            )
        )


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    batch_of(session_importer, SESSION)
    assert list(tmp_path.iterdir()) == []


WHOLE = archive([(KERNEL_FILE, sample_file()), (USER_FILE, sample_file())])


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=6))
def test_a_changed_archive_is_refused_or_read_but_never_a_traceback(
    changes: list[tuple[int, int]],
) -> None:
    content = bytearray(WHOLE)
    for place, value in changes:
        content[place] = value
    source = Source("x.tar", io.BytesIO(bytes(content)))
    with suppress(PerfduckError):
        list(session_importer.read(source, ImportOptions()))


def test_the_last_run_of_a_log_counts() -> None:
    runs = [
        f"\nProfiling started at Mon Nov 23 01:26:{second} 2026\n"
        "Profiling stopped at Mon Nov 23 01:27:06 2026\n\n-- OProfile/operf Statistics --\n"
        f"Nr. non-backtrace samples: {second}\n"
        for second in ("01", "36")
    ]
    log = parse_log("".join(runs))
    assert (str(log.started_at), log.duration_s) == ("2026-11-23 01:26:36", 30)
    assert log.samples == 36
    assert parse_log("Profiling started at yesterday\n").started_at is None


def jit_file() -> bytes:
    with tarfile.open(RECORDINGS / "app-jit" / "session.tar.gz") as tar:
        (member,) = (one for one in tar if one.name.endswith(".jo"))
        file = tar.extractfile(member)
        assert file
        return file.read()


JIT = jit_file()


def test_code_of_a_jit_has_its_names() -> None:
    elf = read_elf(JIT)
    assert elf
    functions_of = elf_functions(elf)
    assert functions_of["address"].to_list() == [0x7F1AA2EA5000, 0x7F1AA2EA5200]
    assert with_parameters(functions_of["name"][0]) == "void Demo.hotLoop(java.lang.String)"


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, len(JIT) - 1), st.integers(0, 255)), max_size=6))
def test_a_changed_elf_file_is_none_or_read_but_never_a_traceback(
    changes: list[tuple[int, int]],
) -> None:
    content = bytearray(JIT)
    for place, value in changes:
        content[place] = value
    elf = read_elf(bytes(content))
    if elf:
        elf_functions(elf)
