"""opreport's names of images and functions in perfduck's words.

    /proc/kallsyms, vmlinux-6.1.0, no-vmlinux         [kernel.kallsyms]
    nf_conntrack, /lib/modules/.../nf_conntrack.ko    [nf_conntrack]
    [vdso] (tgid:2425 range:0x7f60c24b6000-...)       [vdso]
    anon (tgid:2425 range:0x7f60c24ad000-...)         //anon
    clock_gettime@@GLIBC_2.17                         clock_gettime
    /usr/lib/libiperf.so.0.0.0 as a function          [unknown]: an image without symbols

Process ids and addresses are left out of names: with them no two runs could be compared.
"""

import re
from functools import cache
from pathlib import PurePosixPath

from perfduck_symbols.names import KERNEL, UNKNOWN, module_of_file
from perfduck_tags import catalogue

ANON = "//anon"
LIBRARY = re.compile(r"(?!(?:.*/)?ld[-.]).*\.so(?:\.[\d.]+)?")  # ld.so is run as a program

_KERNEL_IMAGE = re.compile(
    r"(?:.*/)?(?:kallsyms|no-vmlinux|vmlinu[xz](?:[-.].*)?|no-xen|xen-syms.*)"
)
_AT_ROOT = re.compile(r"/[A-Za-z0-9_-]+")  # operf knows modules by name, opreport makes it a path
_RANGE = re.compile(r"(?P<label>anon|\[[^\]]+\]) \(tgid:\d+ range:0x[0-9a-f]+-0x[0-9a-f]+\)")
_JIT = re.compile(r"(?:.*/)?\d+\.jo")
_VERSION = re.compile(r"@@?[A-Za-z][\w.]*$")
_SECTION = re.compile(r"anonymous symbol from section .*")
# Comms of kernel threads that hold a '/': operf takes them for paths.
_THREADS_WITH_SLASH = frozenset(
    [
        "cpuhp",
        "idle_inject",
        "irq",
        "jbd2",
        "ksoftirqd",
        "kworker",
        "migration",
        "rcub",
        "rcuc",
        "rcuog",
        "rcuop",
        "rcuos",
        "watchdog",
    ]
)


def dso_of_text(image: str) -> str:
    """The dso that opreport's name of an image represents. Text has no mark for kernel images:
    a name without '/' and without the look of a file may be a module, a path never is."""
    if ranged := _RANGE.fullmatch(image):
        return dso_of_label(ranged["label"])
    if _JIT.fullmatch(image):
        return ANON
    if _KERNEL_IMAGE.fullmatch(image):
        return KERNEL
    if module := module_of_file(image):
        return _module(module)
    return image or UNKNOWN


def dso_of_label(label: str) -> str:
    """The dso of a range of memory, by its label: anon, [vdso], [heap]."""
    return ANON if label in ("anon", "") else label


def dso_of_kernel(image: str) -> str:
    """The dso of an image that the sample file marks as the kernel's."""
    if _KERNEL_IMAGE.fullmatch(image):
        return KERNEL
    return _module(module_of_file(image) or PurePosixPath(image).name)


def _module(name: str) -> str:
    return f"[{name.replace('-', '_')}]"


def comm_of_app(app: str) -> str:
    """The comm of an application: its base name, but ksoftirqd/1 whole."""
    path = app.removesuffix(" (deleted)")
    parts = [part for part in path.split("/") if part]
    if len(parts) == 2 and parts[0] in _THREADS_WITH_SLASH:
        return "/".join(parts)
    return parts[-1] if parts else UNKNOWN


def of_report(image: str, symbol: str) -> tuple[str, str]:
    """Name and dso of a function as a report names it. Where the symbol is the path of an image
    without symbols, it completes the base name that the image column shows."""
    path = symbol if symbol.startswith("/") else image
    if _AT_ROOT.fullmatch(path) and path[1:].replace("-", "_") in _modules():
        return UNKNOWN, _module(path[1:])
    if symbol.startswith("/") and PurePosixPath(symbol).name == image:
        return UNKNOWN, dso_of_text(symbol)
    return function(symbol, image), dso_of_text(image)


@cache
def _modules() -> frozenset[str]:
    """Modules of the kernels that are catalogued: `/nf_conntrack` is one, `/coredns` a program."""
    return frozenset(catalogue.shipped().modules["module"])


def function(symbol: str, image: str = "") -> str:
    """The function that opreport's symbol column names; [unknown] where it repeats the image."""
    if symbol in ("(no symbols)", "", image) or symbol.startswith("/"):
        return UNKNOWN
    if _RANGE.fullmatch(symbol) or _SECTION.fullmatch(symbol):
        return UNKNOWN
    return unversioned(symbol)


def unversioned(symbol: str) -> str:
    """A name without the version of the library's interface that is in symbol tables."""
    return _VERSION.sub("", symbol)
