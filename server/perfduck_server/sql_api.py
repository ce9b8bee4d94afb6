"""SQL that reads, over HTTP: POST /api/v1/sql {"query": "select ...", "parameters": {"name": 1}}

One statement, within limits of time, rows and memory, in a process of its own over a copy of the
store (sql_snapshots.py).
"""

import io
import json
from functools import partial
from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

import perfduck
from perfduck_server.access import require
from perfduck_server.service import Service, ServiceOf
from perfduck_server.sql_turns import WAITS_S
from perfduck_store.remote.user_sql import ARROW

MOST_S = 60.0
MOST_ROWS = 1_000_000
MOST_CHARACTERS = 1_000_000

Format = Literal["json", "csv", "arrow"]
Cell = int | Annotated[float, Field(allow_inf_nan=False)] | str | None

router = APIRouter()


class SqlQuery(BaseModel):
    """A statement, and what it may take."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: Annotated[str, Field(max_length=MOST_CHARACTERS, description="One SELECT.")]
    parameters: Annotated[
        dict[str, Cell], Field(default_factory=dict, description="Values of $name in the query.")
    ]
    timeout: Annotated[float, Field(ge=0.001, le=MOST_S, description="Seconds.")] = 20.0
    max_rows: Annotated[int, Field(ge=1, le=MOST_ROWS, description="More are an error.")] = 10_000


def _rows(service: Service, wanted: SqlQuery) -> perfduck.Table:
    with service.snapshots.current() as path:
        return perfduck.open(path).sql(
            wanted.query,
            wanted.parameters,
            timeout_s=wanted.timeout,
            max_rows=wanted.max_rows,
        )


@router.post("/api/v1/sql", dependencies=[Depends(require("sql"))])
async def sql(
    service: ServiceOf,
    wanted: SqlQuery,
    format: Annotated[Format | None, Query(description="How to write the rows.")] = None,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """The rows of one statement that reads; table `hit` has it all. JSON: columns with their types,
    and rows as objects, as the command prints them."""
    try:
        table = await service.turns.run(partial(_rows, service, wanted))
    except TimeoutError:
        message = (
            f"sql: expected a free place within {WAITS_S:g} s, but other statements are running"
        )
        return JSONResponse({"error": message}, 503, {"Retry-After": "1"})
    chosen = format or ("arrow" if ARROW in accept else "csv" if "text/csv" in accept else "json")
    body, kind = await anyio.to_thread.run_sync(_written, table, chosen)
    return Response(body, media_type=kind)


def _written(table: perfduck.Table, format: Format) -> tuple[str | bytes, str]:
    match format:
        case "arrow":
            file = io.BytesIO()
            table.frame.write_ipc(file, compression="lz4")
            return file.getvalue(), ARROW
        case "csv":
            return table.to_csv(), "text/csv; charset=utf-8"
        case "json":
            columns = [{"name": n, "type": str(t)} for n, t in table.frame.schema.items()]
            return f'{{"columns": {json.dumps(columns)}, "rows": {table.to_json()}}}\n', (
                "application/json"
            )
