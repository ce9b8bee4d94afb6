"""The path of a sample file: who was running, which image was hit, and the event.

    {root}/usr/bin/iperf3/{dep}/{root}/proc/kallsyms/CPU_CLK_UNHALTED.1000000.0.all.all.all
    {kern}/kdamond.0/{dep}/{kern}/nf_conntrack/CPU_CLK_UNHALTED.1000000.0.all.all.all
    {root}/usr/bin/java/{dep}/{anon:anon}/2425.0x7f60c24ad000.0x7f60c24adfff/CPU_CLK_UNHALTED.1000000.0.2425.2427.1
    {root}/srv/demo/{dep}/{root}/lib/libc.so.6/{cg}/{root}/proc/kallsyms/CPU_CLK_UNHALTED.1000000.0.all.all.all

What is before {dep} is the application, after it the image. In a {cg} file that image is the
caller, and the image after {cg} is the callee. {kern} does not mean kernel: short-lived user
processes stand there too, and a kernel that a user image calls is under {root}.
"""

import re
from dataclasses import dataclass

_EVENT = re.compile(
    r"""
    (?P<event>[^.]+)
    \.(?P<count>\d{1,18})
    \.(?P<unit_mask>\d{1,10})      # decimal: 65 is 0x41
    \.(?P<tgid>\d{1,9}|all)        # numbers only with --separate-thread; Linux has 22 bits
    \.(?P<tid>\d{1,9}|all)
    \.(?P<cpu>\d{1,9}|all)         # a number only with --separate-cpu
""",
    re.VERBOSE,
)
_RANGE = re.compile(r"(?P<tgid>\d{1,9})\.0x(?P<start>[0-9a-f]{1,16})\.0x(?P<end>[0-9a-f]{1,16})")
_ANON = re.compile(r"\{anon:(?P<label>[^}]*)\}")


@dataclass(frozen=True, slots=True)
class Image:
    """A binary or an address range. `path` is absolute for {root}, a bare name for {kern}, the
    label (anon, [vdso]) for a range of a process."""

    path: str
    tgid: int | None = None
    start: int = 0
    end: int = 0

    @property
    def is_range(self) -> bool:
        """Whether it is memory of one process and no file."""
        return self.tgid is not None

    @property
    def opreport_name(self) -> str:
        """What opreport calls it: the path, or label, tgid and range."""
        if not self.is_range:
            return self.path
        return f"{self.path} (tgid:{self.tgid} range:0x{self.start:x}-0x{self.end:x})"


@dataclass(frozen=True, slots=True)
class SamplePath:
    """What the path of a sample file says. None where the session does not separate."""

    app: Image
    image: Image
    callee: Image | None
    event: str
    count: int
    unit_mask: int
    tgid: int | None
    tid: int | None
    cpu: int | None


def parse(path: str) -> SamplePath | None:
    """The parts of `path` (below the session), or None where it is not a sample file's."""
    parts = path.split("/")
    event = _EVENT.fullmatch(parts[-1])
    if event is None or "{dep}" not in parts:
        return None
    dep = parts.index("{dep}")
    cg = parts.index("{cg}", dep) if "{cg}" in parts[dep:] else len(parts) - 1
    app, image = _image(parts[:dep]), _image(parts[dep + 1 : cg])
    callee = _image(parts[cg + 1 : -1]) if cg < len(parts) - 1 else None
    if app is None or image is None or (callee is None) is not (cg == len(parts) - 1):
        return None
    return SamplePath(
        app,
        image,
        callee,
        event["event"],
        int(event["count"]),
        int(event["unit_mask"]),
        *(None if event[key] == "all" else int(event[key]) for key in ("tgid", "tid", "cpu")),
    )


def _image(parts: list[str]) -> Image | None:
    if len(parts) < 2 or not all(parts):
        return None
    if parts[0] == "{root}":
        return Image("/" + "/".join(parts[1:]))
    if parts[0] == "{kern}":
        return Image("/".join(parts[1:]))
    label, span = _ANON.fullmatch(parts[0]), _RANGE.fullmatch(parts[1])
    if label is None or span is None or len(parts) != 2:
        return None
    return Image(label["label"], int(span["tgid"]), int(span["start"], 16), int(span["end"], 16))
