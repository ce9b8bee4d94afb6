"""Which store is meant, and how long to wait for it."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from msgspec import Struct

from perfduck import parts
from perfduck_model.errors import PerfduckError
from perfduck_store.lake.address import EXPECTED, SCHEME, is_lake, root_of
from perfduck_store.remote.address import SCHEMES, address_of
from perfduck_store.spark.address import EngineAddress, engine_at
from perfduck_store.waiting import interrupt_all as interrupt_all
from perfduck_store.waiting import waiting

if TYPE_CHECKING:  # DuckDB is loaded when a store is opened
    from perfduck.ingestion import Ingestion, IngestRequest, Progress
    from perfduck.lake_ingestion import LakeIngestion
    from perfduck.remote_ingestion import RemoteIngestion
    from perfduck_store.lake.store import LakeStore
    from perfduck_store.protocol import Store
    from perfduck_store.recording import Receipt
    from perfduck_store.remote.address import Address


_HOST = re.compile(r"(?P<name>\[[0-9a-f:]+\]|[\w-]+(?:\.[\w-]+)*):\d{1,5}", re.IGNORECASE)


class Ingesting(Protocol):
    """Recordings on their way into a store: see perfduck.ingestion."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(self, *_: object) -> None:
        """Let go of what was prepared for several recordings."""

    def check(self, requests: "Iterable[IngestRequest]", note: Callable[[str], object]) -> None:
        """Raise PerfduckError for what would fail at the commit; `note` takes what may fail."""

    def ingest(self, request: "IngestRequest", progress: "Progress | None" = None) -> "Receipt":
        """Read the recording, then store it."""

    def ingest_pair(self, requests: "Sequence[IngestRequest]") -> "list[Receipt]":
        """Read recordings, then store them: all or none in a file."""


class StorePlace(Protocol):
    """Where a store is, and how it is opened for a question."""

    @property
    def wait_s(self) -> float | None:
        """How long to wait for another process that has the store open."""

    def is_there(self) -> bool:
        """Whether there is a store, or a server that is to be asked."""

    def read(self) -> "Store":
        """The store, open to read. PerfduckError where there is none that can be read."""

    def write(self, *, create: bool = False) -> "Store":
        """The store, open to write; `create` it where there is none."""

    def ingestion(self, spool: Path | None = None) -> "Ingesting":
        """What stores recordings there, one after the other. `spool`: a directory for those that
        cannot be sent to a server. PerfduckError where there is nothing to be sent."""


class StoreFile(Struct, frozen=True):
    """A DuckDB file that is opened for each question, so that other processes can write between."""

    path: Path
    wait_s: float | None = None  # None: as this process is set

    def __str__(self) -> str:
        return str(self.path)

    def is_there(self) -> bool:
        """Whether there is a file."""
        return self.path.exists()

    def read(self) -> "Store":
        """The store, open to read. PerfduckError where there is none, or another process writes it
        for longer than `wait_s`."""
        return parts.store.DuckDbStore(self.path, wait_s=self.wait_s)

    def write(self, *, create: bool = False) -> "Store":
        """The store, open to write; `create` it where there is none."""
        return parts.store.DuckDbStore(self.path, write=True, wait_s=self.wait_s, create=create)

    def ingestion(self, spool: Path | None = None) -> "Ingestion":
        """What stores recordings there; the store is open only while one is committed."""
        refuse_spool(spool, self.path)
        return parts.ingestion.Ingestion(self.path, self.wait_s)


def refuse_spool(spool: Path | None, store: object) -> None:
    """PerfduckError where there is one for a store of this machine: nothing is sent."""
    if spool is not None:
        expected = "the URL of a server as --store"
        raise PerfduckError.at(where=f"--spool {spool}", expected=expected, got=store)


class StoreServer(Struct, frozen=True):
    """A store that a perfduck server has. Each question is a session of its own."""

    address: "Address"
    token: str | None
    wait_s: float | None = None

    def __str__(self) -> str:
        return str(self.address)

    def is_there(self) -> bool:
        """It is to be asked."""
        return True

    def read(self) -> "Store":
        """The store as it is now; the server is asked at the first question."""
        return parts.remote.RemoteStore(self.address, self.token, write=False, wait_s=self.wait_s)

    def write(self, *, create: bool = False) -> "Store":
        """The store, for one client at a time; it is there, so `create` asks for nothing."""
        return parts.remote.RemoteStore(self.address, self.token, write=True, wait_s=self.wait_s)

    def copy_to(self, path: Path) -> None:
        """Write a copy of the store to a file."""
        parts.merging.fetch(self.address, self.token, path)

    def ingestion(self, spool: Path | None = None) -> "RemoteIngestion":
        """What reads recordings here and sends what it read."""
        return parts.remote_ingestion.RemoteIngestion(self, spool)


