"""How much a statement of the user may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """What a statement may take."""

    seconds: float = 20.0  # less than writers wait for the store
    rows: int = 1_000_000
    memory_mb: int = 1024
    spilled_mb: int = 4096  # beside the store, in STORE.tmp
