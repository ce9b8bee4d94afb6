"""What a server removes by itself, and when.

    branch=main keep      profiles with this label stay
    pr=* 30d              others of pull requests go 30 days after they were stored
    raw * 90d             the pushed file of what is left goes after 90 days

A rule is `[raw] SELECTOR keep|AGE`; of each profile the first rule that fits applies, of its raw
file the first that begins with `raw`. Without one both are kept. A raw file goes with its profile.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from perfduck import NoProfileError, PerfduckError, typed, visible
from perfduck_report.tables import dicts
from perfduck_store.selector import parse

if TYPE_CHECKING:
    from perfduck import ProfileStore
    from perfduck_server.raw_files import RawFiles
    from perfduck_server.spool import Spool

_LOG = logging.getLogger("perfduck.retention")
_DAY_S = 86_400.0
_RAW, _KEEP = "raw", "keep"


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """`age`: None keeps what the selector means; `is_raw`: of raw files alone."""

    text: str
    selector: str
    age: timedelta | None
    is_raw: bool


def rules_of(texts: Sequence[str]) -> tuple[RetentionRule, ...]:
    """Rules as they are typed. PerfduckError for what is none."""
    return tuple(_rule(text) for text in texts)


def _rule(text: str) -> RetentionRule:
    words = text.split()
    is_raw = words[:1] == [_RAW]  # a profile of that name is meant by "raw", in quotes
    rest = words[1:] if is_raw else words
    if len(rest) < 2:
        expected = "[raw] SELECTOR keep|AGE, as in 'pr=* 30d'"
        raise PerfduckError.at(where="--retention", expected=expected, got=text or "nothing")
    age = None if rest[-1] == _KEEP else typed.age("--retention", rest[-1])
    selector = " ".join(rest[:-1])
    try:
        parse(selector)
    except PerfduckError as error:
        message = f"--retention: {error}"
        raise PerfduckError(message) from error
    return RetentionRule(text, selector, age, is_raw)


class Retention:
    """Applies rules at the start and once a day (`every_s`), in a thread of its own."""

    def __init__(
        self,
        rules: Sequence[RetentionRule],
        store: "ProfileStore",
        raw: "RawFiles",
        spool: "Spool",
        *,
        every_s: float = _DAY_S,
    ) -> None:
        self._rules, self._store, self._raw, self._spool = rules, store, raw, spool
        self._every_s = every_s
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="retention")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what is removed now is removed first."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def apply(self, now: datetime) -> None:
        """Remove what is too old at a time, UTC. What fails is logged, and the rest goes on; but
        not the rules of a kind after one that fails: what that one keeps is not known."""
        with _logged():
            for each in self._old(now, is_raw=False):
                with _logged():
                    self._remove(*each)
        with _logged():
            for each in self._old(now, is_raw=True):
                with _logged():
                    self._remove_raw(*each)
        with _logged():
            self._drop_orphans()
        with _logged():
            self._spool.forget_old()

    def _remove(self, name: str, rule: RetentionRule, key: str) -> None:
        self._store.remove(f"id:{key}")
        _LOG.info("%s: removed by rule '%s'", visible(name), rule.text)

    def _remove_raw(self, name: str, rule: RetentionRule, key: str) -> None:
        if size := self._raw.remove(key):
            text = "%s: its file of %d bytes removed by rule '%s'"
            _LOG.info(text, visible(name), size, rule.text)

    def _old(self, now: datetime, *, is_raw: bool) -> Iterator[tuple[str, RetentionRule, str]]:
        """(name, rule, id) of what is older than its rule allows."""
        decided: set[str] = set()
        for rule in self._rules:
            if rule.is_raw is not is_raw:
                continue
            for row in self._chosen(rule.selector):
                key = str(row["id"])
                stored = row["ingested_at"] or row["started_at"]
                is_old = rule.age is not None and stored is not None and stored < now - rule.age
                if key not in decided and is_old:
                    yield str(row["name"]), rule, key
                decided.add(key)

    def _chosen(self, selector: str) -> list[dict[str, Any]]:
        try:
            return dicts(self._store.profiles(selector).rows)
        except NoProfileError:
            return []

    def _drop_orphans(self) -> None:
        """Files of profiles that somebody has removed."""
        there = {str(row["id"]) for row in self._chosen("*")}
        for key in self._raw.profiles():
            if key not in there:
                self._raw.remove(key)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.apply(datetime.now(UTC).replace(tzinfo=None))
            self._stopping.wait(self._every_s)


@contextmanager
def _logged() -> Iterator[None]:
    """An error within is logged, and that is all."""
    try:
        yield
    except PerfduckError as error:
        _LOG.error("%s", error)
    except Exception:
        _LOG.exception("retention")
