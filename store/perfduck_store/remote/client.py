"""The store of a server, open. A server keeps a session for each: what is read within is one state
of the store, what is written is there at the end of its transaction."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Annotated, Any, Self, cast

import msgspec

from perfduck_model.errors import PerfduckError
from perfduck_store import parts, protocol
from perfduck_store.choice import Choice
from perfduck_store.picked_samples import PickedSamples
from perfduck_store.recording import Identity
from perfduck_store.records import Merged, Saved
from perfduck_store.remote import answers, wire
from perfduck_store.remote.address import Address
from perfduck_store.remote.connection import Connection, answered
from perfduck_store.remote.pulse import Pulse
from perfduck_store.remote.references import References
from perfduck_store.remote.services import (
    MEDIA_TYPE,
    SESSION_HEADER,
    SESSIONS,
    StoreMethod,
    Transactions,
    methods,
)
from perfduck_store.waiting import Wait

if TYPE_CHECKING:
    import polars as pl

    from perfduck_store.choice import SqlLimits

_REMEMBERED_BYTES = 1 << 16  # of an answer: `top` asks 16 questions, 13 that differ


class RemoteStore:
    """A store that is open; close it, or use it as a context manager. See protocol.Store."""

    def __init__(
        self, address: Address, token: str | None, *, write: bool, wait_s: float | None = None
    ) -> None:
        """Connect at the first question. `wait_s`: how long to wait for one who writes, and for a
        server that does not answer; None: as this process is set (waiting.py)."""
        self.connection = Connection(address, token)
        self.folder = Path(gettempdir())
        self._write = write
        self._wait_s = wait_s
        self._session: str | None = None
        self._references = References()
        self._known: dict[tuple[str, bytes], bytes] = {}  # who reads sees one state
        self._pulse = Pulse(address, token, self.connection, Wait(wait_s).limit_s)
        self.profiles = cast(protocol.Profiles, self._service("profiles"))
        self.symbols = cast(protocol.Symbols, self._service("symbols"))
        self.tag_inputs = cast(protocol.TagInputs, self._service("tag_inputs"))
        self.attachments = cast(protocol.Attachments, self._service("attachments"))
        self.noise = cast(protocol.LearnedNoise, self._service("noise"))
        self._transactions = cast(Transactions, self._service("transaction"))
        self._recordings = cast(protocol.Store, self._service("recordings"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._end(is_waited_for=self._write and raised[0] is not KeyboardInterrupt)

    def samples(self, choice: Choice) -> PickedSamples:
        """The samples of the choice, to ask about."""
        return cast(PickedSamples, self._service("samples", choice))

    def user_sql(
        self, text: str, parameters: Mapping[str, Any], limits: "SqlLimits"
    ) -> "pl.DataFrame":
        """The rows of one statement, which the server runs on a copy of the store."""
        return parts.remote_user_sql.asked(self.connection, text, parameters, limits)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written within is there as a whole, or after an exception not at all."""
        self._transactions.begin()
        try:
            yield
        except KeyboardInterrupt:  # the end of the session undoes it, while a statement runs, too
            raise
        except BaseException:
            with suppress(PerfduckError):  # the first one says what happened
                self._transactions.rollback()
            raise
        self._transactions.commit()

    def check(self, identity: Identity) -> bool:
        """Whether the recording is stored already. PerfduckError as protocol.Store."""
        return self._recordings.check(identity)

    def merge(self, other: Path, wait_s: float | None = None) -> Merged:
        """Add what a store of this machine has and the server's has not, in one transaction."""
        return parts.merging.push(self.connection, other, wait_s)

    def close_and_compact(self) -> Saved | None:
        """Close the store; a server uses the space of what was removed again."""
        self.close()
        return None

    def close(self) -> None:
        """End the session; what was not committed is undone."""
        self._end(is_waited_for=self._write)

    def _end(self, *, is_waited_for: bool) -> None:
        self._pulse.stop()
        if self._session is not None:
            session, self._session = self._session, None
            with suppress(PerfduckError):  # the server ends it soon, too
                self._delete(session, is_waited_for=is_waited_for)
        self.connection.close()

    def _delete(self, session: str, *, is_waited_for: bool) -> None:
        headers = {SESSION_HEADER: session}
        if is_waited_for:
            self.connection.ask("DELETE", SESSIONS, headers=headers, timeout_s=self._limit_s)
        else:
            self.connection.send("DELETE", SESSIONS, headers)

    @property
    def _limit_s(self) -> float:
        return Wait(self._wait_s).limit_s or 1.0

    def _service(self, service: str, choice: Choice | None = None) -> "_Service":
        return _Service(service, choice, self._ask)

    def _ask(self, method: StoreMethod, parameters: dict[str, Any], choice: Choice | None) -> Any:
        body = wire.packed(parameters)
        if choice is not None:
            body = wire.with_choice(choice, body)
        known = self._known.get((method.path, body))
        if known is None:
            known = self._answer(method, body)
            if not self._write and len(known) < _REMEMBERED_BYTES:
                self._known[method.path, body] = known
        try:
            answer = wire.decoded_answer(method, known)
            answers.check(method, answer, parameters, choice)
            self._references.check(method, answer, choice)
        except (PerfduckError, ValueError) as error:
            raise self.connection.unreadable(error) from error
        return answer

    def _answer(self, method: StoreMethod, body: bytes) -> bytes:
        headers = {SESSION_HEADER: self._opened(), "Content-Type": MEDIA_TYPE}
        answer = self.connection.ask("POST", method.path, body, headers)
        return self.connection.accepted(answer).body

    def _opened(self) -> str:
        """The session, which is begun with the first question."""
        if self._session is None:
            wait = Wait(self._wait_s)
            path = f"{SESSIONS}/{'write' if self._write else 'read'}"
            answer = answered(
                lambda: self.connection.ask("POST", path, timeout_s=self._limit_s),
                wait,
                "another client of the server writes it",
            )
            accepted = self.connection.accepted(answer)
            opened = self.connection.decoded(accepted, _Opened)
            self._session = opened.session
            self._pulse.start(opened.session, opened.idle_s / 4)
        return self._session


class _Opened(msgspec.Struct):
    session: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,200}\Z")]  # it becomes a header
    idle_s: Annotated[float, msgspec.Meta(ge=0.1, le=86_400)] = 20.0  # then the server ends it


class _Service:
    """Has the methods of a service: asks the server, with the types of the protocol."""

    def __init__(
        self,
        service: str,
        choice: Choice | None,
        ask: Callable[[StoreMethod, dict[str, Any], Choice | None], Any],
    ) -> None:
        self._methods, self._choice, self._ask = methods(service), choice, ask

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self._methods:
            raise AttributeError(name)
        method = self._methods[name]

        def asked(*arguments: Any, **named: Any) -> Any:
            parameters = wire.parameters_of(method, arguments, named)
            return self._ask(method, parameters, self._choice)

        return asked
