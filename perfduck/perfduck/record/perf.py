"""What perf is asked to record, and why it cannot.

perf runs the command `true` before the first run: a kernel without CONFIG_CGROUP_PERF refuses
`--all-cgroups`, one without CAP_PERFMON for the user `--namespaces` (kernel/events/core.c), and one
that refuses all else is reported before the user's command was started.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from perfduck_model.errors import PerfduckError

EVENT, FREQUENCY = "cpu-clock", 999  # ns of CPU time on every machine, virtual ones included
_CAP_SYS_ADMIN, _CAP_PERFMON = 21, 38  # linux/capability.h; the second since 5.8
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_MOST_PARANOID = 0  # that lets a user record all CPUs; the kernel's own functions up to 1
_PROBE_S = 60
_INSTALL = (
    "Debian: apt-get install linux-perf, Ubuntu: linux-tools-$(uname -r), Fedora: dnf install perf"
)
_OUTPUT = ("-o", "--output")
_CGROUPS, _NAMESPACES = "--all-cgroups", "--namespaces"


@dataclass(frozen=True, slots=True)
class Perf:
    """perf with its options; `places`: those for the cgroup and the namespaces of threads, as far
    as the kernel has them."""

    program: str
    events: tuple[str, ...] = (EVENT,)
    frequency: int = FREQUENCY
    more: tuple[str, ...] = ()  # options of the user
    places: tuple[str, ...] = (_CGROUPS, _NAMESPACES)

    def command(self, file: Path) -> list[str]:
        """`perf record` into the file; the command to be recorded is to follow."""
        events = [word for event in self.events for word in ("-e", event)]
        return [
            self.program, "record", "-q", "-a", "-g", *events, "-F", str(self.frequency),
            *self.places, *self.more, "-o", str(file), "--",
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Permission:
    """What the kernel allows a process: its setting for all, and what the process is allowed beyond
    that."""

    paranoid: int
    is_root: bool
    has_capability: bool

    @property
    def is_enough(self) -> bool:
        """Whether it may record all CPUs and the kernel."""
        return self.has_capability or self.paranoid <= _MOST_PARANOID

    @classmethod
    def of_this_process(cls) -> Self:
        """That of the process which starts perf."""
        return cls(_paranoid(), os.geteuid() == 0, _may_record())


def ready(events: Sequence[str], frequency: int, more: str) -> Perf:
    """perf, which was seen to record with these options on this machine. PerfduckError where it
    cannot."""
    program = shutil.which("perf")
    if program is None:
        expected = f"the program ({_INSTALL})"
        raise PerfduckError.at(where="perf", expected=expected, got="none on the PATH")
    perf = Perf(program, tuple(events) or (EVENT,), frequency, _words(more))
    failure = _failure(perf)
    if not failure:
        return perf
    for places in ((_CGROUPS,), (_NAMESPACES,), ()):
        less = replace(perf, places=places)
        if not _failure(less):
            return less
    raise PerfduckError(reason(failure, Permission.of_this_process()))


def _words(more: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(more))
    except ValueError as error:
        raise PerfduckError.at(
            where="--perf-args", expected="words", got=f"{more!r} ({error})"
        ) from error
    if wrong := next((word for word in words if word.partition("=")[0] in _OUTPUT), None):
        expected = "options of perf record other than its file"
        raise PerfduckError.at(where="--perf-args", expected=expected, got=wrong)
    return words


def _failure(perf: Perf) -> str:
    """What perf prints where it does not record; nothing where it does."""
    with tempfile.TemporaryDirectory(prefix="perfduck-probe-") as folder:
        try:
            done = subprocess.run(
                [*perf.command(Path(folder) / "perf.data"), "true"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_PROBE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"`true` did not end within {_PROBE_S} s"
    if not done.returncode:
        return ""
    return done.stderr.decode(errors="replace") or f"exit status {done.returncode}"


def reason(printed: str, permission: Permission) -> str:
    """The line that the user is shown: what to change where the kernel does not allow it, else what
    perf says."""
    if not permission.is_enough:
        who = "root without CAP_PERFMON" if permission.is_root else "not root"
        return (
            "perf record: expected to record all CPUs and the kernel, got"
            f" kernel.perf_event_paranoid of {permission.paranoid} and {who}: run as root, or"
            " sudo sysctl kernel.perf_event_paranoid=-1"
        )
    return f"perf record: {first_line(printed)}"


def first_line(printed: str) -> str:
    """The first line of what perf printed that says something."""
    lines = (line.strip() for line in printed.splitlines())
    return next((line for line in lines if line and line != "Error:"), "failed without a message")


def _paranoid() -> int:
    try:
        return int(_PARANOID.read_text())
    except (OSError, ValueError):
        return _MOST_PARANOID


def _may_record() -> bool:
    """Whether this process may record what is not its own."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) & (1 << _CAP_PERFMON | 1 << _CAP_SYS_ADMIN))
    return False
