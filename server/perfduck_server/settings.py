"""What a server is started with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of `perfduck serve`. Sizes in bytes, times in seconds."""

    store: Path
    host: str = "127.0.0.1"
    port: int = 8480
    memory_mb: int = 1024  # of DuckDB, for all requests together
    anonymous_read: bool = False

    @property
    def state_folder(self) -> Path:
        """Where everything but the store is kept: uploads, tokens, links, saved queries."""
        return self.store.with_name(f"{self.store.name}.server")
