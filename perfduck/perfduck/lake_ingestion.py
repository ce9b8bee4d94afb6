"""Recordings into a lake: read without it, then committed one by one."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from perfduck.ingestion import (
    Annotators,
    IngestRequest,
    Progress,
    check_names,
    commit,
    ingest_pair,
    read,
)
from perfduck.opening import StoreLake
from perfduck_store.draft import Draft
from perfduck_store.lake.store import LakeStore
from perfduck_store.recording import Receipt


class LakeIngestion:
    """Recordings on their way into a lake, one after the other: see opening.Ingesting."""

    def __init__(self, place: StoreLake) -> None:
        """Open nothing yet."""
        self._place = place
        self._folder = TemporaryDirectory(prefix="perfduck-ingest-")
        self._annotators = Annotators()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def check(self, requests: Iterable[IngestRequest], note: Callable[[str], object]) -> None:
        """Raise PerfduckError for what would fail at the commit, as far as the lake tells without a
        recording being read; `note` takes what may fail then."""
        if self._place.is_there():
            with self._place.read() as store:
                check_names(store, requests, note)

    def ingest(self, request: IngestRequest, progress: Progress | None = None) -> Receipt:
        """Read the recording, then store it."""
        annotator = self._annotators.of(request)
        with Draft(Path(self._folder.name)) as draft:
            identity = read(request, draft, progress)
            event = request.options.event
            with self._opened() as store:
                return commit(store, request.attachments, draft, identity, annotator, event)

    def ingest_pair(self, requests: Sequence[IngestRequest]) -> list[Receipt]:
        """Read recordings, then store them in one commit."""
        return ingest_pair(self._opened, Path(self._folder.name), requests, self._annotators)

    def _opened(self) -> LakeStore:
        return self._place.write(create=True)
