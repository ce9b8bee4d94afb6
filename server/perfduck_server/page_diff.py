"""A diff as it is now, and as it was when a link was made."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from perfduck import DiffResult, PerfduckError, ProfileStore
from perfduck_report.html import diff_values
from perfduck_server.access import ANONYMOUS, Reader, require
from perfduck_server.links import LinksAreFull
from perfduck_server.pages import (
    Typed,
    failure,
    fields,
    page,
    pairs_of,
    query,
    rows_of,
    typed,
)
from perfduck_server.query_options import QueryOption, given, options_of
from perfduck_server.question_route import QuestionRoute, StoreOf
from perfduck_server.read_api import QUESTIONS, answered, downloads
from perfduck_server.service import ServiceOf

_DIFF = QUESTIONS["diff"]
_OPTIONS = options_of(ProfileStore.diff)
_FORMATS = ("html", "json", "markdown", "junit")
_SIDES = ("base", "new")

router = APIRouter(
    include_in_schema=False, dependencies=[Depends(require("read"))], route_class=QuestionRoute
)


@router.get("/diff")
def diff(request: Request, store: StoreOf) -> HTMLResponse:
    """Base against new, as of now."""
    pairs = typed(request)
    values: dict[str, Any] = {"fields": fields(_OPTIONS, pairs, *_SIDES), "link": None}
    values |= {"sides": {side: dict(pairs).get(side, "") for side in _SIDES}}
    values |= {"choices": _choices(store)}
    if not pairs:
        return page("diff_live.html", request, **values)
    try:
        answer = _DIFF.asked(store, given(_OPTIONS, pairs))
    except PerfduckError as error:
        return page("diff_live.html", request, **values, **failure(error))
    formats = [(each, f"/api/v1/diff?{query(pairs)}&format={each}") for each in _FORMATS]
    values |= _shown(answer, [*formats, *downloads(_renamed(pairs))])
    return page("diff.html", request, **values, sandwich=_sandwich(pairs))


@router.post("/d")
def pin(request: Request, reader: Reader, service: ServiceOf, store: StoreOf) -> Response:
    """Make a link of a diff, and go there."""
    anonymous = reader.name == ANONYMOUS and not service.is_open()
    try:
        asked = given(_OPTIONS, typed(request))
        pinned = service.links.pin(store, asked, _DIFF.asked, anonymous=anonymous)
    except LinksAreFull as error:
        return page("no_answer.html", request, status=507, error=str(error))
    except PerfduckError as error:
        return page("no_answer.html", request, **failure(error))
    return RedirectResponse(f"/d/{pinned.key}", 303)


@router.get("/d/{key}")
def link(key: str, request: Request, service: ServiceOf) -> Response:
    """The diff of a link; with `format` as a file."""
    try:
        pinned, answer = service.links.pinned(key)
        asked = given(_DIFF_FORMATS, typed(request))
    except PerfduckError as error:
        return page("no_answer.html", request, **failure(error))
    if "format" in asked:
        return answered(_DIFF, answer, asked)
    values = _shown(answer, [(each, f"/d/{key}?format={each}") for each in _FORMATS])
    by_ids = [(side, pinned.selector(side)) for side in _SIDES] + pairs_of(pinned.options)
    stored = set(service.store.profiles().frame["id"])
    gone = {
        side: [name for each, name in pinned.profiles[side].items() if each not in stored]
        for side in _SIDES
    }
    values |= {
        "link": pinned,
        "now": f"/diff?{query(pairs_of(pinned.asked))}",
        "gone": gone,
        "sandwich": None if any(gone.values()) else _sandwich(by_ids),
    }
    return page("diff.html", request, **values)


_DIFF_FORMATS: dict[str, QueryOption] = {
    name: option for name, option in _DIFF.options.items() if name not in _OPTIONS
}


def _shown(answer: DiffResult, downloads: list[tuple[str, str]]) -> dict[str, Any]:
    values = diff_values(answer.data, answer.flame(), None, answer.runs())
    return values | {"layout": "diff_live.html", "downloads": downloads}


def _sandwich(pairs: Typed) -> str:
    """Where a function of both sides is asked for, up to its name."""
    known = options_of(ProfileStore.sandwich)
    kept = [(name, text) for name, text in _renamed(pairs) if name in known]
    return f"/api/v1/sandwich?{query(kept)}"


def _renamed(pairs: Typed) -> Typed:
    """As questions about one side and its base have them."""
    return [("selector" if name == "new" else name, text) for name, text in pairs]


def _choices(store: ProfileStore) -> list[str]:
    """Selectors that are worth a try: each label with its values, but single runs."""
    pairs = {pair for row in rows_of(store.profiles()) for pair in row["labels"].items()}
    return [f"{key}={value}" for key, value in sorted(pairs) if key != "run"]
