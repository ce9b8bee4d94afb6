"""What lies at a path where a file was expected."""

import errno
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def what_is(path: Path) -> str:
    """What lies at a path that is no regular file, for a message."""
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "a special file")
    except OSError as error:
        return error.strerror or str(error)


def opened_to_read(path: Path) -> BinaryIO:
    """The file, opened. OSError, whose reason for a socket is that it is one: the system's is `no
    such device or address`."""
    if path.is_socket():
        raise OSError(errno.ENXIO, "a socket", str(path))
    return path.open("rb")
