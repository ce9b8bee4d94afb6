"""What a store of this machine has, into that of a server."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.records import Merged
from perfduck_store.remote.connection import Connection

PATH = "/api/v1/store/merge"
STORE_TYPE = "application/vnd.perfduck.store"
_OK = 200


def push(connection: Connection, other: Path, wait_s: float | None) -> Merged:
    """Send the store and have it merged. PerfduckError where it is no store, or of a newer schema
    version, or another process writes it for longer than `wait_s`."""
    with ExitStack() as within:
        store = within.enter_context(DuckDbStore(other, wait_s=wait_s))
        file = other
        if other.with_name(f"{other.name}.wal").exists():  # what was committed is not all in it
            folder = within.enter_context(TemporaryDirectory(prefix="perfduck-"))
            file = Path(folder) / "copy.duckdb"
            store.copy_to(file)
        body = within.enter_context(file.open("rb"))
        headers = {"Content-Type": STORE_TYPE, "Content-Length": str(file.stat().st_size)}
        answer = connection.ask("POST", PATH, body, headers)
    if answer.status != _OK:
        raise connection.refusal(answer)
    return msgspec.json.decode(answer.body, type=Merged)
