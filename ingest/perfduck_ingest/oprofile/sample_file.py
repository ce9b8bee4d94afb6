"""One binary sample file of OProfile: how often each address of an image was hit.

    [ header, H bytes ][ descr, 32 bytes ][ node, 16 bytes each ][ hash table, 4 bytes each ]

    44 41 45 0a 13 00 00 00  29 00 00 00 3c 00 00 00    magic, version 0x13, cpu type, event
    00 00 00 00 40 42 0f 00  01 00 00 00 00 00 00 00    unit mask, count 1000000, is_kernel
    a3 39 b2 f2 ff f7 a1 40                             MHz as a double: 2299.998

The layout is that of the writing machine: its `abi` file says it; without one the version, the
byte order of the version and the size of the file do. A file that does not fit is refused: nodes
read at a wrong offset would be plausible counts of nonsense.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perfduck_ingest.oprofile.events import clock
from perfduck_model.arrays import Int64, UInt64
from perfduck_model.errors import PerfduckError

MAGIC = b"DAE\n"
_DESCR_BYTES = 32


@dataclass(frozen=True, slots=True)
class HeaderLayout:
    """Where a machine puts the fields: offsets in bytes, `order` as struct spells it."""

    header_bytes: int
    cpu_speed: int
    mtime: int
    cg_to_is_kernel: int
    anon_start: int
    cg_to_anon_start: int
    mtime_bytes: int = 8
    node_bytes: int = 16
    node_value: int = 8
    node_next: int = 12
    order: str = "<"


# Version -> the layouts it was written with: 64 bit (and ARM, PowerPC of 32 bit), then i386.
_LAYOUTS = {
    0x13: (HeaderLayout(72, 32, 40, 48, 56, 64), HeaderLayout(64, 28, 36, 44, 48, 56)),
    0x12: (HeaderLayout(88, 32, 40, 48, 64, 72), HeaderLayout(80, 28, 36, 44, 60, 68)),
    # i386 had a time_t of 4 bytes
    0x11: (
        HeaderLayout(88, 32, 40, 48, 64, 72),
        HeaderLayout(76, 28, 36, 40, 56, 64, mtime_bytes=4),
    ),
}


@dataclass(frozen=True, slots=True)
class SampleFileHeader:
    """What a sample file says of itself. The two `cg_to` fields count in call graph files only:
    in others they hold what the previous sample left there."""

    version: int
    unit_mask: int
    is_kernel: bool
    mhz: float
    has_odd_clock: bool  # what is recorded as mhz is no clock of a CPU: inf, 1e308
    mtime: int
    cg_to_is_kernel: bool
    anon_start: int
    cg_to_anon_start: int


@dataclass(frozen=True, slots=True)
class SampleFile:
    """The header and, in the order of the first hit, the keys and their counts."""

    header: SampleFileHeader
    keys: UInt64
    counts: Int64


def layout_of_abi(text: str) -> HeaderLayout:
    """The layout that an `abi` file describes: `key value` lines, decimal."""
    values = dict(_abi_lines(text))
    try:
        return HeaderLayout(
            header_bytes=values["sizeof_struct_opd_header"],
            cpu_speed=values["offsetof_header_cpu_speed"],
            mtime=values["offsetof_header_mtime"],
            cg_to_is_kernel=values["offsetof_header_cg_to_is_kernel"],
            anon_start=values["offsetof_header_anon_start"],
            cg_to_anon_start=values["offsetof_header_cg_to_anon_start"],
            mtime_bytes=min(
                values["offsetof_header_cg_to_is_kernel"] - values["offsetof_header_mtime"], 8
            ),
            node_bytes=values["sizeof_odb_node_t"],
            node_value=values["offsetof_node_value"],
            node_next=values["offsetof_node_next"],
            order="<" if values["little_endian"] else ">",
        )
    except KeyError as error:
        raise PerfduckError.at(
            where="abi", expected="the lines that opreport needs", got=f"none for {error}"
        ) from error


def _abi_lines(text: str) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(text.splitlines(), 1):
        key, _, value = line.partition(" ")
        if not value.isdecimal() or int(value) > 1 << 16:
            raise PerfduckError.at(
                where=f"abi:{number}", expected="`name number`", got=f"{line[:60]!r}"
            )
        yield key, int(value)


def parse(name: str, content: bytes, abi: HeaderLayout | None = None) -> SampleFile:
    """The sample file `name`, or a PerfduckError that says what does not fit."""
    layout, version = _layout(name, content, abi)
    header = _header(content, layout, version)
    nodes, table = _nodes(name, content, layout)
    _check_chains(name, nodes, table)
    return SampleFile(header, nodes["key"].astype(np.uint64), nodes["value"].astype(np.int64))


def _layout(name: str, content: bytes, abi: HeaderLayout | None) -> tuple[HeaderLayout, int]:
    version, order = _version(name, content)
    candidates = [_in_order(layout, order) for layout in _LAYOUTS[version]]
    if abi is not None and abi.order == order:
        candidates.insert(0, abi)
    for layout in candidates:
        if _fits(content, layout):
            return layout, version
    allocated = _allocated(content, candidates[0])
    raise PerfduckError.at(
        name,
        expected=(
            f"a sample file of {_expected_bytes(allocated, candidates[0])} bytes ({allocated}"
            " nodes)"
        ),
        got=len(content),
    )


def _version(name: str, content: bytes) -> tuple[int, str]:
    if not content.startswith(MAGIC):
        raise PerfduckError.at(
            name, expected=f"a sample file that starts with {MAGIC!r}", got=f"{content[:4]!r}"
        )
    for order in "<>":
        if len(content) >= 8:
            version = struct.unpack_from(f"{order}I", content, 4)[0]
            if version in _LAYOUTS:
                return version, order
    raise PerfduckError.at(
        name, expected="sample file version 0x11, 0x12 or 0x13", got=f"{content[4:8].hex()!r}"
    )


def _in_order(layout: HeaderLayout, order: str) -> HeaderLayout:
    fields = {field: getattr(layout, field) for field in layout.__slots__}
    return HeaderLayout(**(fields | {"order": order}))


def _allocated(content: bytes, layout: HeaderLayout) -> int:
    """Nodes that the file has room for: the first field of descr."""
    if len(content) < layout.header_bytes + 8:
        return 0
    return int(struct.unpack_from(f"{layout.order}I", content, layout.header_bytes)[0])


def _expected_bytes(allocated: int, layout: HeaderLayout) -> int:
    return layout.header_bytes + _DESCR_BYTES + allocated * (layout.node_bytes + 4)


def _fits(content: bytes, layout: HeaderLayout) -> bool:
    allocated = _allocated(content, layout)
    power_of_two = allocated > 0 and allocated & (allocated - 1) == 0
    return power_of_two and len(content) == _expected_bytes(allocated, layout)


def _header(content: bytes, layout: HeaderLayout, version: int) -> SampleFileHeader:
    def field(code: str, offset: int) -> int:
        return int(struct.unpack_from(layout.order + code, content, offset)[0])

    speed = struct.unpack_from(layout.order + "d", content, layout.cpu_speed)[0]
    return SampleFileHeader(
        version=version,
        unit_mask=field("I", 16),
        is_kernel=field("I", 24) != 0,
        mhz=clock(speed),
        has_odd_clock=speed != clock(speed),
        mtime=field("Q" if layout.mtime_bytes == 8 else "I", layout.mtime),
        cg_to_is_kernel=field("I", layout.cg_to_is_kernel) != 0,
        anon_start=field("Q", layout.anon_start),
        cg_to_anon_start=field("Q", layout.cg_to_anon_start),
    )


def _node_type(layout: HeaderLayout) -> np.dtype[np.void]:
    return np.dtype(
        {
            "names": ["key", "value", "next"],
            "formats": [f"{layout.order}u{layout.node_value}"] + [f"{layout.order}u4"] * 2,
            "offsets": [0, layout.node_value, layout.node_next],
            "itemsize": layout.node_bytes,
        }
    )


def _nodes(name: str, content: bytes, layout: HeaderLayout) -> tuple[npt.NDArray[np.void], Int64]:
    """The nodes in use (node 0 never is) and the hash table."""
    allocated, used = struct.unpack_from(f"{layout.order}2I", content, layout.header_bytes)
    if not 1 <= used <= allocated:
        raise PerfduckError.at(name, expected=f"1 to {allocated} used nodes", got=used)
    start = layout.header_bytes + _DESCR_BYTES
    nodes = np.frombuffer(content, _node_type(layout), used, start)
    table_start = start + allocated * layout.node_bytes
    table = np.frombuffer(content, f"{layout.order}u4", allocated, table_start)
    return nodes[1:], table.astype(np.int64)


def _check_chains(name: str, nodes: npt.NDArray[np.void], table: Int64) -> None:
    """Every node is in one chain of the hash table, exactly once: else the counts are damaged."""
    links = np.concatenate([table, nodes["next"].astype(np.int64)])
    links = np.sort(links[links != 0])
    if not np.array_equal(links, np.arange(1, len(nodes) + 1)):
        raise PerfduckError.at(
            name,
            expected=f"a hash table that reaches each of {len(nodes)} nodes once",
            got=f"{len(links)} links to {len(np.unique(links))} nodes",
        )
