"""Recordings of 1 to 200 MB in every packing, cut into frames, members and streams anywhere.

    python bench/packings.py [--sizes 1 24 25 64 200] [--seed N]

Each is ingested, from a file and from a pipe, and must have the rows of the plain file; archives
and what is cut off or damaged at a random place must be refused in a line. Needs zstd, pzstd, gzip,
xz, bzip2, lz4 and zip.
"""

import argparse
import bz2
import gzip
import io
import lzma
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from itertools import cycle, pairwise
from pathlib import Path

from failed_imports import ROWS
from typer.testing import CliRunner

from perfduck.ingestion import IngestRequest, ingest
from perfduck_cli.main import app
from perfduck_model.errors import PerfduckError
from perfduck_model.zstandard import zstd
from perfduck_store.duckdb.store import DuckDbStore

DEMO = Path(__file__).parents[1] / "fixtures" / "demo"
MB = 1 << 20
PART = 24 * MB  # of text that is read at once
Pack = Callable[[bytes, random.Random], bytes]


def text(megabytes: int) -> bytes:
    """Recordings one behind the other, up to a whole sample."""
    made = bytearray()
    for path in cycle(sorted(DEMO.glob("*.txt.xz"))):
        made += lzma.decompress(path.read_bytes())
        if len(made) >= megabytes * MB:
            return bytes(made[: made.rindex(b"\n\n", 0, megabytes * MB) + 2])
    raise AssertionError


def pieces(raw: bytes, chance: random.Random, most: int = 4 * MB) -> Iterator[bytes]:
    """Cut at random places, beside each border of a part, and into single bytes there."""
    cuts = {0, len(raw), 1, 2, len(raw) - 1}
    for border in range(PART, len(raw), PART):
        cuts |= {border + near for near in (-2, -1, 0, 1, 2) if border + near < len(raw)}
    at = 0
    while (at := at + chance.randrange(1, most)) < len(raw):
        cuts.add(at)
    return (raw[start:end] for start, end in pairwise(sorted(cuts)))


def command(*words: str) -> Pack:
    def pack(raw: bytes, chance: random.Random) -> bytes:
        return subprocess.run(words, input=raw, capture_output=True, check=True).stdout

    return pack


def each(packed: Callable[[bytes], bytes], most: int = 4 * MB) -> Pack:
    return lambda raw, chance: b"".join(map(packed, pieces(raw, chance, most)))


def skippable(raw: bytes, chance: random.Random) -> bytes:
    """Frames with empty and skippable ones of all kinds between them."""
    made = []
    for number, piece in enumerate(pieces(raw, chance)):
        junk = chance.randbytes(chance.choice([0, 1, 5000]))
        kind = 0x50 + number % 16
        made.append(struct.pack("<BBBBI", kind, 0x2A, 0x4D, 0x18, len(junk)) + junk)
        made += [zstd.compress(piece, 1), zstd.compress(b"", 1)]
    return b"".join(made)


def member_with_fields(piece: bytes) -> bytes:
    """A member of gzip with all the fields that its header may have, and zeros behind it."""
    head = b"\x1f\x8b\x08\x1e" + bytes(4) + b"\0\x03"  # FHCRC, FEXTRA, FNAME, FCOMMENT
    head += struct.pack("<H", 9) + b"AB\5\0hello" + b"a name\0" + b"a comment\0"
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    end = struct.pack("<II", zlib.crc32(piece), len(piece) & 0xFFFFFFFF)
    return head + deflate.compress(piece) + deflate.flush() + end + bytes(12)


