"""Packed files and texts of odd bytes that were made to eat memory or time."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zlib

from bomb import GB, HEAD, MB, Bomb, Chunks, given, many, within

from perfduck_model.zstandard import zstd


def _of_dictionary(code: int) -> bytes:
    """HEAD as an .xz whose block asks for a dictionary of 2 << (code // 2 + 11) bytes or so."""
    packed = bytearray(lzma.compress(HEAD, lzma.FORMAT_XZ, preset=0))
    size = (packed[12] + 1) * 4  # of the block's header, behind that of the stream
    packed[16] = code
    packed[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(packed[12 : 12 + size - 4]))
    return bytes(packed)


def _of_window(log: int, size: int) -> Chunks:
    """A frame of zstd with this window, and blocks that repeat a byte."""
    yield b"\x28\xb5\x2f\xfd\x00" + bytes([log - 10 << 3])
    yield from many(struct.pack("<I", 1 << 1 | (128 << 10) << 3)[:3] + b"\n", size >> 15)
    yield struct.pack("<I", 1 | 1 << 1 | 8 << 3)[:3] + b"\n"


def _members(packed: bytes, size: int) -> Chunks:
    """HEAD, and members that hold nothing."""
    opener = {b"\x1f\x8b": gzip.compress, b"BZ": bz2.compress, b"\xfd7": lzma.compress}
    yield opener.get(packed[:2], zstd.compress)(HEAD)
    yield from many(packed, size)


def _tar_of_links(count: int, kind: bytes) -> Chunks:
    """A session whose files are links to each other."""
    for n in range(count):
        member = tarfile.TarInfo(f"oprofile_data/samples/current/{n}")
        member.type, member.linkname = kind, f"oprofile_data/samples/current/{(n + 1) % count}"
        yield member.tobuf(tarfile.GNU_FORMAT)
    yield b"\0" * 1024


def _nested_tar(depth: int) -> Chunks:
    packed = b"x"
    for _ in range(depth):
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w") as archive:
            member = tarfile.TarInfo("oprofile_data/samples/x.tar")
            member.size = len(packed)
            archive.addfile(member, io.BytesIO(packed))
        packed = output.getvalue()
    yield packed


def _samples(count: int, line: str, frame: str = "ffffffff821f2fa7 f+0xd7 ([k])") -> Chunks:
    """Samples of perf script whose line and frame are numbered by %."""
    for first in range(0, count, 1 << 14):
        numbers = range(first, first + (1 << 14))
        yield "".join(
            (line % n if "%" in line else line)
            + "\n\t"
            + (frame % n if "%" in frame else frame)
            + "\n\n"
            for n in numbers
        ).encode()


_FOLDED = b"nginx;main;read;vfs_read 12\n"
_LINE = "x 1 [000] 1.500000: 1001001 cpu-clock: "
_ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE profile [<!ENTITY a "'
    + b"x" * 1000
    + b'">'
    + b"".join(
        b'<!ENTITY %c "%s">' % (name + 1, b"&%c;" % name * 100)
        for name in range(ord("a"), ord("h"))
    )
    + b']><profile schemaversion="3.1" title="&h;"><setup/>&h;</profile>'
)


def _odd(name: str, piece: bytes, size: int = GB) -> Bomb:
    return Bomb(name, within(HEAD, piece, size, b"\n" + HEAD))


PACKED_BOMBS = [
    Bomb("xz, dictionary of 4 GB", lambda: iter([_of_dictionary(40)]), ".xz"),
    Bomb("xz, dictionary of 1.5 GB", lambda: iter([_of_dictionary(37)]), ".xz"),
    Bomb("zstd, window of 2 GB", lambda: _of_window(31, GB), ".raw"),
    Bomb("zstd, window of 128 MB", lambda: _of_window(27, GB), ".raw"),
    Bomb("zstd, 8 M empty frames", lambda: _members(zstd.compress(b""), 72 * MB), ".raw"),
    Bomb("gzip, 3 M empty members", lambda: _members(gzip.compress(b""), 60 * MB), ".raw"),
    Bomb("bzip2, 3 M empty streams", lambda: _members(bz2.compress(b""), 42 * MB), ".raw"),
    Bomb("xz, 1 M empty streams", lambda: _members(lzma.compress(b""), 32 * MB), ".raw"),
    Bomb("tar, 400,000 symbolic links in a ring", lambda: _tar_of_links(400_000, b"2")),
    Bomb("tar, 400,000 hard links in a ring", lambda: _tar_of_links(400_000, b"1")),
    Bomb("tar, 400,000 devices", lambda: _tar_of_links(400_000, b"3")),
    Bomb("tar, 200 within each other", lambda: _nested_tar(200)),
    Bomb("XML, entities of 10^17 bytes", lambda: iter([_ENTITIES])),
    Bomb(
        "XML, 200 MB of attributes",
        within(b'<profile schemaversion="3.1" ', b'a="b" ', 200 * MB, b"/>"),
    ),
    Bomb("XML, 1 GB of namespaces", within(b"<profile ", b'xmlns:a="b" ', GB, b"/>")),
    _odd("1 GB of NUL", b"\0"),
    _odd("1 GB of carriage returns", b"\r"),
    _odd("1 GB of form feeds and line ends", b"\f\n"),
    _odd("1 GB of bytes that are no UTF-8", b"\xff\xfe\xc3\n"),
    _odd("1 GB of NEL and LS", "\x85\u2028\n".encode()),
    _odd("1 GB of event lines", _LINE.encode() + b"\n"),
    _odd("1 GB of frames without event lines", b"\tffffffff821f2fa7 f+0xd7 ([k])\n\n"),
    _odd("1 GB of combining marks", "e\u0301\u0301\u0301\u0301\n".encode()),
    Bomb("2 M comms", lambda: _samples(2 << 20, _LINE.replace("x 1", "c%d 1"))),
    Bomb("2 M events", lambda: _samples(2 << 20, _LINE.replace("cpu-clock", "e%d"))),
    Bomb("2 M symbols", lambda: _samples(2 << 20, _LINE, "ffffffff821f2fa7 f%d+0xd7 ([k])")),
    Bomb("2 M dsos", lambda: _samples(2 << 20, _LINE, "ffffffff821f2fa7 f+0xd7 (/l/%d.so)")),
    Bomb("2 M offsets", lambda: _samples(2 << 20, _LINE, "ffffffff821f2fa7 f+0x%x ([k])")),
    Bomb("folded, 1 GB of newlines", within(_FOLDED * 100, b"\n", GB, _FOLDED)),
    Bomb("folded, 1 GB of one line", within(_FOLDED, _FOLDED, GB, b"")),
    Bomb("folded, line of 1 GB", within(_FOLDED * 100, b"a", GB, b" 1\n")),
    Bomb("folded, stack of 500 M frames", within(_FOLDED * 100, b"a;", GB, b"a 1\n")),
    Bomb(
        "folded, lines of 4 M frames",
        within(_FOLDED * 100, b"a;" * (4 * MB - 9) + b"a 1\n", GB, b""),
    ),
    Bomb(
        "work, 60 MB of a number in JSON",
        within(b'{"end":', b"9", 60 * MB, b"}"),
        "",
        given("--work-from"),
    ),
    Bomb(
        "work, 60 MB of strings in JSON",
        within(b'{"end":"', b"\\u0000", 60 * MB, b'"}'),
        "",
        given("--work-from"),
    ),
    Bomb(
        "rules, 4 MB of one line",
        within(b"symbol,area,subsystem\n", b"a", 4 * MB - 100, b",b,c\n"),
        "",
        given("--rules"),
    ),
    Bomb(
        "rules, 18,000 of stars",
        within(b"symbol,area,subsystem\n", b"*a*b*c*d*e*f*g*,a,b\n", 360_000, b""),
        "",
        given("--rules"),
    ),
]
