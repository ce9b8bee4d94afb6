from pathlib import Path

import pytest
from fake_perf import FakePerf, make

from perfduck import recorder


@pytest.fixture
def perf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePerf:
    """A perf that needs no permission, in a folder that is the current one too."""
    fake = make(tmp_path / "bin")
    (tmp_path / "kallsyms").write_text("ffffffff81000000 T _text\n")
    monkeypatch.setattr(recorder, "_KALLSYMS", tmp_path / "kallsyms")
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.chdir(tmp_path)
    return fake
