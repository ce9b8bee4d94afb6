"""Where the file of a binary, its debug file, a kernel, a module or a map of JIT code may be.

    a dso of a recording          what is tried, below each place the user gave
    /usr/sbin/nginx               .build-id/8d/0c9a/elf, usr/sbin/nginx, nginx, nginx.debug, ...
    its .gnu_debuglink            usr/sbin/nginx.debug, usr/sbin/.debug/nginx.debug, ...
    [nf_conntrack]                lib/modules/6.1.0/kernel/net/netfilter/nf_conntrack.ko.xz, ...
    [kernel.kallsyms]             boot/vmlinux-6.1.0, usr/lib/debug/boot/vmlinux-6.1.0, ...
    /tmp/perf-4711.map            tmp/perf-4711.map, perf-4711.map, 4711/tmp/perf-1.map

perf, opreport and gdb each have an order of their own, and which file is first decides which names
are printed: the orders are data (SearchOrder). Nothing outside of a place is opened, and no link
out of it is followed (files.py); files of this machine are looked at only where HostFiles is given.
"""

import glob
import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from msgspec import Struct

from perfduck_model.errors import SymbolError
from perfduck_model.special_files import what_is
from perfduck_symbols import names
from perfduck_symbols.elf import open_elf
from perfduck_symbols.files import HostFiles, inside, is_regular, walk

_OF_A_SYSTEM = ("usr", "etc")  # folders that make a directory a root file system
_BY_ID = (".build-id/{id}.debug", ".build-id/{id}", "usr/lib/debug/.build-id/{id}.debug")
_ARCHIVED = (".build-id/{id}/elf", ".build-id/{id}/vdso", ".build-id/{id}/debug")  # perf archive
_LINKED = ("{folder}/{link}", "{folder}/.debug/{link}", "usr/lib/debug/{folder}/{link}")


class SearchOrder(Struct, frozen=True):
    """Relative paths to try, first to last. Those with a field that is not known are left out, and
    those with a * if there are several such files: none is known to be the one.

    {path} usr/sbin/nginx   {name} nginx   {folder} usr/sbin   {parent} sbin   {link} nginx.debug
    {id} 8d/0c9a...   {build_id} 8d0c9a...
    """

    binary: tuple[str, ...]
    debug: tuple[str, ...]  # of what was split off from a binary that was found
    kernels: tuple[str, ...]  # folders of a root file system that have vmlinux or modules
    host: tuple[str, ...] = ()  # the binary among the files of this machine
    host_debug: tuple[str, ...] = ()  # what was split off; {folder} is absolute here


# perf: dso__load tries its binary types in this order (tools/perf/util/dso.h, symbol.c).
PERF = SearchOrder(
    binary=(
        *_BY_ID, *_ARCHIVED, "{path}/{build_id}/elf",
        "{path}", "{name}", "{name}.debug", "usr/lib/debug/{path}.debug", "usr/lib/debug/{path}",
    ),
    debug=_LINKED,
    kernels=("usr/lib/debug", "usr/lib/modules", "lib/modules", "boot"),
    host=(
        *(f"~/.debug/{one}" for one in _ARCHIVED),
        "usr/lib/debug/{path}.debug", "usr/lib/debug/{path}",
        "usr/lib/debug/.build-id/{id}.debug", "usr/lib/debug/.build-id/{id}", "{path}",
    ),
    host_debug=_LINKED,
)  # fmt: skip

# opreport: libutil++/bfd_support.cpp (get_debug_filename), op_bfd.cpp.
OPREPORT = SearchOrder(
    binary=("{path}", "{name}", "{path}/*/elf"),
    debug=(
        ".build-id/{id}.debug", "usr/lib/debug/.build-id/{id}.debug", "{id}.debug",
        *_LINKED, "{parent}/{link}", "{link}",
    ),
    kernels=("lib/modules",),
)  # fmt: skip

# What a store keeps of --symbols, for texts that name addresses only by their dso; as gdb.
TAGS = SearchOrder(
    binary=("{path}", "{name}", "{name}.debug", "{path}.debug", "{path}/*/elf"),
    debug=(".build-id/{id}.debug", "usr/lib/debug/.build-id/{id}.debug", *_LINKED),
    kernels=("usr/lib/debug", "usr/lib/modules", "lib/modules", "boot"),
    host_debug=("usr/lib/debug/.build-id/{id}.debug", "usr/lib/debug/{folder}/{link}"),
)

