"""What simpleperf puts into a recording: names of events, symbols of files."""

import struct
from pathlib import Path

import oracle
import pytest
from made import FIELDS, Recording
from test_binaries import leaves

from perfduck_ingest.perf_data import simpleperf
from perfduck_model.errors import PerfduckError

PROGRAM = "/opt/spin"
# As the crate linux-perf-data 0.13.0 encodes a SimpleperfFileRecord: an ELF file, and a dex file.
MESSAGE = bytes.fromhex(
    "0a092f6f70742f7370696e1002188040220c08804210101a056669727374220d08904210101a067365636f6e64"
    "3203088020"
)
DEX = bytes.fromhex(
    "0a0a2f6f70742f612e6465781003221208800210101a0b4a6176612e6d6574686f642a050a0328ac02"
)
META = b"simpleperf_version\0001.build.7848450\0event_type_info\0raw-crypto,1,0\nsched:x,2,45\0"


def sized(*bodies: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(body)) + body for body in bodies)


def first_version(offset: bytes) -> bytes:
    head = PROGRAM.encode() + b"\0" + struct.pack("<IQI", 2, 0x2000, 2)
    first = struct.pack("<QI", 0x2100, 16) + b"first\0"
    return head + first + struct.pack("<QI", 0x2110, 16) + b"second\0" + offset


def recording(feature: int, raw: bytes) -> Recording:
    made = Recording(FIELDS, features={feature: raw})
    made.comm("spin")
    made.map(0x7F0000000000, 0x10000, 0x1000, PROGRAM)
    for time, address in enumerate((0x105, 0x110, 0x120)):
        made.sample(10 + time, 0x7F0000000000 + address)
    return made


FEATURES = [
    (simpleperf.FILE, sized(first_version(struct.pack("<Q", 0x1000)))),
    (simpleperf.FILE2, sized(DEX, MESSAGE)),
]


@pytest.mark.parametrize(("feature", "raw"), FEATURES)
def test_files_tell_their_symbols(feature: int, raw: bytes, tmp_path: Path) -> None:
    assert leaves(recording(feature, raw), tmp_path) == {"first", "second", "[unknown]"}


@pytest.mark.parametrize(("feature", "raw"), FEATURES)
def test_a_file_that_is_cut_off_is_said(feature: int, raw: bytes, tmp_path: Path) -> None:
    with pytest.raises(PerfduckError, match=r"expected a whole perf\.data file"):
        leaves(recording(feature, raw[:-3]), tmp_path)


@pytest.mark.parametrize("offset", [b"", b"\xff" * 8])
def test_without_its_offset_a_file_names_nothing(offset: bytes, tmp_path: Path) -> None:
    made = recording(simpleperf.FILE, sized(first_version(offset)))
    assert leaves(made, tmp_path) == {"[unknown]"}


@pytest.mark.parametrize(("flags", "suffix"), [(0, ""), (1 << 5, ":u"), (1 << 4, ":k")])
def test_events_are_called_as_simpleperf_calls_them(
    flags: int, suffix: str, tmp_path: Path
) -> None:
    made = recording(simpleperf.META_INFO, META)
    made.flags = flags
    batches = oracle.batches_of(made.write(tmp_path / "perf.data"))
    assert {row[6] for row in oracle.said_by_us(batches)} == {f"raw-crypto{suffix}"}
