"""Counters of the network stack now, of every network namespace of this machine: read before and
after a run, they are the attachment `net` (perfduck/net_counters.py).

A namespace is called as `ip netns` calls it, else by its inode; the one of this process is `host`.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from perfduck.record.network_namespace import printed

_SOFTNET = Path("/proc/net/softnet_stat")
_OF_NAMESPACE = ("snmp", "snmp6", "dev")
_NAMED = Path("/run/netns")
_MOST = 200  # namespaces: a node has 110 pods
HOST = "host"


def counters(moment: str) -> str:
    """The files, each below a line with its path: `==> before/host/snmp <==`."""
    softnet = _text(_SOFTNET)
    parts = [f"==> {moment}/softnet_stat <==\n{softnet}"] if softnet else []
    for name, files in _namespaces():
        parts += [f"==> {moment}/{name}/{file} <==\n{text}" for file, text in files.items() if text]
    return "\n".join(parts)


def _namespaces() -> Iterator[tuple[str, dict[str, str]]]:
    """The name of each, and its files by name: that of this process, those of other processes,
    and those that have a name alone."""
    named = dict(_names())
    seen = set[int]()
    for process in ("self", *_processes()):
        with suppress(OSError):
            inode = Path(f"/proc/{process}/ns/net").stat().st_ino
            if inode not in seen and len(seen) < _MOST:
                seen.add(inode)
                name = HOST if process == "self" else named.get(inode, str(inode))
                yield name, {f: _text(Path(f"/proc/{process}/net/{f}")) for f in _OF_NAMESPACE}
    for inode, name in named.items():
        if inode not in seen and len(seen) < _MOST:
            seen.add(inode)
            yield name, {f: printed(("cat", f"/proc/net/{f}"), name)[0] for f in _OF_NAMESPACE}


def _names() -> Iterator[tuple[int, str]]:
    for path in sorted(_NAMED.glob("*")):
        with suppress(OSError):
            yield path.stat().st_ino, path.name


def _processes() -> list[str]:
    return sorted((path.name for path in Path("/proc").glob("[0-9]*")), key=int)


def _text(path: Path) -> str:
    """'' of a file that may not be read, or is no longer there."""
    with suppress(OSError):
        return path.read_text(errors="replace")
    return ""
