"""Every -F set and option of perf script, as bench/perf_script_options.py kept them, against a slow
reader that knows which fields were asked for."""

import json
import lzma

import pytest
from option_texts import Text, difference
from recordings import FIXTURES
from rows import mostly_slow

KEPT = lzma.decompress((FIXTURES / "perf_script_options.json.xz").read_bytes())
TEXTS = [Text(**row) for row in json.loads(KEPT)]


@pytest.mark.parametrize("text", mostly_slow(TEXTS, 8), ids=lambda text: text.name)
def test_the_importer_reads_what_the_slow_reader_reads(text: Text) -> None:
    assert difference(text) is None


def test_the_slow_reader_finds_samples_in_each_text() -> None:
    assert len(TEXTS) > 80
    assert not [text.name for text in TEXTS if not text.text.strip()]
