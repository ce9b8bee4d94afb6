"""The beginning of a file, and tests of what it may be: foreign.py has the formats."""

import re
from collections.abc import Callable
from functools import cached_property
from itertools import islice

_FIRST_LINES = 300  # a header of `perf report` has a line for each of many CPUs
_SOME_LINES = 50
_MOST = 0.9  # of the first lines; the others may be prompts, headings, or cut


class Head:
    """The beginning of a file as bytes and as lines."""

    def __init__(self, content: bytes, name: str = "") -> None:
        """`content` is decompressed; `name` that of the file."""
        self.content = content
        self.name = name

    @cached_property
    def lines(self) -> list[str]:
        """The first lines that are not blank; without a last one that is cut off."""
        lines = self.content[:100_000].decode("utf-8", "replace").splitlines()
        whole = lines[:-1] if len(self.content) > 100_000 else lines
        return [line for line in whole if line.strip()][:_FIRST_LINES]

    @cached_property
    def distinct(self) -> list[str]:
        """The first lines, each once: frames of stacks come again and again."""
        return list(dict.fromkeys(self.lines))


Test = Callable[[Head], bool]


def begins(*magics: bytes, at: int = 0) -> Test:
    """The content begins with one of them, from this byte on."""
    return lambda head: any(head.content[at:].startswith(magic) for magic in magics)


def holds(*marks: bytes) -> Test:
    """The content has all of them."""
    return lambda head: all(mark in head.content for mark in marks)


def finds(pattern: bytes) -> Test:
    """The content has such a place."""
    return lambda head: re.search(pattern, head.content, re.DOTALL | re.IGNORECASE) is not None


def line(pattern: str) -> Test:
    """One of the first lines is so."""
    return lambda head: any(map(re.compile(pattern).fullmatch, head.distinct))


def most(pattern: str, *, one: str = "") -> Test:
    """Most of the first lines are so, and one of them has `one` in it."""

    def test(head: Head) -> bool:
        lines = head.lines[:_SOME_LINES]
        matches = map(re.compile(pattern).fullmatch, lines)
        others = (1 for match in matches if match is None)
        allowed = int((1 - _MOST) * len(lines))
        is_most = sum(islice(others, allowed + 1)) <= allowed < len(lines)
        return is_most and any(re.search(one, line) for line in lines)

    return test


def named(*suffixes: str) -> Test:
    """The name of the file ends in one of them."""
    return lambda head: head.name.lower().endswith(suffixes)


def both(*tests: Test) -> Test:
    """All of the tests."""
    return lambda head: all(test(head) for test in tests)


def either(*tests: Test) -> Test:
    """One of the tests."""
    return lambda head: any(test(head) for test in tests)
