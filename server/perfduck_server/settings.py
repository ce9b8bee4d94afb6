"""What a server is started with."""

from dataclasses import dataclass
from pathlib import Path


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
    anonymous_read: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def state_folder(self) -> Path:
        """Where everything but the store is kept: uploads, tokens, links, saved queries."""
        return self.store.with_name(f"{self.store.name}.server")

    @property
    def scheme(self) -> str:
        """Of the addresses that the server answers at."""
        return "https" if self.tls_cert else "http"