KALLSYMS = ("{path}/{build_id}/kallsyms", ".build-id/{id}/kallsyms")
KALLSYMS_KEPT = "~/.debug/{path}/{build_id}/kallsyms"
# Of a process that had another number in its container the map is in the folder of its own number.
JIT_MAPS = (
    "tmp/perf-{process}.map", "perf-{process}.map",
    "{process}/tmp/perf-*.map", "{process}/perf-*.map",
)  # fmt: skip


def check_places(places: Iterable[Path]) -> None:
    """Raise SymbolError at a place that is neither a directory nor an ELF file."""
    for place in places:
        if is_regular(place):
            open_elf(place)
        elif not place.is_dir():
            raise _no_place(place)


def _no_place(place: Path) -> SymbolError:
    reason = f"expected an ELF file or a directory, got: {what_is(place)}"
    return SymbolError.in_file(place, None, reason)


class FileFinder:
    """Finds files below the places that the user gave, each a directory or the file itself, and
    among those of a host."""

    def __init__(
        self, places: Iterable[Path], order: SearchOrder, host: HostFiles | None = None
    ) -> None:
        """Look at nothing yet."""
        self.places = tuple(places)
        self.order = order
        self.host = host
        self.has_recorded = False  # whether there was a file below the places for anything asked

    def binary(self, name: str, build_id: str | None = None) -> Iterator[Path]:
        """The files below the places that may be the binary of this path; whether they are of its
        build is for the caller to look at."""
        fields = _fields(name, build_id)
        for place in self.places:
            if not is_regular(place):
                yield from self._below(place, self.order.binary, fields)
            elif place.name in (fields["name"], f"{fields['name']}.debug"):
                self.has_recorded = True
                yield place

    def on_host(self, name: str, build_id: str | None = None) -> Iterator[Path]:
        """Likewise among the files of the host; none where there is no host."""
        yield from self._of_host(self.order.host, _fields(name, build_id))

    def debug(self, path: Path, build_id: str | None, link: str | None) -> Iterator[Path]:
        """The files that may have what was split off from the binary at `path`, by its build id or
        the name that it links to: below the place where it was found, below the others, and among
        the files of the host."""
        real = Path(os.path.realpath(path))
        root = self._place_of(real)
        fields = _debug_fields(_folder(real, root), build_id, link)
        for one in dict.fromkeys((root, *self._directories)):
            yield from self._below(one, self.order.debug, fields)
        if self.host is not None:
            for one in dict.fromkeys((path.absolute(), real)):
                fields = _debug_fields(_folder(one, self.host.root), build_id, link)
                yield from self._of_host(self.order.host_debug, fields)

    def debug_of_recorded(
        self, name: str, build_id: str | None, link: str | None
    ) -> Iterator[Path]:
        """Likewise below the places, by the path of the binary in the recording."""
        fields = _debug_fields(str(PurePosixPath(name).parent).strip("/"), build_id, link)
        for one in self._directories:
            yield from self._below(one, self.order.debug, fields)

    def shared(self, path: Path, name: str, build_id: str) -> Iterator[Path]:
        """The files that may have what the debug file at `path` shares with others: below the
        places, and among the files of the host. `name` may count from its folder."""
        named = os.path.normpath(path.parent / name)
        for place in self._directories:
            root = os.path.realpath(place)
            fields = _fields(named.removeprefix(root), build_id)
            yield from self._below(place, ("{path}", *_BY_ID), fields)
        yield from self._of_host(("{path}", *_BY_ID), _fields(named, build_id))

    def _place_of(self, path: Path) -> Path:
        """The directory among the places that a file is below; its own folder where none is."""
        around = (one for one in self._directories if path.is_relative_to(os.path.realpath(one)))
        return next(around, path.parent)

    @cached_property
    def _directories(self) -> tuple[Path, ...]:
        return tuple(place for place in self.places if not is_regular(place))

    def kallsyms(self, dso: str, build_id: str) -> Iterator[Path]:
        """What perf record kept of a kernel with this build id, or `perf archive` packed."""
        fields = _fields(dso, build_id)
        for place in self.places:
            yield from self._below(place, KALLSYMS, fields)
        yield from self._of_host((KALLSYMS_KEPT,), fields)

    def jit_maps(self, process: int) -> Iterator[Path]:
        """The maps of JIT code that a process wrote, below the places."""
        for place in self.places:
            yield from self._below(place, JIT_MAPS, {"process": str(process)})

    def _below(self, place: Path, order: Iterable[str], fields: dict[str, str]) -> Iterator[Path]:
        for path in _below(place, order, fields):
            self.has_recorded = True
            yield path

    def kernel_file(self, module: str, release: str | None = None) -> Path | None:
        """The file of a kernel module, or of 'vmlinux': of the release if there are several."""
        paths = self._kernel_files.get(module, [])
        self.has_recorded |= bool(paths)
        of_release = [path for path in paths if release and release in str(path)]
        return next(iter(of_release or paths), None)

    def vmlinux(self, build_id: str) -> Iterator[Path]:
        """The files below the places that may be the kernel of this build id."""
        for place in self._directories:
            yield from self._below(place, self.order.binary, _fields(None, build_id))
        yield from self._kernel_files.get("vmlinux", [])

    @cached_property
    def _kernel_files(self) -> dict[str, list[Path]]:
        files: dict[str, list[Path]] = {}
        for path in self._walked():
            if module := module_name(path):
                files.setdefault(module, []).append(path)
        return files

    def _walked(self) -> Iterator[Path]:
        for place in self.places:
            if is_regular(place):
                yield place
                continue
            if not place.is_dir():
                raise _no_place(place)
            # Of a whole root file system only where kernels lie.
            usual = [place / one for one in self.order.kernels if _is_folder_of(place, one)]
            is_system = all((place / one).is_dir() for one in _OF_A_SYSTEM)
            for folder in usual or ([] if is_system else [place]):
                yield from sorted(walk(folder, _is_of_kernel), key=_kernels_first)

    def _of_host(self, order: Iterable[str], fields: dict[str, str]) -> Iterator[Path]:
        if self.host is None:
            return
        for template in order:
            for name in _filled((template.removeprefix("~/"),), fields):
                if path := self.host.regular(name, in_home=template.startswith("~/")):
                    yield path


