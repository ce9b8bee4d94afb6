"""What the OProfile tests share: the recordings, and writers of sample files and archives."""

import importlib.util
import io
import struct
import sys
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.oprofile.sample_file import HeaderLayout
from perfduck_ingest.source import Source
from perfduck_model.batch import Batch

ROOT = Path(__file__).parent.parent.parent
RECORDINGS = ROOT / "fixtures" / "oprofile"
KALLSYMS = RECORDINGS / "kallsyms.xz"
SAMPLES = "oprofile_data/samples/current/"
KERNEL_FILE = (
    SAMPLES + "{root}/bin/x/{dep}/{root}/proc/kallsyms/CPU_CLK_UNHALTED.1000000.0.all.all.all"
)


def load_oracle() -> ModuleType:
    """bench/oprofile_oracle.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location(
        "oprofile_oracle", ROOT / "bench" / "oprofile_oracle.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["oprofile_oracle"] = module
    spec.loader.exec_module(module)
    return module


def batch_of(importer: object, name: str | Path, content: bytes | None = None) -> Batch:
    """The one batch that an importer makes of a file or of bytes."""
    if content is None and not Path(name).is_dir():
        content = Path(name).read_bytes()
    source = Source(str(name), io.BytesIO(content) if content is not None else None)
    (batch,) = importer.open(source).batches(ImportOptions(kallsyms=KALLSYMS))  # type: ignore[attr-defined]
    return batch  # type: ignore[no-any-return]


def functions(batch: Batch) -> dict[tuple[str, ...], int]:
    """Counts by event, name and dso."""
    symbols = {row[0]: (row[1], row[2]) for row in batch.symbols.iter_rows()}
    leaf = {stack: symbols[ids[0]] for stack, ids in batch.stacks.iter_rows()}
    found: dict[tuple[str, ...], int] = {}
    for row in batch.samples.iter_rows(named=True):
        key = (row["event"], *leaf[row["stack_id"]])
        found[key] = found.get(key, 0) + row["count"]
    return found


@dataclass(frozen=True)
class Written:
    """What a sample file is written with."""

    version: int = 0x13
    nodes: tuple[tuple[int, int], ...] = ((0x10, 3), (0x20, 4))
    size: int = 128
    is_kernel: bool = True
    mhz: float = 2000.0


LAYOUT = HeaderLayout(72, 32, 40, 48, 56, 64)


def sample_file(layout: HeaderLayout = LAYOUT, what: Written = Written()) -> bytes:
    """A sample file as libdb writes it: hash chains by key modulo size."""
    order = layout.order
    header = bytearray(layout.header_bytes)
    header[:4] = b"DAE\n"
    struct.pack_into(f"{order}6I", header, 4, what.version, 41, 0x3C, 0, 1000000, what.is_kernel)
    struct.pack_into(f"{order}d", header, layout.cpu_speed, what.mhz)
    mtime = "Q" if layout.mtime_bytes == 8 else "I"
    struct.pack_into(order + mtime, header, layout.mtime, 1700000000)
    struct.pack_into(f"{order}Q", header, layout.anon_start, 0x7F0000000000)
    descr = struct.pack(f"{order}2I24x", what.size, len(what.nodes) + 1)
    table = [0] * what.size
    nodes = [struct.pack(f"{order}QII", 0, 0, 0)]
    for number, (key, value) in enumerate(what.nodes, 1):
        nodes.append(struct.pack(f"{order}QII", key, value, table[key % what.size]))
        table[key % what.size] = number
    nodes += [bytes(16)] * (what.size - len(nodes))
    return bytes(header) + descr + b"".join(nodes) + struct.pack(f"{order}{what.size}I", *table)


def archive(
    files: Iterable[tuple[str, bytes]], edit: Callable[[tarfile.TarInfo], None] | None = None
) -> bytes:
    """A tar archive of the files; `edit` may change each member."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            if edit:
                edit(member)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def lay_out(folder: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    """The files below a folder."""
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def elf_file(
    symbols: Iterable[tuple[str, int, bool]], *, is_linked: bool = True, address: int = 0x1000
) -> bytes:
    """An ELF file with 256 bytes of .text at file offset 0x40. A symbol is name, offset in .text,
    and whether it is global."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in symbols)
    table, at = bytes(24), 1
    for name, offset, is_global in symbols:
        value = offset + (address if is_linked else 0)
        table += struct.pack("<IBBHQQ", at, (is_global << 4) | 2, 0, 1, value, 4)
        at += len(name) + 1
    titles = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    parts = [bytes(256), table, names, titles]
    heads, place = bytes(64), 64
    for title, kind, flags, start, link, part in zip(
        (1, 7, 15, 23), (1, 2, 3, 3), (6, 0, 0, 0), (address, 0, 0, 0), (0, 3, 0, 0), parts,
        strict=True,
    ):  # fmt: skip
        start = start if is_linked else 0
        entry = 24 if kind == 2 else 0
        heads += struct.pack(
            "<IIQQQQIIQQ", title, kind, flags, start, place, len(part), link, 0, 1, entry
        )
        place += len(part)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack(
        "<HHIQQQIHHHHHH", 2 if is_linked else 1, 62, 1, 0, 0, place, 0, 64, 56, 0, 64, 5, 4
    )
    return header + b"".join(parts) + heads
