"""POST /api/v1/store/merge: what a store file has and the server's has not, as `perfduck merge`.

The file comes from outside: another process reads it first, and writes what it has to a store of
its own, which is then merged. So one that is damaged ends that process alone.
"""

import secrets
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

import perfduck
from perfduck_server.access import require
from perfduck_server.service import Service, ServiceOf
from perfduck_server.uploads import FileSink, UploadRefused, receive
from perfduck_store.remote.merging import PATH

_MOST_S = 3600
_MOST_BYTES = 1 << 50  # what counts is the room on the disk
_USER_ERROR = 2

router = APIRouter(include_in_schema=False)


async def _received(request: Request, service: ServiceOf) -> Path:
    """The body as a file."""
    folder = service.settings.merging_folder
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{secrets.token_hex(8)}.duckdb"
    sink = FileSink(folder, path.name)
    try:
        await receive(request.stream(), None, sink, folder, _MOST_BYTES)
    except UploadRefused as error:  # the disk is full
        path.unlink(missing_ok=True)
        raise perfduck.PerfduckError(str(error)) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


@router.post(PATH, dependencies=[Depends(require("admin"))])
def merge(service: ServiceOf, other: Annotated[Path, Depends(_received)]) -> Response:
    """How many recordings were added, and what changed."""
    ours = other.with_suffix(".ours")
    try:
        _copy_checked(other, ours)
        return _merged(service, ours)
    finally:
        for path in (other, ours):
            path.unlink(missing_ok=True)


def _merged(service: Service, ours: Path) -> Response:
    done = service.store.merge(ours).data
    return Response(msgspec.json.encode(done), media_type="application/json")


def _copy_checked(other: Path, ours: Path) -> None:
    """Write what the store has to a new one, in another process. PerfduckError where that is none
    or is damaged."""
    command = [sys.executable, "-m", "perfduck", "merge", str(other), "--store", str(ours)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MOST_S, check=False)
    except subprocess.TimeoutExpired as error:
        expected = f"a store that is read within {_MOST_S} s"
        raise perfduck.PerfduckError.at(where="store", expected=expected, got="more") from error
    if done.returncode == 0:
        return
    reason = done.stderr.removeprefix("perfduck: ").replace(f"{other.parent}/", "").strip()
    if done.returncode == _USER_ERROR and reason.count("\n") == 0:
        raise perfduck.PerfduckError(reason.replace(other.name, "store"))
    raise perfduck.PerfduckError.at(
        where="store", expected="a whole store", got="one that is damaged"
    )
