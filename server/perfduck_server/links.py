"""Permalinks: a diff as it was answered when the link was made, /d/KEY

KEY is the beginning of a hash of what is compared: the ids of the recordings, and the options. The
answer itself is kept as well: names, labels and tags may be edited later, other recordings come
(from which `diff` learns how far runs differ), and some are removed; the link says what it said.
"""

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import perfduck
from perfduck import DiffResult, PerfduckError, ProfileStore
from perfduck_diff.engine.flame import Flame
from perfduck_diff.engine.rates import SubsystemRuns
from perfduck_diff.engine.result import Diff
from perfduck_server.spool import write_whole

Ask = Callable[[ProfileStore, Mapping[str, Any]], DiffResult]  # with options as a request has them
_KEY = re.compile(r"[0-9a-f]{12}")
_SIDES = ("base", "new")


@dataclass(frozen=True, slots=True)
class PinnedDiff:
    """What is compared, as typed and by ids, and when it was asked. `profiles`: id -> name of each
    side at that time."""

    asked: dict[str, Any]
    profiles: dict[str, dict[str, str]]
    options: dict[str, Any]
    version: str = field(default_factory=lambda: perfduck.__version__)
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    @property
    def key(self) -> str:
        """Of the link."""
        pinned = {side: sorted(self.profiles[side]) for side in _SIDES} | {"options": self.options}
        text = msgspec.json.encode(pinned, order="deterministic")
        return hashlib.blake2b(text, digest_size=6).hexdigest()

    def selector(self, side: str) -> str:
        """The recordings of a side by their ids."""
        return "+".join(f"id:{profile}" for profile in self.profiles[side])


@dataclass(frozen=True, slots=True)
class _Answer:
    diff: Diff
    flame: Flame
    runs: tuple[SubsystemRuns, ...]


class LinksAreFull(PerfduckError):
    """There are as many links as the one who asks may make."""


class Links:
    """The links of a server, in a folder."""

    def __init__(self, folder: Path, most_bytes: int, most_anonymous_bytes: int) -> None:
        """`most_bytes`: how much all links may take, at some 100 kB each, before none is made;
        `most_anonymous_bytes`: before none is made for readers without a token."""
        self._folder = folder
        self._most_bytes, self._most_anonymous_bytes = most_bytes, most_anonymous_bytes

    def pin(
        self, store: ProfileStore, asked: Mapping[str, Any], ask: Ask, *, anonymous: bool = False
    ) -> PinnedDiff:
        """Answer a diff by `ask`, and keep the answer. `anonymous`: for a reader without a token.
        LinksAreFull; PerfduckError as the diff."""
        profiles = {side: _ids(store, asked[side], asked.get("where", [])) for side in _SIDES}
        options = {name: value for name, value in asked.items() if name not in (*_SIDES, "where")}
        pinned = PinnedDiff(dict(asked), profiles, options)
        if not self._request(pinned.key).exists():
            self._check_room(anonymous)
            by_ids = {side: pinned.selector(side) for side in _SIDES}
            self._keep(pinned, ask(store, by_ids | options))
        return pinned

    def pinned(self, key: str) -> tuple[PinnedDiff, DiffResult]:
        """What a link has. NoProfileError where there is no such link, PerfduckError where another
        version of perfduck has kept it in a form that is not known here."""
        try:
            if not _KEY.fullmatch(key):
                raise FileNotFoundError
            request = msgspec.json.decode(self._request(key).read_bytes(), type=PinnedDiff)
            packed = gzip.decompress(self._answer(key).read_bytes())
        except FileNotFoundError as error:
            message = f"/d/{key}: expected a link that was made here, got none of that name"
            raise perfduck.NoProfileError(message) from error
        try:
            answer = msgspec.msgpack.decode(packed, type=_Answer, dec_hook=_array)
        except msgspec.DecodeError as error:
            raise PerfduckError.at(
                where=f"/d/{key}",
                expected=f"an answer of perfduck {perfduck.__version__}",
                got=f"one of {request.version}: {request.asked['base']} to {request.asked['new']}",
            ) from error
        return request, DiffResult(
            answer.diff, partial(_same, answer.flame), partial(_same, answer.runs)
        )

    def _keep(self, pinned: PinnedDiff, result: DiffResult) -> None:
        answer = _Answer(result.data, result.flame(), result.runs())
        packed = msgspec.msgpack.encode(answer, enc_hook=_plain)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_whole(self._answer(pinned.key), gzip.compress(packed, mtime=0))
        write_whole(
            self._request(pinned.key), msgspec.json.format(msgspec.json.encode(pinned), indent=1)
        )

    def _check_room(self, anonymous: bool) -> None:
        most = self._most_anonymous_bytes if anonymous else self._most_bytes
        used = sum(_size(each) for each in self._folder.glob("*"))
        if used >= most:
            limit = f"less than {most >> 20:,} MB of permalinks"
            expected = f"a token, or {limit}" if anonymous else limit
            raise LinksAreFull.at(where="/d", expected=expected, got=f"{used >> 20:,} MB")

    def _request(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _answer(self, key: str) -> Path:
        return self._folder / f"{key}.answer.gz"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # a temporary file of a link that is made just now
        return 0


def _same(value: Any) -> Any:
    return value


def _ids(store: ProfileStore, selector: str, where: list[str]) -> dict[str, str]:
    """id -> name of the profiles that the selector and all of `where` mean."""
    ids: dict[str, str] | None = None
    for each in (selector, *where):
        rows = store.profiles(each).frame.select("id", "name").rows()
        ids = {key: name for key, name in rows if ids is None or key in ids}
    return ids or {}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(type(value))


def _array(kind: Any, value: Any) -> Any:
    return np.array(value)
