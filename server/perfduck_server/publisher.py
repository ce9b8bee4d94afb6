"""Publishes what a server has to a lake, behind the back of pushes: `perfduck serve --publish`.

What is missing there is found by comparing ids, so that nothing needs to be remembered: a server
that was killed, or a lake that could not be reached, changes nothing but when it is published. What
was removed from the lake is not published again.

    held store -> publishing/N.duckdb    the recordings that are missing
    -> perfduck merge --store LAKE       a process of its own: its memory and its failures are not
                                         those of the server
"""

import logging
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread

from perfduck import PerfduckError, visible
from perfduck.held_store import HeldStore
from perfduck.opening import StoreLake, place_of
from perfduck_store.lake.address import EXPECTED

_LOG = logging.getLogger("perfduck.publish")
_EVERY_S = 2.0  # looks whether the store has changed
_AGAIN_S = (5.0, 15.0, 60.0, 300.0)  # after so many failures in a row
_AT_ONCE = 20  # recordings
_MOST_S = 3600


def lake_of(url: str) -> StoreLake:
    """The lake that somebody means. PerfduckError for another store, and for a bucket that cannot
    be asked: no keys, or no package."""
    place = place_of(url)
    if not isinstance(place, StoreLake):
        raise PerfduckError.at(where="--publish", expected=EXPECTED, got=url or "nothing")
    place.check()
    return place


@dataclass(slots=True)
class PublishState:
    """`waiting`: recordings that the lake has not, None as long as that is not known; `error`: why
    the last attempt failed; `since`: the time of the first of these failures, UTC."""

    lake: str
    published: int = 0
    failures: int = 0
    waiting: int | None = None
    error: str | None = None
    since: datetime | None = None

    @property
    def shown(self) -> tuple[int | None, str | None]:
        """What a page shows of it."""
        return self.waiting, self.error


class Publisher:
    """A thread that publishes what is new, a moment after each change of the store."""

    def __init__(self, held: HeldStore, lake: StoreLake, folder: Path) -> None:
        """`folder`: for stores on their way; what an earlier server has left there is removed."""
        self.state = PublishState(str(lake))
        self._held, self._lake, self._folder = held, lake, folder
        self._stopping, self._failed = Event(), 0
        self._known: set[int] | None = None  # recordings that the lake has, or had
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = Thread(target=self._run, name="publish")

    def start(self) -> None:
        """Begin with what is missing now."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what is not published is, after the next start."""
        self._stopping.set()
        with self._lock:
            if self._process is not None:
                self._process.terminate()
        self._thread.join()

    def _run(self) -> None:
        seen = -1
        while not self._stopping.is_set():
            changes = self._held.shared.changes
            if changes != seen:
                seen = changes if self._attempt() else -1
            again = _AGAIN_S[min(self._failed, len(_AGAIN_S)) - 1] if self._failed else _EVERY_S
            self._stopping.wait(again)

    def _attempt(self) -> bool:
        """Whether all is published now."""
        try:
            self._publish()
        except Exception as error:
            if not self._stopping.is_set():
                self._note(error)
            return False
        self._failed, self.state.error, self.state.since = 0, None, None
        return not self._stopping.is_set()

    def _note(self, error: Exception) -> None:
        """A failure costs no push: it is logged, counted and tried again."""
        state = self.state
        is_known = isinstance(error, PerfduckError)
        line = visible(str(error)) if is_known else "this is a bug: the server's log has more"
        self._failed += 1
        state.failures += 1
        state.since = state.since or datetime.now(UTC).replace(tzinfo=None)
        if line != state.error:
            _LOG.error("publish to %s: %s", visible(state.lake), line, exc_info=not is_known)
        state.error = line

    def _publish(self) -> None:
        with self._held.read() as store:
            ours = [each.profile_id for each in store.profiles.all()]
        if self._known is not None:  # a lake that does not answer has what it had
            self.state.waiting = len(set(ours) - self._known)
        self._known = self._lake.recordings()
        missing = [key for key in ours if key not in self._known]
        self.state.waiting = len(missing)
        for first in range(0, len(missing), _AT_ONCE):
            if self._stopping.is_set():
                return
            some = missing[first : first + _AT_ONCE]
            self._send(some)
            self._known.update(some)
            self.state.published += len(some)
            self.state.waiting -= len(some)
        if missing:
            _LOG.info("published %d to %s", len(missing), visible(self.state.lake))

    def _send(self, profiles: Sequence[int]) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700)
        path = self._folder / "some.duckdb"
        try:
            self._held.extract(profiles, path)
            self._merge(path)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _merge(self, path: Path) -> None:
        command = [sys.executable, "-m", "perfduck", "merge", str(path), "--store", str(self._lake)]
        with self._lock:
            if self._stopping.is_set():
                raise PerfduckError.at(where="publish", expected="time", got="a stop of the server")
            self._process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
        try:
            _, said = self._process.communicate(timeout=_MOST_S)
        except subprocess.TimeoutExpired as error:
            raise PerfduckError.at(
                where=self._lake, expected=f"an end within {_MOST_S} s", got="none"
            ) from error
        finally:
            with self._lock, suppress(OSError):
                self._process.kill()
                self._process.wait()
            code, self._process = self._process.returncode, None
        if code:
            line = (said.splitlines() or [f"the merge ended with code {code}"])[-1]
            raise PerfduckError(line.removeprefix("perfduck: "))
