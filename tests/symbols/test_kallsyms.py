import gzip
import lzma
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfduck_model.errors import SymbolError
from perfduck_model.zstandard import zstd
from perfduck_symbols import kallsyms
from perfduck_symbols.kernel_files import KernelFiles
from perfduck_tags.tagger import Tagger

TEXT = """\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff82159000 T br_handle_frame_finish
ffffffff82159100 t br_of_tomorrow
ffffffff82159200 T __pfx_br_handle_frame
ffffffff82159210 T br_handle_frame
ffffffff82159210 T __br_handle_frame_alias
ffffffff82159900 d jiffies
ffffffff82159a00 W weak_name
ffffffff82159a00 T a_strong_name
ffffffffc0a41000 t nf_conntrack_in\t[nf_conntrack]
"""


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, zstd.compress])
def test_compressed_files_read_alike(tmp_path: Path, compress: object) -> None:
    path = tmp_path / "kallsyms"
    path.write_bytes(compress(TEXT.encode()))  # type: ignore[operator]
    assert len(kallsyms.read(kallsyms.file_of(path)).symbols) == 9


def test_an_address_is_named_as_perf_names_it(tmp_path: Path) -> None:
    path = tmp_path / "kallsyms"
    path.write_text(TEXT)
    read = kallsyms.read(kallsyms.file_of(path))
    addresses = [0xFFFFFFFF82159215, 0xFFFFFFFF82159A00, 0xFFFFFFFFC0A41001, 0x400000, 2**64 - 1]
    signed = pl.Series([a - 2**64 if a >= 2**63 else a for a in addresses])
    names = ["__br_handle_frame_alias", "a_strong_name", "nf_conntrack_in", None, None]
    assert read.resolve(signed).to_list() == names
    assert read.aliases("br_handle_frame") == ["__br_handle_frame_alias"]


def test_a_new_name_between_two_functions_of_a_file_gets_their_tag(tmp_path: Path) -> None:
    path = tmp_path / "kallsyms"
    path.write_text(TEXT)
    symbols = pl.DataFrame(
        {
            "symbol_id": [1, 2],
            "name": ["br_of_tomorrow", "[unknown]"],
            "dso": ["[kernel.kallsyms]"] * 2,
            "address": [None, 0xFFFFFFFF82159015 - 2**64],
        }
    )
    tagged = Tagger(kernel_files=KernelFiles(kallsyms.file_of(path))).tag(symbols)
    assert tagged["tagged_by"].to_list() == ["neighbour", "catalogue"]
    assert tagged["source_file"].to_list() == ["net/bridge/br_input.c"] * 2
    assert tagged["canonical"].to_list() == ["br_of_tomorrow", "br_handle_frame_finish"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected addresses of functions, got no code symbols"),
        ("0000000000000000 T _stext\n", "got only zeros (read it as root)"),
        ("ffffffff81000000 T _stext\nhello\n", ":2: expected 'ADDRESS TYPE NAME', got 'hello'"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_reason(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "kallsyms"
    path.write_text(text)
    with pytest.raises(SymbolError) as refused:
        kallsyms.read(kallsyms.file_of(path))
    assert message in str(refused.value)


def test_a_missing_or_broken_file_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "kallsyms.gz"
    broken.write_bytes(gzip.compress(TEXT.encode())[:30])
    for path in (tmp_path / "missing", tmp_path, broken):
        with pytest.raises(SymbolError, match="expected kallsyms, got"):
            kallsyms.read(kallsyms.file_of(path))


NAMES = st.text("abc_.019", min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 2**40), NAMES), min_size=1, max_size=20))
def test_every_start_of_a_function_resolves_to_a_name_there(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str]]
) -> None:
    path = tmp_path_factory.mktemp("kallsyms") / "kallsyms"
    path.write_text("".join(f"{address:016x} t {name}\n" for address, name in rows))
    names = (
        kallsyms.read(kallsyms.file_of(path))
        .resolve(pl.Series([address for address, _ in rows]))
        .to_list()
    )
    assert all((address, name) in rows for (address, _), name in zip(rows, names, strict=True))
