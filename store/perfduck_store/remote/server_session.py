"""The server's side of a session: one open store, asked by one client."""

from contextlib import ExitStack, suppress
from threading import Lock
from typing import Any, Protocol

import duckdb
import polars as pl

from perfduck_model.errors import PerfduckError
from perfduck_store.choice import Choice
from perfduck_store.duckdb.store_file import StoreIsBusy as StoreIsBusy
from perfduck_store.protocol import Store
from perfduck_store.remote import wire
from perfduck_store.remote.services import StoreMethod


class SessionEnded(PerfduckError):
    """The session is over: its client ended it, or was not heard of."""


class InterruptibleStore(Store, Protocol):
    """A store whose statement another thread can stop."""

    def interrupt(self) -> None:
        """Whoever runs the statement gets a KeyboardInterrupt."""


class ServerSession:
    """Answers requests of one client on a store that is open, one after the other."""

    def __init__(self, store: InterruptibleStore, *, write: bool) -> None:
        """`store` is closed with the session."""
        self.write = write
        self._store = store
        self._lock = Lock()
        self._has_ended = False
        self._transaction = _Transaction(store)
        self._choice: tuple[bytes, Choice] | None = None

    def answer(self, method: StoreMethod, body: bytes) -> bytes:
        """What the store answers. PerfduckError for what it refuses and for a body that is no call
        of the method; SessionEnded."""
        if method.changes and not self.write:
            raise PerfduckError.at(
                where="store", expected="a session that writes", got="one that reads"
            )
        with self._lock:
            if self._has_ended:
                message = "expected a session, got one that has ended"
                raise SessionEnded(message)
            try:
                return wire.encoded_answer(self._called(method, body))
            except KeyboardInterrupt as error:  # by `end`
                message = "the session ended while it was in use"
                raise SessionEnded(message) from error
            except (duckdb.Error, pl.exceptions.PolarsError) as error:
                if not (method.changes or isinstance(error, duckdb.DataError)):
                    raise
                reason = str(error).splitlines()[0]
                expected = "values that the table holds"
                raise PerfduckError.at(method.path, expected=expected, got=reason) from error

    def end(self) -> None:
        """Stop what runs, undo what was not committed, and let others write."""
        self._has_ended = True
        with suppress(duckdb.Error):
            self._store.interrupt()
        with self._lock:
            with suppress(duckdb.Error, PerfduckError):  # what was interrupted is undone already
                self._transaction.end()
            self._store.close()

    def _called(self, method: StoreMethod, body: bytes) -> Any:
        if method.service == "samples":
            choice, body = wire.without_choice(body)
            service: Any = self._store.samples(self._same(choice))
        elif method.service == "transaction":
            service = self._transaction
        elif method.service == "recordings":
            service = self._store
        else:
            service = getattr(self._store, method.service)
        return getattr(service, method.name)(**wire.decoded_parameters(method, body))

    def _same(self, packed: bytes) -> Choice:
        """The choice; the very one of the last question where it is the same: the store has its
        samples picked then."""
        if self._choice is None or self._choice[0] != packed:
            self._choice = (packed, wire.decoded_choice(packed))
        return self._choice[1]


class _Transaction:
    """See services.Transactions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begun: ExitStack | None = None

    def begin(self) -> None:
        """Begin it."""
        if self._begun is not None:
            raise PerfduckError.at(
                where="store", expected="one transaction", got="one within another"
            )
        begun = ExitStack()
        begun.enter_context(self._store.transaction())
        self._begun = begun

    def commit(self) -> None:
        """Keep what was written."""
        self._taken().close()

    def rollback(self) -> None:
        """Undo what was written."""
        self._taken().__exit__(_Undone, _Undone(), None)

    def end(self) -> None:
        """Undo what was not committed."""
        if self._begun is not None:
            self.rollback()

    def _taken(self) -> ExitStack:
        if self._begun is None:
            raise PerfduckError.at(
                where="store", expected="a transaction that has begun", got="none"
            )
        begun, self._begun = self._begun, None
        return begun


class _Undone(Exception):
    """Ends a transaction that is not to be committed."""
