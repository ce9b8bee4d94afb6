"""What all requests of a server share."""

import os
import shutil
from contextlib import suppress
from threading import Lock, Thread
from typing import Annotated

import anyio
from fastapi import Depends, Request

from perfduck import PerfduckError
from perfduck.held_store import HeldStore
from perfduck.profile_store import ProfileStore
from perfduck_server.jobs import Jobs
from perfduck_server.kept_answers import KeptAnswers
from perfduck_server.links import Links
from perfduck_server.publisher import Publisher, lake_of
from perfduck_server.raw_files import RawFiles
from perfduck_server.retention import Retention
from perfduck_server.saved_queries import SavedQueries
from perfduck_server.settings import Settings
from perfduck_server.spool import Spool
from perfduck_server.sql_snapshots import SqlSnapshots
from perfduck_server.sql_turns import SqlTurns
from perfduck_server.store_sessions import StoreSessions
from perfduck_server.tokens import TokenFile
from perfduck_server.worker_process import WorkerLimits

# An answer is 0.1 to 0.3 s of Python, and threads of Python take turns every 5 ms: 40 at a time are
# no sooner done, and a request that takes 1 ms waits behind all of them.
AT_ONCE = max(2, os.cpu_count() or 2)


class Service:
    """The store that is served, and what belongs to it."""

    def __init__(self, settings: Settings) -> None:
        """Open the store, make it where there is none. PerfduckError where another process has
        it."""
        self.settings = settings
        lake = None if settings.publish is None else lake_of(settings.publish)
        self.held = HeldStore(settings.store, memory_mb=settings.memory_mb)
        settings.state_folder.mkdir(mode=0o700, exist_ok=True)  # none beside a path that is refused
        # What a server that was killed has left; only now is it sure that none runs.
        for left in (settings.merging_folder, settings.backup_folder):
            shutil.rmtree(left, ignore_errors=True)
        self.store = ProfileStore(self.held)
        self.tokens = TokenFile(settings.state_folder)
        self._requires_tokens = self.held.shared.requires_tokens()
        self._marking = Lock()
        self.sessions = StoreSessions(self.held, settings.session_idle_s, settings.most_sessions)
        self.snapshots = SqlSnapshots(self.held, settings.state_folder / "snapshot")
        self.answers = KeptAnswers()
        self.answering = anyio.Semaphore(AT_ONCE)
        self.turns = SqlTurns()
        most = settings.most_links_bytes, settings.most_anonymous_links_bytes
        self.links = Links(settings.state_folder / "links", *most)
        self.queries = SavedQueries(settings.state_folder / "queries")
        self.spool = Spool(settings.state_folder)
        self.raw = RawFiles(settings.state_folder)
        self.jobs = Jobs(
            self.spool, self.store, self.raw, _limits(settings), self.held.shared.invalidated
        )
        self.retention = Retention(settings.retention, self.store, self.raw, self.spool)
        self.retention.start()
        self.publisher: Publisher | None = None
        if lake is not None:
            self.publisher = Publisher(self.held, lake, settings.publishing_folder)
            self.publisher.start()

    def is_open(self) -> bool:
        """Whether there is no token, and never was one of this store."""
        if self.tokens.is_there and not self._requires_tokens and self._marking.acquire(False):
            # Whoever writes just now may take long, and this is asked at every request.
            Thread(target=self._require_tokens, daemon=True).start()
        return not (self.tokens.is_there or self._requires_tokens)

    def _require_tokens(self) -> None:
        with suppress(PerfduckError):  # a full disk: the next start tries again
            self.held.shared.require_tokens()
            self._requires_tokens = True

    def close(self) -> None:
        """Let other processes have the store."""
        self.retention.close()
        if self.publisher:
            self.publisher.close()
        self.jobs.close()
        self.sessions.close()
        self.held.close()


def _limits(settings: Settings) -> WorkerLimits:
    return WorkerLimits(settings.job_timeout_s, settings.job_memory_mb, settings.max_upload_bytes)


def service_of(request: Request) -> Service:
    """The service of the application that got the request."""
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(service_of)]
