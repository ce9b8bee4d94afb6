"""SQL of the user on the store of a server, which runs it on a copy, in a process of its own."""

from collections.abc import Mapping
from typing import Any

import msgspec
import polars as pl

from perfduck_model.errors import PerfduckError
from perfduck_store.choice import SqlLimits
from perfduck_store.remote.connection import Connection, answered
from perfduck_store.remote.frames import read_frame
from perfduck_store.waiting import Wait

PATH = "/api/v1/sql"
ARROW = "application/vnd.apache.arrow.file"


def asked(
    connection: Connection, text: str, parameters: Mapping[str, Any], limits: SqlLimits
) -> pl.DataFrame:
    """The rows. PerfduckError as protocol.Store.user_sql."""
    query = {
        "query": text,
        "parameters": parameters,
        "timeout": limits.seconds,
        "max_rows": limits.rows,
    }
    headers = {"Content-Type": "application/json", "Accept": ARROW}
    patience_s = limits.seconds + Wait(None).limit_s
    request = _json(query)
    answer = answered(
        lambda: connection.ask("POST", PATH, request, headers, timeout_s=patience_s),
        Wait(None),
        "others run SQL there",
    )
    body = connection.accepted(answer).body
    try:
        return read_frame(body)
    except ValueError as error:
        raise connection.unreadable(error) from error


def _json(query: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(query)
    except UnicodeEncodeError as error:
        message = "sql: expected text in UTF-8"
        raise PerfduckError(message) from error
