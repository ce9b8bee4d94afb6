"""Saved queries over HTTP: /api/v1/queries/NAME"""

from typing import Annotated

from fastapi import APIRouter, Body, Depends
from fastapi.responses import Response

from perfduck_server.access import require
from perfduck_server.service import ServiceOf

_MOST_CHARACTERS = 100_000

router = APIRouter(prefix="/api/v1/queries", dependencies=[Depends(require("sql"))], tags=["sql"])


@router.get("")
def saved(service: ServiceOf) -> dict[str, str]:
    """The text of each saved query, by name."""
    return service.queries.all()


@router.put("/{name}", status_code=204, response_class=Response)
def keep(
    name: str,
    service: ServiceOf,
    query: Annotated[str, Body(embed=True, max_length=_MOST_CHARACTERS)],
) -> None:
    """Keep a query under a name."""
    service.queries.keep(name, query)


@router.delete("/{name}", status_code=204, response_class=Response)
def remove(name: str, service: ServiceOf) -> None:
    """Keep it no more."""
    service.queries.remove(name)