PACKINGS: dict[str, Pack] = {
    "zst": command("zstd", "-1", "-c"),
    "zst, window of 128 MB": command("zstd", "-1", "--long=27", "-c"),
    "zst, frames": each(lambda piece: zstd.compress(piece, 1)),
    "zst, frames of 20 kB": each(lambda piece: zstd.compress(piece, 1), 40_000),
    "zst, skippable and empty frames": skippable,
    "zst of pzstd": command("pzstd", "-1", "-p", "2", "-c"),
    "gz": command("gzip", "-1", "-c"),
    "gz, members": each(lambda piece: gzip.compress(piece, 1)),
    "gz, members with fields and padding": each(member_with_fields),
    "xz": command("xz", "-0", "-T1", "-c"),
    "xz, blocks of 1 MB": command("xz", "-0", "-T2", "--block-size=1MiB", "-c"),
    "xz, streams and padding": each(lambda piece: lzma.compress(piece, preset=0) + bytes(8)),
    "xz, streams without checks": each(
        lambda piece: lzma.compress(piece, check=lzma.CHECK_NONE, preset=0)
    ),
    "bz2": command("bzip2", "-1", "-c"),
    "bz2, streams": each(lambda piece: bz2.compress(piece, 1)),
}


def archive(raw: bytes, chance: random.Random) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        member = tarfile.TarInfo("run.txt")
        member.size = len(raw)
        tar.addfile(member, io.BytesIO(raw))
    return output.getvalue()


REFUSED: dict[str, Pack] = {
    "lz4": command("lz4", "-1", "-c"),
    "zip": command("zip", "-1", "-q", "-", "-"),
    "tar": archive,
    "tar.gz": lambda raw, chance: gzip.compress(archive(raw, chance), 1),
    "lzma": command("xz", "-0", "--format=lzma", "-c"),
}


def rows(path: Path, folder: Path) -> object:
    with DuckDbStore(folder / "s.duckdb", write=True) as store:
        ingest(store, IngestRequest(str(path), name="x"))
        stored = store.rows(ROWS)
    (folder / "s.duckdb").unlink()
    return stored


def piped(path: Path, folder: Path) -> object:
    words = [sys.executable, "-m", "perfduck", "ingest", "-", "--name", "x"]
    with path.open("rb") as file:
        subprocess.run([*words, "--store", str(folder / "p.duckdb")], stdin=file, check=True,
                       capture_output=True)  # fmt: skip
    with DuckDbStore(folder / "p.duckdb") as store:
        stored = store.rows(ROWS)
    (folder / "p.duckdb").unlink()
    return stored


def refusal(path: Path, folder: Path) -> str | None:
    """What is wrong about it, if anything."""
    store = folder / "r.duckdb"
    done = CliRunner().invoke(app, ["ingest", str(path), "--store", str(store)])
    error = done.exception
    if isinstance(error, PerfduckError) and "\n" not in str(error) and not store.exists():
        return None
    return f"exit {done.exit_code}: {error!r}"


def damaged(packed: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    end = chance.randrange(1, len(packed))
    yield f"cut to {end} bytes", packed[:end]
    yield "with bytes behind it", packed + b"more"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1, 24, 25, 64, 200])
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    tried, failures = 0, list[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "run.txt"
        for size in given.sizes:
            raw, chance = text(size), random.Random(given.seed + size)
            path.write_bytes(raw)
            right = rows(path, folder)
            for packing, pack in PACKINGS.items():
                packed = pack(raw, chance)
                path.write_bytes(packed)
                tried += 1
                reader = piped if chance.random() < 0.3 else rows
                if reader(path, folder) != right:
                    failures.append(f"{size} MB, {packing}, {reader.__name__}: other rows")
                for what, broken in damaged(packed, chance) if size <= 25 else ():
                    path.write_bytes(broken)
                    tried += 1
                    if wrong := refusal(path, folder):
                        failures.append(f"{size} MB, {packing}, {what}: {wrong}")
            for packing, pack in REFUSED.items():
                path.write_bytes(pack(raw, chance))
                tried += 1
                if wrong := refusal(path, folder):
                    failures.append(f"{size} MB, {packing}: {wrong}")
            print(f"{size} MB: {len(raw):,} bytes, {tried} tried, {failures}", flush=True)
    print(*failures, f"{tried} tried, {len(failures)} failed", sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
