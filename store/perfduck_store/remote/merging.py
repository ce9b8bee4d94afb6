"""What a store of this machine has, into that of a server; and the other way."""

from pathlib import Path

from perfduck_model.errors import room_on_disk
from perfduck_model.limits import limits
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.records import Merged
from perfduck_store.remote.address import Address
from perfduck_store.remote.connection import Connection

PATH = "/api/v1/store/merge"
BACKUP = "/api/v1/backup"
STORE_TYPE = "application/vnd.perfduck.store"


def push(connection: Connection, other: Path, wait_s: float | None) -> Merged:
    """Send the store and have it merged. PerfduckError where it is no store, or of a newer schema
    version, or another process writes it for longer than `wait_s`."""
    if other.with_name(f"{other.name}.wal").exists():  # what was committed is not all in the file
        DuckDbStore(other, write=True, wait_s=wait_s, create=False).close()
    with DuckDbStore(other, wait_s=wait_s), other.open("rb") as body:
        headers = {"Content-Type": STORE_TYPE, "Content-Length": str(other.stat().st_size)}
        answer = connection.ask("POST", PATH, body, headers, limits.most_merge_s)
    return connection.decoded(connection.accepted(answer), Merged)


def fetch(address: Address, token: str | None, to: Path) -> None:
    """Write a copy of the server's store to a new file."""
    connection = Connection(address, token)
    with room_on_disk(to), to.open("xb") as file:
        answer = connection.download(BACKUP, file)
    connection.close()
    connection.accepted(answer)
