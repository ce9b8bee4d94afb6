"""The binary reader: every version, word size and byte order; and what does not fit is refused."""

import re
import struct
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oprofile_files import LAYOUT, Written, sample_file

from perfduck_ingest.oprofile.sample_file import _LAYOUTS, HeaderLayout, layout_of_abi, parse
from perfduck_model.errors import PerfduckError

CASES = [
    (version, replace(layout, order=order))
    for version, layouts in _LAYOUTS.items()
    for layout in layouts
    for order in "<>"
]


@pytest.mark.parametrize(("version", "layout"), CASES)
def test_each_layout_is_recognised_without_abi(version: int, layout: HeaderLayout) -> None:
    content = sample_file(layout, Written(version=version))
    file = parse("x", content)
    assert list(zip(file.keys.tolist(), file.counts.tolist(), strict=True)) == [(16, 3), (32, 4)]
    assert (file.header.unit_mask, file.header.mhz) == (0, 2000.0)
    assert (file.header.mtime, file.header.anon_start) == (1700000000, 0x7F0000000000)
    assert file.header.is_kernel


def test_a_grown_file_with_colliding_keys_is_read() -> None:
    nodes = tuple((number * 128, number) for number in range(1, 200))
    file = parse("x", sample_file(LAYOUT, Written(nodes=nodes, size=256)))
    assert file.counts.sum() == sum(range(1, 200))


ABI = """sizeof_struct_opd_header 72
sizeof_odb_node_t 16
offsetof_node_value 8
offsetof_node_next 12
offsetof_header_cpu_speed 32
offsetof_header_mtime 40
offsetof_header_cg_to_is_kernel 48
offsetof_header_anon_start 56
offsetof_header_cg_to_anon_start 64
little_endian 0
"""


def test_an_abi_file_says_the_layout() -> None:
    layout = layout_of_abi(ABI)
    assert layout == replace(LAYOUT, order=">")
    assert parse("x", sample_file(layout), layout).counts.sum() == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("little_endian one\n", r"abi:1: expected `name number`, got 'little_endian one'"),
        ("little_endian 1\n", r"abi: expected the lines that opreport needs, got none for"),
    ],
)
def test_a_damaged_abi_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(PerfduckError, match=message):
        layout_of_abi(text)


GOOD = sample_file()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a sample file that starts with b'DAE\\n', got b''"),
        (b"ELF!" + GOOD[4:], "got b'ELF!'"),
        (GOOD[:4] + b"\x14\0\0\0" + GOOD[8:], "expected sample file version 0x11, 0x12 or 0x13"),
        (GOOD[:-1], "expected a sample file of 2664 bytes (128 nodes), got 2663"),
        (GOOD[:40], "got 40"),
        (GOOD + b"\0", "got 2665"),
        (GOOD[:76] + struct.pack("<I", 200) + GOOD[80:], "expected 1 to 128 used nodes, got 200"),
        (GOOD[:76] + struct.pack("<I", 9) + GOOD[80:], "reaches each of 8 nodes once, got 2 links"),
        (GOOD[:-512] + bytes(512), "got 0 links to 0 nodes"),
    ],
)
def test_a_damaged_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(PerfduckError, match=re.escape(message)):
        parse("session/x", content)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_changed_file_is_refused_or_read_but_never_a_traceback(data: st.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 120) | st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(content)))
    with suppress(PerfduckError):
        parse("x", bytes(content[:cut]), data.draw(st.sampled_from([None, LAYOUT])))
