"""Uploads that wait to be read, and what came of them, kept so that a restart loses none.

    STORE.server/spool/ID.part/     a body that is received; what is there at a start is dropped
    STORE.server/spool/ID/          job.json and the files of an accepted push
    STORE.server/jobs/ID.json       what came of it
    STORE.server/failed/ID/         a push that met a bug of ours: it can be pushed again

A push is accepted when its folder has been renamed and the disk has it all.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from perfduck_model.durable import sync_file, sync_folder
from perfduck_model.errors import PerfduckError
from perfduck_store.recording import Receipt

JOB_FILE, STORE_FILE = "job.json", "store.duckdb"
KALLSYMS, WORK, ATTACH = "kallsyms", "work", "attach."  # parts beside the body
PACKED = ".zst"  # of a body that the server has packed
TOO_LARGE = "expected a recording that is read in {} MB of memory, got one that needs more"
DISK_IS_FULL = "expected room on the disk"  # in what the library says
_OUTCOMES_KEPT_S = 7 * 86_400


class PushedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A push that was accepted. `labels` are those of the request and of its token."""

    id: str
    file: str  # name of the body in the folder
    is_store: bool = False  # the body is a store with one recording, as the command line sends it
    is_unnamed: bool = False  # neither the request nor the file says what it is called
    name: str | None = None
    labels: dict[str, str] = {}
    work: float | None = None
    unit: str | None = None
    kernel: str | None = None
    force: bool = False
    lenient: bool = False
    event: str | None = None
    parts: list[str] = []  # names of the other files in the folder
    is_admin: bool = False


class ProfileKey(msgspec.Struct, frozen=True):
    """The profile that a push ended in."""

    id: str  # 16 hex digits
    name: str


State = Literal["queued", "running", "stored", "unchanged", "refused", "failed"]


class JobStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a push is. `result` is what the command line prints of such an ingest, `error` the
    line of one that was refused. `receipt`: of a store that was pushed, for the command line."""

    job: str
    state: State
    profile: ProfileKey | None = None
    result: str | None = None
    notes: list[str] = []
    receipt: Receipt | None = None
    error: str | None = None


class SpoolIsGone(PerfduckError):
    """Somebody removed the server's folder while it runs."""


class Spool:
    """The folders of accepted pushes."""

    def __init__(self, state_folder: Path) -> None:
        """Make the folders; drop bodies that were not received whole."""
        self._waiting = state_folder / "spool"
        self._outcomes = state_folder / "jobs"
        self._failed = state_folder / "failed"
        for folder in (self._waiting, self._outcomes, self._failed):
            folder.mkdir(mode=0o700, exist_ok=True)
        for unfinished in self._waiting.glob("*.part"):
            shutil.rmtree(unfinished)

    def check(self) -> None:
        """Raise SpoolIsGone. The tokens are gone as well, so nothing is made again unasked."""
        if not self._waiting.is_dir():
            raise SpoolIsGone.at(
                self._waiting, expected="a directory (start the server again)", got="none"
            )

    def new(self) -> Path:
        """A folder for a body. Ids are in the order of time, and nobody guesses one. SpoolIsGone as
        `check`."""
        self.check()
        key = f"{time.time_ns():016x}{secrets.token_hex(6)}"
        folder = self._waiting / f"{key}.part"
        folder.mkdir(mode=0o700)
        return folder

    def accept(self, folder: Path, job: PushedJob) -> None:
        """All files are there: from now on the push survives a crash."""
        write_whole(folder / JOB_FILE, msgspec.json.encode(job))
        folder.rename(self.folder(job.id))
        sync_folder(self._waiting)

    def drop(self, folder: Path) -> None:
        """Remove a folder."""
        shutil.rmtree(folder, ignore_errors=True)

    def folder(self, key: str) -> Path:
        """Of an accepted push."""
        return self._waiting / key

    def waiting(self) -> Iterator[PushedJob]:
        """Pushes that were accepted and have no outcome, the oldest first."""
        for path in sorted(self._waiting.glob(f"*/{JOB_FILE}")):
            if path.parent.suffix != ".part":
                yield msgspec.json.decode(path.read_bytes(), type=PushedJob)

    def finish(self, status: JobStatus) -> None:
        """Keep what came of a push, and drop its files, unless it was not its own fault."""
        write_whole(self._outcomes / f"{status.job}.json", msgspec.json.encode(status))
        folder = self.folder(status.job)
        if status.state == "failed":
            folder.rename(self._failed / status.job)
        else:
            self.drop(folder)

    def outcome(self, key: str) -> JobStatus | None:
        """What came of a push; None where it has no outcome, or it is forgotten."""
        try:
            content = (self._outcomes / f"{key}.json").read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(content, type=JobStatus)

    def forget_old(self) -> None:
        """Drop outcomes of a week ago."""
        oldest = time.time() - _OUTCOMES_KEPT_S
        for path in self._outcomes.glob("*.json"):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb", opener=_private) as file:
            file.write(content)
            sync_file(file)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
