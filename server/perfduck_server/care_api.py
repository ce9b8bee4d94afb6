"""Looking after a server: whether it is well, a backup, and changes of what is said of profiles."""

import os
import secrets
import shutil
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

import perfduck
from perfduck_model.limits import limits
from perfduck_server.access import require
from perfduck_server.push_api import ProfileId
from perfduck_server.service import Service, ServiceOf

_LEAST_FREE_BYTES = 64 << 20
_PART_BYTES = 1 << 20
_LONGEST = 4096  # characters of a name or a label
# With a bound pydantic refuses half of a surrogate pair, too, which JSON can have and no store.
_Text = Annotated[str, Field(max_length=_LONGEST)]

router = APIRouter()
Admin = Depends(require("admin"))


class ProfileEdit(BaseModel):
    """What to say of a profile, as `perfduck edit` has it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: _Text | None = None
    work: Annotated[float, Field(ge=limits.least_work, le=limits.most_work)] | None = None
    unit: _Text | None = None
    labels: dict[_Text, _Text] = Field(default_factory=dict, description="Labels to add or change.")
    unlabel: list[_Text] = Field(default_factory=list, description="Keys of labels to remove.")


@router.get("/healthz", responses={503: {"description": "The store cannot be read or written."}})
def healthz(service: ServiceOf) -> Response:
    """Whether the store can be read, pushes can be taken, and the disk has room."""
    free = shutil.disk_usage(service.settings.store.parent).free
    state: dict[str, Any] = {"version": perfduck.__version__, "disk_free_bytes": free}
    if service.publisher:  # which harms no push: where and why is for those who may read
        state["publish"] = "failing" if service.publisher.state.error else "ok"
        state["publish_waiting"] = service.publisher.state.waiting
    try:
        with service.held.read():  # takes a state of the store, which reads its file
            service.spool.check()
    except perfduck.PerfduckError as error:
        return _unwell(str(error), state)
    if free < _LEAST_FREE_BYTES:
        return _unwell("the disk of the store is full", state)
    return JSONResponse({"status": "ok", **state})


def _unwell(line: str, said: dict[str, Any]) -> Response:
    """`error`: as every answer that is one has it, which the command line prints."""
    return JSONResponse({"status": line, "error": line, **said}, 503)


@router.patch("/api/v1/profiles/{profile}", dependencies=[Admin])
def edit(service: ServiceOf, profile: ProfileId, wanted: ProfileEdit) -> Response:
    """Change the name, work or labels of a profile; what that changed, in words."""
    result = service.store.edit(f"id:{profile}", **wanted.model_dump())
    return _said(result)


@router.delete("/api/v1/profiles/{profile}", dependencies=[Admin])
def remove(service: ServiceOf, profile: ProfileId) -> Response:
    """Remove a profile, and the file that was pushed."""
    result = service.store.remove(f"id:{profile}")
    service.raw.remove(profile)
    return _said(result)


def _said(result: object) -> Response:
    return JSONResponse({"result": str(result).rstrip("\n")})


@router.get("/api/v1/backup", dependencies=[Admin], response_class=StreamingResponse)
def backup(service: ServiceOf) -> Response:
    """The store as it is now, one file: to restore, start a server with it."""
    copy = _snapshot(service)
    headers = {
        "Content-Length": str(os.fstat(copy.fileno()).st_size),
        "Content-Disposition": 'attachment; filename="backup.duckdb"',
    }
    return StreamingResponse(_parts(copy), 200, headers, "application/octet-stream")


def _snapshot(service: Service) -> BinaryIO:
    """A copy that nobody else sees, and that is gone with whoever reads it."""
    folder = service.settings.backup_folder
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{secrets.token_hex(8)}.duckdb"
    try:
        service.held.snapshot(path)
        return path.open("rb")
    finally:
        path.unlink(missing_ok=True)


def _parts(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while part := file.read(_PART_BYTES):
            yield part
