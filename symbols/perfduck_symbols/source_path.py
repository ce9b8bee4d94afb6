"""Source paths as compilers wrote them -> paths in the kernel tree.

net/core/dev.c                         in debian/build/build_amd64        net/core/dev.c
../../net/core/dev.c                   in /src/linux/obj/x                net/core/dev.c
/build/linux-6.1/arch/x86/entry/e.S    in /build/linux-6.1/debian/build   arch/x86/entry/e.S
/usr/lib/rustlib/src/core/lib.rs                                          as it is
"""

import os.path
from collections.abc import Iterable

# The directories at the top of the tree. They also occur deeper (arch/x86/kernel, drivers/net), so
# what is before one of them is a root only if nothing better is known.
_TOP = frozenset({
    "arch", "block", "certs", "crypto", "drivers", "fs", "init", "io_uring", "ipc", "kernel", "lib",
    "mm", "net", "rust", "scripts", "security", "sound", "tools", "usr", "virt", "include",
})  # fmt: skip


def roots(units: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Where the kernel tree stood: what comes before init/main.c, which every vmlinux has."""
    paths = (full for name, directory in units if (full := _full(name, directory)))
    return frozenset(full.removesuffix("init/main.c") for full in paths if _is_main(full))


def _is_main(path: str) -> bool:
    return path.endswith("/init/main.c")


def in_tree(name: str, directory: str, known: frozenset[str] = frozenset()) -> str:
    """The path in the kernel tree of a unit with this name and directory."""
    plain = os.path.normpath(name)
    if not plain.startswith(("/", "..")) or "/rustlib/" in plain:
        return plain
    full = _full(name, directory)
    for root in known:
        if full.startswith(root):
            return full.removeprefix(root)
    if shared := _shared_root(full, directory):
        return shared
    parts = full.split("/")
    first = next((i for i, part in enumerate(parts) if part in _TOP), 0)
    return "/".join(parts[first:])


def _full(name: str, directory: str) -> str:
    return os.path.normpath(os.path.join(directory, name))  # noqa: PTH118 - no files, and fast


def _shared_root(full: str, directory: str) -> str | None:
    """An object directory inside the tree (make O=build) shares the tree's path with the source."""
    shared = os.path.commonpath([full, directory]) if directory.startswith("/") else "/"
    rest = full.removeprefix(f"{shared}/")
    return rest if shared != "/" and rest.split("/")[0] in _TOP else None
