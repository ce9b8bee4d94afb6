"""Pushes on their way from the spool into the store: read by workers, committed one at a time."""

import logging
import os
import traceback
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread, Timer

import perfduck
from perfduck import IngestResult, PerfduckError, ProfileStore
from perfduck_server.raw_files import RawFiles
from perfduck_server.spool import (
    DISK_IS_FULL,
    STORE_FILE,
    JobStatus,
    ProfileKey,
    PushedJob,
    Spool,
    State,
)
from perfduck_server.worker_process import (
    WorkerAnswer,
    WorkerLimits,
    WorkerProcess,
    WorkerWasStopped,
)

_LOG = logging.getLogger("perfduck.jobs")
_BUG = "this is a bug: the server's log has more"
_AGAIN_S = 30.0  # until a push that found the disk full is tried again
_LEAST_WORKERS = 2  # so that one recording that hangs does not stop all others


class Jobs:
    """Does accepted pushes. `counts`: by the state in which they ended."""

    def __init__(
        self,
        spool: Spool,
        store: ProfileStore,
        raw: RawFiles,
        limits: WorkerLimits,
        invalidated: Event,
    ) -> None:
        """Start with what a server before this one has left. `invalidated`: set when the store
        takes nothing more from this process."""
        self.counts: dict[str, int] = {"stored": 0, "unchanged": 0, "refused": 0, "failed": 0}
        self._spool, self._store, self._raw, self._limits = spool, store, raw, limits
        self._invalidated, self._stopping = invalidated, Event()
        self._queue: SimpleQueue[PushedJob | None] = SimpleQueue()
        self._lock = Lock()
        self._futures: dict[str, Future[JobStatus]] = {}
        self._running: set[str] = set()
        number = max(_LEAST_WORKERS, (os.cpu_count() or 1) // 2)
        self._threads = [Thread(target=self._work, name=f"push-{n}") for n in range(number)]
        for job in spool.waiting():
            self.submit(job)
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many pushes have no outcome yet."""
        return len(self._futures)

    def submit(self, job: PushedJob) -> "Future[JobStatus]":
        """Do an accepted push when its turn comes."""
        future: Future[JobStatus] = Future()
        with self._lock:
            self._futures[job.id] = future
        self._queue.put(job)
        return future

    def status(self, key: str) -> JobStatus | None:
        """How far a push is; None for one that nobody knows."""
        with self._lock:  # before the outcome is looked for: it is written first
            state: State | None = "queued" if key in self._futures else None
            state = "running" if key in self._running else state
        if outcome := self._spool.outcome(key):
            return outcome
        return None if state is None else JobStatus(job=key, state=state)

    def close(self) -> None:
        """Stop: what is committed now is committed, all else is done after the next start."""
        self._stopping.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        worker = WorkerProcess(self._limits)
        try:
            while not self._stopping.is_set() and (job := self._queue.get()) is not None:
                self._do(job, worker)
        except WorkerWasStopped:
            return
        finally:
            worker.close()

    def _do(self, job: PushedJob, worker: WorkerProcess) -> None:
        with self._lock:
            self._running.add(job.id)
        try:
            status = self._outcome(job, worker)
            if status is not None:
                self._finish(status)
                return
        except OSError as error:
            _LOG.error("push %s waits: %s", job.id, error)
        finally:
            with self._lock:
                self._running.discard(job.id)
        timer = Timer(_AGAIN_S, self._queue.put, [job])
        timer.daemon = True
        timer.start()

    def _finish(self, status: JobStatus) -> None:
        self._spool.finish(status)
        self.counts[status.state] += 1
        with self._lock:
            future = self._futures.pop(status.job)
        future.set_result(status)

    def _outcome(self, job: PushedJob, worker: WorkerProcess) -> JobStatus | None:
        """What comes of a push; None where the disk is full, or the store
        takes nothing more."""
        folder = self._spool.folder(job.id)
        answer = worker.do(folder, self._stopping)
        line = answer.error
        if answer.bug is None and line is None:
            try:
                return self._stored(job, folder)
            except PerfduckError as error:
                line = str(error).replace(f"{folder}/", "")
            except Exception:
                answer = WorkerAnswer(bug=traceback.format_exc())
        if self._invalidated.is_set():
            _LOG.error("push %s waits for the next start", job.id)
            return None
        if answer.bug:
            _LOG.error("push %s: %s", job.id, answer.bug)
            return JobStatus(job=job.id, state="failed", error=_BUG)
        if line and DISK_IS_FULL in line:
            _LOG.error("push %s waits: %s", job.id, line)
            return None
        return JobStatus(job=job.id, state="refused", error=perfduck.visible(line or ""))

    def _stored(self, job: PushedJob, folder: Path) -> JobStatus:
        result = self._store.adopt(
            folder / STORE_FILE,
            name=job.name,
            is_unnamed=job.is_unnamed,
            kernel=job.kernel,
            force=job.force,
            is_admin=job.is_admin,
            is_verified=not job.is_store,
        )
        if not job.is_store:
            self._raw.keep(folder, job.file, result.id)
        return _status(job, result)


def _status(job: PushedJob, result: IngestResult) -> JobStatus:
    return JobStatus(
        job=job.id,
        state="stored" if result.is_new else "unchanged",
        profile=ProfileKey(result.id, result.name),
        result=result.to_text().rstrip("\n"),
        notes=list(result.notes),
        receipt=result.data if job.is_store else None,
    )
