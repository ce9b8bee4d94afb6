"""Which kernel ran: as the recording says, as paths in it say, or as the user says.

# os release : 6.18.44                                     perf script --header, perf.data
/lib/modules/6.1.0-18-amd64/kernel/net/ipv4/udp_tunnel.ko  images of a session of OProfile
/usr/lib/debug/boot/vmlinux-6.1.0-18-amd64
--kernel 6.1.0-18-amd64                                    for all others
"""

import re
from collections.abc import Iterable

from perfduck_model.errors import PerfduckError

_RELEASE = re.compile(r"\d+\.\d+[\w.+~-]*", re.ASCII)
_PATH = re.compile(
    r".*/(?:vmlinu[xz]-|lib/modules/)(?P<release>\d+\.\d+[^/]*?)(?:\.debug)?(?:/.*)?"
)


def checked_release(release: str, where: str) -> str:
    """A release as a user gives it; PerfduckError for what cannot be one."""
    if not _RELEASE.fullmatch(release):
        raise PerfduckError.at(
            where, expected="a kernel release such as 6.1.0-18-amd64", got=f"{release!r}"
        )
    return release


def release_of(paths: Iterable[str]) -> str | None:
    """What the paths of vmlinux and of modules say, if they say one thing."""
    releases = {match["release"] for path in paths if (match := _PATH.fullmatch(path))}
    return releases.pop() if len(releases) == 1 else None


def settled(source: str, given: str | None, said: str | None) -> str | None:
    """The release of a recording. PerfduckError where the user says another than the recording."""
    if given and said and given != said:
        raise PerfduckError.at(
            source, expected=f"kernel {given}, as given", got=f"{said} from the recording"
        )
    return said or given
