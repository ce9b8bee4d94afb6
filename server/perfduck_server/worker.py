"""Reads pushed recordings, in a process of its own: a recording that kills or hangs its reader
costs that upload only.

The server writes a line of JSON for each job and gets one back:

    {"folder": ".../spool/ID"}      {"error": null} | {"error": LINE} | {"bug": TRACEBACK}

A job leaves store.duckdb in its folder, a store with the one recording, and packs the body.
`python -m perfduck_server.worker MEMORY_MB FILE_BYTES`
"""

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

import perfduck
from perfduck_model.durable import sync_file
from perfduck_model.errors import room_on_disk
from perfduck_model.zstandard import zstd
from perfduck_server.spool import (
    ATTACH,
    JOB_FILE,
    KALLSYMS,
    PACKED,
    STORE_FILE,
    TOO_LARGE,
    WORK,
    PushedJob,
)

_NO_THREAD = "can't start new thread"  # of Python, where its stack cannot be had
_PR_SET_PDEATHSIG = 1
_NICE = 5  # questions go first
_PACKED_BYTES = 1 << 20


def main() -> None:
    """Do jobs until standard input ends, or nobody reads the answers."""
    _limit(int(sys.argv[1]) << 20, int(sys.argv[2]))
    answers = os.fdopen(os.dup(1), "wb", buffering=0)  # of which nothing is left to write at exit
    os.dup2(2, 1)  # what a library prints
    with contextlib.suppress(BrokenPipeError):  # the server was killed
        for line in sys.stdin:
            answer = _done(Path(json.loads(line)["folder"]))
            answers.write(json.dumps(answer).encode() + b"\n")


def _limit(memory: int, file_bytes: int) -> None:
    """End with the server, and give up where a job takes too much. The server looks at what the
    process has in memory ten times a second; twice as much it cannot get in between."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_DATA, (2 * memory, 2 * memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _done(folder: Path) -> dict[str, str | None]:
    try:
        os.chdir(folder)  # so that messages name files as they were sent
        with room_on_disk(folder):
            _read(msgspec.json.decode(Path(JOB_FILE).read_bytes(), type=PushedJob))
    except perfduck.PerfduckError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": TOO_LARGE.format(sys.argv[1])}
    except OSError as error:
        return {"error": f"{error.filename or 'the system'}: {error.strerror or error}"}
    except Exception as error:
        if str(error) == _NO_THREAD:
            return {"error": TOO_LARGE.format(sys.argv[1])}
        return {"bug": traceback.format_exc()}
    return {"error": None}


def _read(job: PushedJob) -> None:
    Path(STORE_FILE).unlink(missing_ok=True)  # of a worker that was killed
    store = perfduck.open(STORE_FILE)
    if job.is_store:
        store.adopt(job.file, labels=job.labels)
        return
    body = Path(job.file)
    if not body.exists():  # packed for a server that was killed before the commit
        _unpack(body)
    store.ingest(job.file, **_options(job))
    _pack(body)


def _options(job: PushedJob) -> dict[str, Any]:
    files = {part.removeprefix(ATTACH): part for part in job.parts if part.startswith(ATTACH)}
    return {
        "labels": job.labels,
        "work": job.work,
        "unit": job.unit,
        "work_from": WORK if WORK in job.parts else None,
        "kallsyms": KALLSYMS if KALLSYMS in job.parts else None,
        "attach": files,
        "kernel": job.kernel,
        "host_files": False,  # those of the server are not those of the recorded machine
        "lenient": job.lenient,
        "event": job.event,
    }


def _pack(body: Path) -> None:
    """What was sent packed is kept as it came."""
    smaller = _packed(body)
    with body.open("rb") as plain, smaller.open("wb") as file:
        with zstd.open(file, "wb") as packed:
            shutil.copyfileobj(plain, packed, _PACKED_BYTES)
        sync_file(file)  # the body is removed: a crash of the machine must not take both
    if smaller.stat().st_size < 0.9 * body.stat().st_size:
        body.unlink()
    else:
        smaller.unlink()


def _unpack(body: Path) -> None:
    """Write the body that `_pack` has removed; a part of it never has its name."""
    part = body.with_name(f"{body.name}.part")
    with zstd.open(_packed(body), "rb") as packed, part.open("wb") as plain:
        shutil.copyfileobj(packed, plain, _PACKED_BYTES)
    part.replace(body)


def _packed(body: Path) -> Path:
    return body.with_name(f"{body.name}{PACKED}")


if __name__ == "__main__":
    main()
