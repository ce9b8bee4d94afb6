"""Sessions of clients that ask the store itself: see perfduck_store.remote."""

import secrets
import time
from dataclasses import dataclass
from threading import Event, Lock, Thread

from perfduck import PerfduckError
from perfduck.held_store import HeldStore
from perfduck_store.remote.server_session import ServerSession

MOST_OF_ONE = 16  # of a token, where there are tokens: the others are for others
_WRITER_WAITS_S = 1.0  # in one request: whoever waits longer asks again
_SWEEP_S = 1.0


class TooManySessions(PerfduckError):
    """As many clients as the server serves have a session, or as many of a token as it may have."""


@dataclass(slots=True)
class _Entry:
    session: ServerSession
    owner: str  # name of the principal
    heard_at: float


class StoreSessions:
    """The sessions of a server by their ids, which are secrets. One whose client is not heard of is
    ended: what it had not committed is undone, and others write."""

    def __init__(self, held: HeldStore, idle_s: float, most: int) -> None:
        """At most so many at a time; after `idle_s` a client counts as gone."""
        self._held = held
        self.idle_s = idle_s
        self._most = most
        self._entries: dict[str, _Entry] = {}
        self._beginning: list[str] = []  # owners of sessions whose store is being opened
        self._lock = Lock()
        self._closed = Event()
        Thread(target=self._sweep, name="store sessions", daemon=True).start()

    def begin(self, owner: str, *, write: bool, most: int | None = None) -> str:
        """The id of a new session. `most`: of this owner; None: all. StoreIsBusy where another one
        writes; TooManySessions."""
        key = secrets.token_urlsafe(16)
        self._take_place(owner, self._most if most is None else most)
        try:
            store = self._held.write(wait_s=_WRITER_WAITS_S) if write else self._held.read()
        except BaseException:
            with self._lock:
                self._beginning.remove(owner)
            raise
        with self._lock:
            self._beginning.remove(owner)
            session = ServerSession(store, write=write)
            self._entries[key] = _Entry(session, owner, time.monotonic())
        return key

    def _take_place(self, owner: str, most: int) -> None:
        """Count a session that begins: to open its store may take a second."""
        with self._lock:
            owners = [*self._beginning, *(entry.owner for entry in self._entries.values())]
            for there_are, limit, whose in (
                (len(owners), self._most, ""),
                (owners.count(owner), most, f" of {owner}"),
            ):
                if there_are >= limit:
                    message = f"store: expected at most {limit} sessions{whose}, got one more"
                    raise TooManySessions(message)
            self._beginning.append(owner)

    def of(self, key: str, owner: str) -> ServerSession | None:
        """The session of this owner, who was just heard of; None where there is none."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.owner != owner:
                return None
            entry.heard_at = time.monotonic()
            return entry.session

    def end(self, key: str, owner: str) -> bool:
        """End a session; whether there was one."""
        session = self.of(key, owner)
        if session is None:
            return False
        self._end(key)
        return True

    def close(self) -> None:
        """End all."""
        self._closed.set()
        for key in list(self._entries):
            self._end(key)

    def _sweep(self) -> None:
        while not self._closed.wait(_SWEEP_S):
            oldest = time.monotonic() - self.idle_s
            with self._lock:
                gone = [key for key, entry in self._entries.items() if entry.heard_at < oldest]
            for key in gone:
                self._end(key)

    def _end(self, key: str) -> None:
        with self._lock:
            entry = self._entries.pop(key, None)
        if entry is not None:
            entry.session.end()
