"""What a program prints in a network namespace, and which one a command runs in."""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from perfduck_model.errors import PerfduckError

_LIMIT_S = 20
_ADMIN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # not on the PATH of users everywhere


def namespace_of(command: Sequence[str]) -> str | None:
    """The namespace that `ip netns exec NAME ...` names; None: that of this process."""
    words = _words(command)
    if words[1:3] == ["netns", "exec"] and Path(words[0]).name == "ip" and words[3:]:
        return words[3]
    return None


def _words(command: Sequence[str]) -> list[str]:
    """Those of the line that a shell is given, or the command's own."""
    if command[:2] == ("sh", "-c"):
        with suppress(ValueError):
            return shlex.split(command[2], comments=True)
    return list(command)


def check_namespace(name: str) -> None:
    """PerfduckError where there is no such namespace, or it may not be entered."""
    _, error = printed(("true",), name)
    if error:
        raise PerfduckError.at(where=f"--netns {name}", expected="a network namespace", got=error)


def printed(
    command: Sequence[str], netns: str | None = None, limit_s: float = _LIMIT_S
) -> tuple[str, str]:
    """What it prints, and why it printed nothing: no such program, no permission."""
    program = _path_of(command[0])
    if program is None:
        return "", f"no program {command[0]}"
    prefix = ("ip", "netns", "exec", netns) if netns else ()
    words = [*prefix, program, *command[1:]]
    if prefix:
        words[0] = _path_of("ip") or "ip"
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", getattr(error, "strerror", None) or f"no answer within {limit_s:g} s"
    text = done.stdout.decode(errors="replace")
    if done.returncode and not text.strip():
        lines = done.stderr.decode(errors="replace").splitlines()
        return "", next(iter(lines), f"exit status {done.returncode}")
    return text, ""


def _path_of(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=_ADMIN_PATH)