class StoreLake(Struct, frozen=True):
    """Parquet parts in a directory or a bucket of S3, which many processes and machines write at
    once: nobody waits for another. `root`: the directory, or s3://BUCKET/PREFIX; `engine`: a Spark
    cluster that answers questions."""

    root: str
    wait_s: float | None = None
    engine: EngineAddress | None = None

    def __str__(self) -> str:
        return f"{SCHEME}{self.root}"

    def is_there(self) -> bool:
        """Whether there is a lake. PerfduckError where there is something else."""
        return parts.lake_files.LakeFiles(self.root).exists

    def check(self) -> None:
        """PerfduckError where a bucket cannot be asked: no keys, or no package."""
        parts.lake_files.storage_of(self.root)

    def recordings(self) -> set[int]:
        """The ids of all recordings that the lake has, or had before they were removed there."""
        return parts.lake_log.read_state(parts.lake_files.LakeFiles(self.root)).recordings()

    def read(self) -> "LakeStore":
        """The lake as it is now. PerfduckError where there is none that can be read."""
        if self.engine is not None:
            return parts.spark_store.SparkStore(self.root, self.engine)
        return parts.lake_store.LakeStore(self.root)

    def to_compact(self) -> "LakeStore":
        """The lake as it is now, which may have older schema versions alone."""
        return parts.lake_store.LakeStore(self.root, upgrade=True)

    def write(self, *, create: bool = False) -> "LakeStore":
        """The lake as it is now, to add a commit; `create` it where there is none. PerfduckError
        with an engine, which only reads."""
        if self.engine is not None:
            got = f"--engine {self.engine}"
            raise PerfduckError.at(self, expected="a change without an engine", got=got)
        return parts.lake_store.LakeStore(self.root, write=True, create=create)

    def ingestion(self, spool: Path | None = None) -> "LakeIngestion":
        """What stores recordings there; the lake is read when one is committed."""
        refuse_spool(spool, self)
        return parts.lake_ingestion.LakeIngestion(self)


def place_of(
    url: str, wait_s: float | None = None, engine: str | None = None
) -> "StoreFile | StoreServer | StoreLake":
    """Where the store is that somebody means: the path of a DuckDB file, the URL of a server, which
    gets the token of $PERFDUCK_TOKEN, or the address of a lake, which `engine` sc://HOST:PORT may
    read. PerfduckError for another URL, or an engine for another store."""
    if not url:
        expected = f"a path, http://HOST:PORT of a server, or {EXPECTED}"
        raise PerfduckError.at(where="--store", expected=expected, got="nothing")
    if is_lake(url):
        spark = None if engine is None else engine_at(engine)
        return StoreLake(root_of(url), wait_s, spark)
    if engine is not None:
        is_variable = os.environ.get("PERFDUCK_ENGINE") == engine
        where = "$PERFDUCK_ENGINE" if is_variable else f"--engine {engine}"
        raise PerfduckError.at(where, expected=f"{EXPECTED} as --store", got=url)
    if url.startswith(SCHEMES):
        return StoreServer(address_of(url), _token(), wait_s)
    if (host := _HOST.fullmatch(url)) and not Path(url).exists():
        expected = f"http://{url} for a server, or the path of a store (./{url} if it is one)"
        raise PerfduckError.at(url, expected=expected, got=f"{host['name']} and a port")
    return StoreFile(Path(url), wait_s)


def _token() -> str | None:
    token = os.environ.get("PERFDUCK_TOKEN", "").strip()
    if not (token.isascii() and token.isprintable()):
        raise PerfduckError.at(where="$PERFDUCK_TOKEN", expected="a token", got="other characters")
    return token or None


def be_patient(limit_s: float, say: Callable[[str], object]) -> None:
    """For all stores of this process that are opened without `wait_s`: how long to wait for another
    process that has one open. `say` takes a line after a second, once for each wait."""
    waiting.limit_s, waiting.say = limit_s, say
