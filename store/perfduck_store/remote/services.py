"""Which methods of a store can be asked over HTTP, and what that takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from perfduck_store import protocol
from perfduck_store.picked_samples import PickedSamples
from perfduck_store.recording import Identity

# Of what goes over the wire: raised with each change of a method or a row. Client and server must
# have the same.
PROTOCOL = "8"
PROTOCOL_HEADER = "Perfduck-Protocol"
SESSION_HEADER = "Perfduck-Session"
SESSIONS = "/api/v1/store/sessions"
MEDIA_TYPE = "application/vnd.perfduck.msgpack"
BUSY = 503  # another one writes: ask again
GONE = 410  # no such session, or no longer


class Recordings(Protocol):
    """What is asked of the store itself."""

    def check(self, identity: Identity) -> bool:
        """See protocol.Store."""


class Transactions(Protocol):
    """The transaction of a session that writes."""

    def begin(self) -> None:
        """Begin it; PerfduckError within another."""

    def commit(self) -> None:
        """What was written since is there as a whole; PerfduckError where none has begun."""

    def rollback(self) -> None:
        """Nothing of it is there; PerfduckError where none has begun."""


SERVICES: dict[str, type] = {
    "profiles": protocol.Profiles,
    "samples": PickedSamples,  # each method takes the choice besides
    "symbols": protocol.Symbols,
    "tag_inputs": protocol.TagInputs,
    "attachments": protocol.Attachments,
    "noise": protocol.LearnedNoise,
    "recordings": Recordings,
    "transaction": Transactions,
}
_CHANGES = {
    "profiles": {"edit", "remove"},
    "symbols": {"replace_tags", "keep_functions", "keep_artefacts"},
    "tag_inputs": {"keep", "forget"},
    "attachments": {"keep"},
    "noise": {"replace", "forget"},
    "transaction": {"begin", "commit", "rollback"},
}


@dataclass(frozen=True, slots=True)
class StoreMethod:
    """A method of a service; `changes`: whether it needs a session that writes."""

    service: str
    name: str
    function: Callable[..., Any]  # of the protocol: its annotations are the types on the wire
    changes: bool

    @property
    def path(self) -> str:
        """Where a server has it."""
        return f"/api/v1/store/{self.service}/{self.name}"


def methods(service: str) -> dict[str, StoreMethod]:
    """The methods of a service by name."""
    changes = _CHANGES.get(service, set())
    return {
        name: StoreMethod(service, name, function, name in changes)
        for name, function in vars(SERVICES[service]).items()
        if callable(function) and not name.startswith("_")
    }


def all_methods() -> Iterator[StoreMethod]:
    """The methods of all services."""
    for service in SERVICES:
        yield from methods(service).values()
