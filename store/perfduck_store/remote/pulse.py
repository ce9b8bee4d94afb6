"""Says to a server, every few seconds, that whoever has a session is still there: a session that
writes keeps others from writing, so the server soon ends one whose client is gone."""

from threading import Event, Thread

from perfduck_model.errors import PerfduckError
from perfduck_store.remote.address import Address
from perfduck_store.remote.connection import Connection
from perfduck_store.remote.services import SESSION_HEADER, SESSIONS

_LEAST_LIMIT_S = 5.0


class Pulse:
    """A thread while a session is open. Where the server does not answer it, what is asked just now
    is ended: a question may take long, but not longer than the server lives."""

    def __init__(
        self, address: Address, token: str | None, asking: Connection, limit_s: float
    ) -> None:
        """`asking`: the connection of the session; `limit_s`: how long an answer may take."""
        self._connection = Connection(address, token)
        self._asking = asking
        self._limit_s = max(limit_s, _LEAST_LIMIT_S)
        self._ended = Event()

    def start(self, session: str, period_s: float) -> None:
        """Begin, for a session."""
        Thread(target=self._run, args=(session, period_s), daemon=True).start()

    def stop(self) -> None:
        """End, without waiting for the thread."""
        self._ended.set()

    def _run(self, session: str, period_s: float) -> None:
        while not self._ended.wait(period_s):
            try:
                headers = {SESSION_HEADER: session}
                self._connection.ask("PUT", SESSIONS, headers=headers, timeout_s=self._limit_s)
            except PerfduckError as error:
                if not self._ended.is_set():
                    self._asking.abort(str(error).rpartition("got ")[2])
                break
        self._connection.close()
