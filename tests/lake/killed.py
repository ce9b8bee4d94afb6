"""Kills a command at each of some moments in which it changes something on the disk, then begins it
again; what the lake answers after each is written to files.

    killed.py TEMPLATE FOLDER MOMENTS COMMAND...   ->   FOLDER/N.killed, FOLDER/N.again

The template is a directory, or s3://BUCKET/PREFIX. Each command is a child process, forked from
this one, which has loaded all and started nothing.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import perfduck_cli.main
import perfduck_store.lake.compaction
import perfduck_store.lake.store
from perfduck_cli.main import app

_IS_S3 = sys.argv[1:2] and sys.argv[1].startswith("s3://")
QUERY = (
    "select profile, function, sum(weight) as w, count(*) as n, max(labels['n']) as label"
    " from hit group by all order by all"
)


def main(template: str, folder: Path, moments: int, words: Sequence[str]) -> None:
    """Run it."""
    whole = _copied(template, folder, "whole")
    changes = _in_child(lambda: _run([*words, "--store", f"lake:{whole}"]), folder / "n")
    for number in range(moments):
        lake = _copied(template, folder, str(number))
        at = changes * number // moments
        command = [*words, "--store", f"lake:{lake}"]
        _in_child(lambda at=at, command=command: _run(command, at), folder / "n")
        _answer(lake, folder / f"{number}.killed")
        _in_child(lambda command=command: _run(command), folder / "n")
        _answer(lake, folder / f"{number}.again")


def _copied(template: str, folder: Path, name: str) -> str:
    if _IS_S3:
        # By boto3: obstore has threads, which no fork copies.
        import_module("s3_server").copy_lake(template, f"{template}-{name}")
        return f"{template}-{name}"
    return str(shutil.copytree(template, folder / name))


def _answer(lake: str, to: Path) -> None:
    words = ["sql", QUERY, "--format", "csv", "--store", f"lake:{lake}"]
    _in_child(lambda: _run(words, to=to), to.with_suffix(".n"))


def _in_child(function: Callable[[], int], count: Path) -> int:
    """Run a function in a child process, and what it counted."""
    count.unlink(missing_ok=True)
    if not (child := os.fork()):
        count.write_text(str(function()))
        os._exit(0)
    os.waitpid(child, 0)
    return int(count.read_text()) if count.exists() else -1


def _run(words: Sequence[str], killed_at: int = -1, to: Path = Path(os.devnull)) -> int:
    """A command with its output in a file; how often it changed something on the disk."""
    changes = 0

    def before(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            nonlocal changes
            if changes == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            changes += 1
            return call(*given, **named)

        return counted

    obstore = [(sys.modules["obstore"], name) for name in ("put", "delete") if _IS_S3]
    disk = [(os, "fsync"), (os, "link"), (Path, "replace"), (Path, "unlink")]
    for owner, name in [*disk, *obstore]:
        setattr(owner, name, before(getattr(owner, name)))
    with to.open("w") as sys.stdout, suppress(SystemExit):
        app(list(words), standalone_mode=False)
    return changes


if __name__ == "__main__":
    assert perfduck_cli.main
    assert perfduck_store.lake.compaction
    assert perfduck_store.lake.store
    if _IS_S3:
        import_module("perfduck_store.lake.s3")
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