def _folder(path: Path, root: Path) -> str:
    """The folder of a file below a root, '' for the root itself; absolute where it is not below."""
    folder, around = path.parent, Path(os.path.realpath(root))
    folder = folder.relative_to(around) if folder.is_relative_to(around) else folder
    return "" if folder == Path() else str(folder)


def module_name(path: Path) -> str | None:
    """Which part of the kernel a file is, by its name: a module, or 'vmlinux'."""
    if module := names.module_of_file(path.name):
        return module
    return "vmlinux" if path.name.startswith("vmlinux") else None


def _is_folder_of(place: Path, name: str) -> bool:
    """Whether there is a folder of this name, and no link to it leads out of the place."""
    real = Path(os.path.realpath(place / name))
    return real.is_dir() and real.is_relative_to(os.path.realpath(place))


def _is_of_kernel(name: str) -> bool:
    return name.startswith("vmlinux") or ".ko" in name


def _kernels_first(path: Path) -> tuple[bool, Path]:
    return not path.name.startswith("vmlinux"), path


def _below(root: Path, order: Iterable[str], fields: dict[str, str]) -> Iterator[Path]:
    single = [one for one in order if "*" not in one]
    yield from filter(None, (inside(root, name) for name in _filled(single, fields)))
    escaped = {name: glob.escape(value) for name, value in fields.items()}
    for pattern in _filled((one for one in order if "*" in one), escaped):
        # Path.glob raises for some of the names that a recording may have.
        names = glob.glob(pattern, root_dir=root) if "\0" not in pattern else []  # noqa: PTH207
        if len(names) == 1:
            yield from filter(None, [inside(root, names[0])])


def _filled(order: Iterable[str], fields: dict[str, str]) -> Iterator[str]:
    for template in order:
        try:
            yield template.format_map(fields)
        except KeyError:  # what it needs is not known
            continue


def _fields(path: str | None, build_id: str | None) -> dict[str, str]:
    fields: dict[str, str] = {}
    if path is not None:
        fields |= {"path": path.lstrip("/"), "name": PurePosixPath(path).name}
    if build_id:
        fields |= {"build_id": build_id, "id": f"{build_id[:2]}/{build_id[2:]}"}
    return fields


def _debug_fields(folder: str, build_id: str | None, link: str | None) -> dict[str, str]:
    fields = _fields(None, build_id)
    if link is not None:
        fields |= {"folder": folder, "parent": PurePosixPath(folder).name, "link": link}
    return fields
