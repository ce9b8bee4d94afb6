"""Where a server is that holds a store: for those who find the store taken.

STORE.server/address.json    {"pid": 4711, "url": "http://127.0.0.1:8480"}
"""

from pathlib import Path

import msgspec


class ServerAddress(msgspec.Struct, frozen=True):
    """The process of a server, and where it answers."""

    pid: int
    url: str


def address_file(store: Path) -> Path:
    """Where the server of a store says its address."""
    return store.with_name(f"{store.name}.server") / "address.json"


def url_of(store: Path, pid: int) -> str | None:
    """The URL of the server, if this process is one: a file that a killed server left says of
    another."""
    try:
        address = msgspec.json.decode(address_file(store).read_bytes(), type=ServerAddress)
    except (OSError, msgspec.DecodeError):
        return None
    return address.url if address.pid == pid else None
