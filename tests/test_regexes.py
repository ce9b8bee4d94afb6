"""No regular expression takes time by the square of a text that it may be given, or worse."""

import pickle
import re
import subprocess
import sys
import time
from functools import cache
from typing import NamedTuple

import pytest
import regex_attacks
from regex_attacks import attacks

_LONG = 65_536
_STEPS = 200, 2048, 8192
_SQUARE = re.compile(r"\d+\S* end"), "1" * _STEPS[-1], "match"
# Expressions of these files see text of at most so many characters.
_BOUNDED = {
    "layout": 2048,  # limits.longest_matched
    "evidence": 2048,  # likewise
    "report_header": 4096,  # a line of a header
    "text_reports": 512,  # a line of a report
    "netperf": 512,
    "header": 4096,
    "documentation": 512,  # a line of schema.sql
}


class Expressions(NamedTuple):
    """Pattern and flags of each, and in which file it is; those that are searched for."""

    places: dict[tuple[str | bytes, int], str]
    searched: set[tuple[str | bytes, int]]

    def sorted(self) -> list[tuple[tuple[str | bytes, int], str]]:
        return sorted(self.places.items(), key=str)


@pytest.fixture(scope="module")
def expressions() -> Expressions:
    """In a process of its own: modules are imported once more, and their classes would be other
    ones."""
    done = subprocess.run([sys.executable, regex_attacks.__file__], check=True, capture_output=True)
    return Expressions(*pickle.loads(done.stdout))


def seconds(pattern: re.Pattern[str] | re.Pattern[bytes], text: str, method: str) -> float:
    start = time.process_time()
    content = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
    getattr(pattern, method)(content)
    return time.process_time() - start


@cache
def most_seconds() -> float:
    """Some times what this machine takes for a square of the second longest text; of the longest it
    takes 64 times as long."""
    return 6 * min(seconds(*_SQUARE) for _ in range(3))


def slowest(pattern: str | bytes, flags: int, size: int, method: str) -> tuple[float, str]:
    """The longest time of a text of this size, and what it is."""
    compiled = re.compile(pattern, flags)
    most = (0.0, "")
    for before, piece, behind in attacks(pattern, flags):
        for length in (*(one for one in _STEPS if one < size), size):  # a slow one is over soon
            text = before + piece * (length // len(piece)) + behind
            most = max(most, (seconds(compiled, text, method), f"{before!r} {piece!r} * {length}"))
            if most[0] > most_seconds() / (1 if length == size else 4):
                return most
    return most


@pytest.mark.slow
def test_they_are_found(expressions: Expressions) -> None:
    places = expressions.places
    assert len(places) > 150
    assert {"layout", "foreign", "text_reports", "attachments", "xml_importer"} <= set(
        places.values()
    )
    assert 20 < len(expressions.searched) < len(places)
    assert set(expressions.searched) <= set(places)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["match", "search"])
def test_time_grows_with_the_text(method: str, expressions: Expressions) -> None:
    slow = {}
    for (pattern, flags), place in expressions.sorted():
        if method == "search" and (pattern, flags) not in expressions.searched:
            continue
        size = _BOUNDED.get(place, _LONG)
        most, text = slowest(pattern, flags, size, method)
        if most > most_seconds() / (1 if text.endswith(f"* {size}") else 4):
            slow[str(pattern)[:80]] = (place, round(most, 2), text)
    assert slow == {}


@pytest.mark.slow
@pytest.mark.parametrize("size", [25, 50])
def test_none_is_exponential(size: int, expressions: Expressions) -> None:
    for pattern, flags in expressions.places:
        assert slowest(pattern, flags, size * 4, "match")[0] < most_seconds(), pattern


@pytest.mark.slow
def test_an_attack_finds_what_is_slow() -> None:
    assert slowest(r"\d+\S* end", 0, 8192, "match")[0] > 0.02
    assert slowest(r"(?:a+)+b", 0, 20, "match")[0] > 0.001
    assert slowest(r"\s*x\s*\s*y", 0, 4000, "match")[0] > 0.002
