"""The first page: what is stored, newest first."""

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from perfduck import PerfduckError, ProfileStore
from perfduck_report.names import visible
from perfduck_server.access import require
from perfduck_server.pages import failure, page, rows_of, typed
from perfduck_server.query_options import QueryOption, given
from perfduck_server.question_route import QuestionRoute, StoreOf
from perfduck_server.service import service_of
from perfduck_store.selector import quoted

_A_PAGE = 200  # recordings
_MOST_VALUES = 12  # of a label, to choose from
_OPTIONS = {
    "label": QueryOption("label", "text", several=True, default=None),
    "text": QueryOption("text", "text", default=None),
    "page": QueryOption("page", "whole", default=1),
}
Row = dict[str, Any]

router = APIRouter(
    include_in_schema=False, dependencies=[Depends(require("read"))], route_class=QuestionRoute
)


@router.get("/")
def recordings(request: Request, store: StoreOf) -> HTMLResponse:
    """The recordings that have all of these labels, and the text in their name or labels."""
    everything = _rows(store)
    values: dict[str, Any] = {"labels": {}, "chosen": [], "text": "", "number": 1}
    try:
        asked = given(_OPTIONS, typed(request))
        chosen, text = asked.get("label", []), asked.get("text", "")
        matching = [row for row in everything if _is_meant(row, chosen, text)]
        values |= {"labels": _labels(matching), "chosen": chosen, "text": text}
        values["number"] = number = asked.get("page", 1)
    except PerfduckError as error:
        matching, number = [], 1
        values |= failure(error)
    publisher = service_of(request).publisher
    shown = matching[(number - 1) * _A_PAGE : number * _A_PAGE]
    return page(
        "recordings.html",
        request,
        rows=shown,
        matching=len(matching),
        stored=len(everything),
        pages=-(-len(matching) // _A_PAGE),
        publish=publisher.state if publisher else None,
        **values,
    )


def _rows(store: ProfileStore) -> list[Row]:
    """A row for each profile, newest first."""
    rows = rows_of(store.profiles())
    for row in rows:
        row["selector"] = quoted(row["name"])
        row["at"] = row["ingested_at"] or row["started_at"]
    return sorted(rows, key=_newest, reverse=True)


def _newest(row: Row) -> tuple[datetime, str]:
    return row["at"] or datetime.min, row["name"]


def _is_meant(row: Row, labels: list[str], text: str) -> bool:
    terms = {f"{key}={value}" for key, value in row["labels"].items()}
    if not terms.issuperset(labels):
        return False
    words = " ".join(
        [row["name"], *sorted(terms), row["kernel_release"] or "", row["events"] or ""]
    )
    return text.casefold() in words.casefold()


def _labels(rows: list[Row]) -> dict[str, tuple[list[tuple[str, int]], int]]:
    """Of each label the values that most recordings have, and how many recordings that are; then
    the number of other values."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for key, value in row["labels"].items():
            counts[key][value] += 1
    return {visible(key): _most_common(counts[key]) for key in sorted(counts)}


def _most_common(values: Counter[str]) -> tuple[list[tuple[str, int]], int]:
    return sorted(values.most_common(_MOST_VALUES)), max(len(values) - _MOST_VALUES, 0)
