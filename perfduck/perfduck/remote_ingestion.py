"""Recordings into the store of a server: read here, with the binaries of this machine, into a store
of their own, which is pushed."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from msgspec.structs import replace

from perfduck import push_spool
from perfduck.ingestion import (
    Annotators,
    IngestRequest,
    Progress,
    check_names,
    commit,
    read,
    unused_of_stored,
)
from perfduck.opening import StoreServer
from perfduck.push_client import NotSent, PushClient, Pushed, ServerFailed, said
from perfduck_model.errors import PerfduckError
from perfduck_store.draft import Draft
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.recording import Receipt
from perfduck_store.remote.connection import ConnectionFailed, NotAllowed


class RemoteIngestion:
    """Recordings on their way to a server, one after the other. With a `spool` directory those that
    cannot be sent are kept there."""

    def __init__(self, place: StoreServer, spool: Path | None = None) -> None:
        """Open nothing yet."""
        self._place = place
        self._spool = spool
        self._client = PushClient(place.address, place.token, place.wait_s)
        self._folder = TemporaryDirectory(prefix="perfduck-ingest-")
        self._files = Path(self._folder.name)
        self._annotators = Annotators()
        self._is_lost, self._why = False, ""  # the server, once for all that comes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._folder.cleanup()

    def check(self, requests: Iterable[IngestRequest], note: Callable[[str], object]) -> None:
        """Raise PerfduckError for what would fail at the commit, as far as the server tells without
        a recording being read; NotSent where it is not there and there is no spool."""
        if self._spool is not None:
            push_spool.checked(self._spool)
        try:
            self._client.reach()
            with self._place.read() as store:
                check_names(store, requests, note)
        except NotAllowed:  # a token that may only push
            return
        except (NotSent, ConnectionFailed) as error:
            if self._spool is None:
                raise
            self._is_lost, self._why = True, str(error)

    def ingest(self, request: IngestRequest, progress: Progress | None = None) -> Receipt:
        """Read the recording, then send it. PerfduckError where the server refuses it; NotSent
        where there is no spool."""
        annotator = self._annotators.of(request)
        with Draft(self._files) as draft:
            identity = read(request, draft, progress)
            # One that was just sent is there still: other facts are refused as in a file.
            file = self._files / f"{identity.content_hash}.duckdb"
            with DuckDbStore(file, write=True) as store:
                names = frozenset(each.name for each in store.profiles.all())
                identity = replace(identity, just_stored=names)
                read_here = commit(store, request.attachments, draft, identity, annotator)
        pushed = Pushed(file, said(request.name, request.kernel, force=request.force))
        try:
            if self._is_lost:
                raise NotSent(self._why)
            receipt = self._client.push(pushed)
        except (NotSent, NotAllowed) as error:  # a token may have expired
            return self._kept(request, pushed, read_here, error)
        is_named_here = receipt.is_new or receipt.is_renamed
        unused = read_here.unused if is_named_here else unused_of_stored(annotator.given)
        return replace(receipt, unused=unused)

    def ingest_pair(self, requests: Sequence[IngestRequest]) -> list[Receipt]:
        """One after the other: a server stores each recording for itself."""
        return [self.ingest(request) for request in requests]

    def _kept(
        self, request: IngestRequest, pushed: Pushed, read_here: Receipt, error: PerfduckError
    ) -> Receipt:
        """Keep it in the spool."""
        if self._spool is None:
            raise error
        if not isinstance(error, ServerFailed):
            self._is_lost, self._why = True, str(error)
        push_spool.keep(self._spool, request.source, pushed)
        return replace(read_here, unsent=f"kept in {self._spool}, not sent: {error}")


def send_all(place: StoreServer, folder: Path, on_stored: Callable[[Receipt], object]) -> list[str]:
    """Send what a spool directory keeps, the oldest first, and remove what the server has. A line
    for each that it refuses, which stays. NotSent where the server is not there."""
    with closing(PushClient(place.address, place.token, place.wait_s)) as client:
        lines = [_sent(client, path, on_stored) for path in push_spool.entries(folder)]
    return [line for line in lines if line]


def _sent(client: PushClient, path: Path, on_stored: Callable[[Receipt], object]) -> str | None:
    """Send an entry of a spool, unless another process does; the line of one that is refused."""
    with push_spool.taken(path) as entry:
        if entry is None:
            return None
        source, pushed = entry
        try:
            receipt = client.push(pushed)
        except PerfduckError as error:
            if isinstance(error, NotSent | NotAllowed) and not isinstance(error, ServerFailed):
                raise
            line = str(error).removeprefix(f"{source}: ")  # where the store knows the file as well
            return f"{source}: {line} (kept as {path.with_suffix('.duckdb')})"
        push_spool.drop(path)
        on_stored(receipt)
    return None
