"""Frames from another machine: as they were sent, or refused, and never larger than is allowed."""

import io
import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes
from set_limits import SetLimits

from perfduck_store.remote.frames import read_frame

MB = 1 << 20
TYPES = [
    pl.Int64, pl.UInt64, pl.Int8, pl.Float64, pl.Boolean, pl.String, pl.Binary, pl.Null, pl.Date,
    pl.Datetime("ns"), pl.Datetime("us", "UTC"), pl.Time, pl.Duration("us"), pl.Decimal(38, 3),
    pl.List(pl.Int64), pl.List(pl.String), pl.Struct({"a": pl.Int64, "b": pl.List(pl.String)}),
    pl.Array(pl.Int64, 2), pl.Categorical,
]  # fmt: skip


def written(frame: pl.DataFrame, compression: str = "lz4") -> bytes:
    file = io.BytesIO()
    frame.write_ipc(file, compression=compression)
    return file.getvalue()


@pytest.mark.slow
@given(dataframes(allowed_dtypes=TYPES, max_size=20), st.sampled_from(["lz4", "uncompressed"]))
def test_a_frame_arrives_as_it_was_sent(frame: pl.DataFrame, compression: str) -> None:
    assert_frame_equal(read_frame(written(frame, compression)), frame)


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_what_is_larger_than_allowed_is_not_unpacked(
    compression: str, set_limits: SetLimits
) -> None:
    data = written(pl.DataFrame({"n": pl.zeros(MB, pl.Int64, eager=True)}), compression)
    assert read_frame(data).height == MB
    set_limits(most_frame_bytes=8 * MB)  # what describes it comes on top
    with pytest.raises(ValueError, match=r"^expected a frame of at most 8 MB, got more$"):
        read_frame(data)


def test_batches_add_up(set_limits: SetLimits) -> None:
    file = io.BytesIO()
    frame = pl.DataFrame({"n": pl.zeros(MB, pl.Int64, eager=True)})
    frame.write_ipc(file, compression="lz4", record_batch_size=MB // 64)
    set_limits(most_frame_bytes=8 * MB)
    with pytest.raises(ValueError, match="at most 8 MB"):
        read_frame(file.getvalue())


def test_a_column_of_nulls_has_rows(set_limits: SetLimits) -> None:
    set_limits(most_frame_bytes=8 * MB)
    with pytest.raises(ValueError, match="at most 8 MB"):
        read_frame(
            written(pl.DataFrame({"n": pl.Series([None], dtype=pl.Null).new_from_index(0, 2 * MB)}))
        )


@pytest.mark.parametrize("compression", ["lz4", "uncompressed"])
def test_a_damaged_frame_is_a_line(compression: str) -> None:
    """polars takes many of these for bugs of its own, and prints where they are."""
    frame = pl.DataFrame(
        {"n": range(50), "s": ["x" * n for n in range(50)], "l": [[1, 2]] * 50, "e": [None] * 50},
        schema_overrides={"s": pl.Categorical},
    )
    whole = written(frame, compression)
    chance, lines = random.Random(1), []
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.choice([0, 1, 127, 128, 255])
        try:
            read_frame(bytes(data))
        except ValueError as error:
            lines.append(str(error))
    assert len(lines) > 500
    assert not any("\n" in line for line in lines)


def test_what_describes_a_frame_is_bounded() -> None:
    footer = 17 * MB
    data = b"ARROW1\0\0" + bytes(footer) + footer.to_bytes(4, "little") + b"ARROW1"
    with pytest.raises(ValueError, match="16 MB describe"):
        read_frame(data)


@pytest.mark.parametrize("data", [b"", b"x", b"ARROW1", b"ARROW1\0\0" + b"\xff" * 200 + b"ARROW1"])
def test_what_is_no_file_is_a_line(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        read_frame(data)
