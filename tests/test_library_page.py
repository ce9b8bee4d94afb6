"""What docs/library.md shows is run, in its order, in one folder."""

import re
from pathlib import Path
from typing import Any

import pytest
from recordings import FIXTURES, ROOT

import perfduck

PAGE = (ROOT / "docs" / "library.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_examples_say_what_they_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fixtures").symlink_to(FIXTURES)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    printed = []
    for example in EXAMPLES:
        exec(compile(example, "library.md", "exec"), names)
        printed.append(capsys.readouterr().out)
    first, recordings, questions, gate, wrong = printed
    assert first.startswith("regression\n")
    assert "subsystem" in first
    assert recordings.startswith("native.1 ")
    assert "2.16812e6" in recordings
    assert "1.02124e6" in recordings
    assert "nf_hook_slow" in questions
    assert "conntrack" in questions
    assert gate.endswith("1\n")
    assert len(gate.splitlines()) == 4
    assert names["page"].startswith("<!doctype html>")
    assert wrong.startswith("nativ.*: expected a profile name, glob or label")


def test_every_method_and_filter_is_on_the_page() -> None:
    methods = {name for name in dir(perfduck.ProfileStore) if not name.startswith("_")}
    methods -= {"close"}
    assert {name for name in methods if not re.search(rf"\b{name}[(`]", PAGE)} == set()
    filters = perfduck.FilterOptions.__annotations__
    assert {name for name in filters if f"`{name}`" not in PAGE} == set()
