"""What a server is started with."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfduck_server.retention import RetentionRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of `perfduck serve`. Sizes in bytes, times in seconds."""

    store: Path
    host: str = "127.0.0.1"
    port: int = 8480  # 0: one that is free
    memory_mb: int = 1024  # of DuckDB, for all requests together
    max_upload_bytes: int = 1 << 30
    job_timeout_s: float = 300.0
    job_memory_mb: int = 1024  # of a worker, which reads one recording at a time
    retention: "tuple[RetentionRule, ...]" = ()
    publish: str | None = None  # the address of a lake
    access_log: Path | None = None  # None: standard error
    anonymous_read: bool = False
    most_links_bytes: int = 2 << 30
    most_anonymous_links_bytes: int = 256 << 20  # the rest is for readers with a token
    session_idle_s: float = 20.0  # a client that is not heard of for so long has lost its session
    most_sessions: int = 64
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def state_folder(self) -> Path:
        """Where everything but the store is kept: uploads, tokens, links, saved queries."""
        return self.store.with_name(f"{self.store.name}.server")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can ask the server."""
        return is_loopback(self.host)

    @property
    def backup_folder(self) -> Path:
        """Copies of the store that are being sent."""
        return self.state_folder / "backup"

    @property
    def publishing_folder(self) -> Path:
        """Recordings that are being published."""
        return self.state_folder / "publishing"

    @property
    def merging_folder(self) -> Path:
        """Where stores are that are merged just now."""
        return self.state_folder / "merging"

    @property
    def scheme(self) -> str:
        """Of the addresses that the server answers at."""
        return "https" if self.tls_cert else "http"


def is_unspecified(host: str) -> bool:
    """Whether a host means all addresses of this machine: 0.0.0.0, ::."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine can ask a server at a host: localhost, 127.0.0.1, ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
