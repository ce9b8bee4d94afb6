"""Inputs that once broke something, and a few new ones."""

from pathlib import Path

import fuzz
import pytest

KEPT = sorted(fuzz.FOUND.glob("*.input"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_what_was_found_is_read_or_refused_in_a_line(path: Path) -> None:
    assert "\n" not in fuzz.read_again(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_inputs_of_each_kind_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    fuzzer = fuzz.Fuzzer([kind], tmp_path)
    for seed in range(5):
        fuzzer.feed(seed)
    assert fuzzer.fed[kind] == 5
    assert fuzzer.found == []


def test_what_breaks_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise KeyError(path.name)

    monkeypatch.setitem(fuzz.KINDS, "budget", (fuzz.KINDS["budget"][0], broken))
    fuzzer = fuzz.Fuzzer(["budget"], tmp_path, tmp_path / "found")
    fuzzer.feed(1)
    fuzzer.feed(2)
    assert fuzzer.found == ["KeyError: 'fuzzed.budget'"]
    (kept,) = (tmp_path / "found").iterdir()
    with pytest.raises(KeyError):
        fuzz.read_again(kept)
