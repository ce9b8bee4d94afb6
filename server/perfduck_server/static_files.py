"""What pages load: style sheets and scripts, of this package and of the report."""

import hashlib
from functools import cache
from importlib import resources
from pathlib import PurePath
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from perfduck_report.html import assets

_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_A_DAY = "public, max-age=86400"

router = APIRouter(include_in_schema=False)


class StaticFile(NamedTuple):
    """The bytes of a file, their media type, and a hash of them."""

    content: bytes
    kind: str
    etag: str


@cache
def static_files() -> dict[str, StaticFile]:
    """All files by name."""
    own = {
        place.name: place.read_text(encoding="utf-8")
        for place in (resources.files(__package__) / "static").iterdir()
    }
    return {name: _file(name, text) for name, text in {**assets(), **own}.items()}


def _file(name: str, text: str) -> StaticFile:
    content = text.encode()
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    return StaticFile(content, _KINDS[PurePath(name).suffix], f'"{digest}"')


def address(name: str) -> str:
    """Where a page finds a file: another address for another content."""
    return f"/static/{name}?v={static_files()[name].etag[1:-1]}"


@router.get("/static/{name}")
def static(name: str, request: Request, v: str = "") -> Response:
    """A file; nobody needs to be known for it. `v`: see `address`."""
    file = static_files().get(name)
    if file is None:
        return Response(status_code=404)
    headers = {"ETag": file.etag, "Cache-Control": _A_DAY}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.kind, headers=headers)
