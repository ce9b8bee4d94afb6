"""Names as profilers print them, and what they stand for.

    __pfx_nf_hook_slow                 the 16 bytes of padding before nf_hook_slow
    tcp_ack.isra.0.cold                a compiler's copy and the unlikely part of tcp_ack
    kmem_cache_alloc_noprof            kmem_cache_alloc since 6.10 (allocation profiling)
    __x64_sys_sendto, __do_sys_sendto  the layers of one system call
    bpf_prog_6deef7357e7b4530_sd_fw    bpf_prog:sd_fw, also after it was compiled again
    [nf_conntrack], /lib/modules/6.1.0/kernel/net/netfilter/nf_conntrack.ko.xz  one module

The *plain* name is what a catalogue lists (no compiler suffix, no prefix); the *canonical* name is
what a diff across kernels matches on (plain, and aliases and system call layers are one).
"""

import re
from functools import lru_cache

import polars as pl

# .constprop.0.isra.0.cold and the like: in any number and order; clang adds .llvm.<hash> and
# .__uniq.<n>; gcc's LTO adds .lto_priv.<n>.
_SUFFIXES = (
    r"(?:\.(?:isra|constprop|part|cold|llvm|__uniq|lto_priv|localalias|clone)(?:\.[0-9a-f]+)?)+$"
)
# And .name is the code of a function of powerpc's first ABI, name its descriptor.
_PREFIXES = r"^\.?(?:__pfx_|__cfi_|__pi_)*"
_NOPROF = r"_noprof$"
# A program of eBPF in kallsyms: bpf_prog_<hash of its code>_<name>. The hash is another one as soon
# as the program is; F is what some kernels before 5.19 call every subprogram (commit 9c7c48d6a1e2).
BPF_PROGRAM = r"^bpf_prog_[0-9a-f]{16}(?:_|$)"
_BPF_CANONICAL = re.compile(r"bpf_prog(?::|(?=_[0-9a-f]{16}(?:_|$)))")
_BPF_NAME = r"^bpf_prog_[0-9a-f]{16}_((?:[^F]|F.).*)$"
# __x64_sys_read, __ia32_compat_sys_ioctl, __se_sys_read, __do_sys_read; before 4.17 SyS_read and
# SYSC_read, compat_SyS_ioctl and C_SYSC_ioctl
_SYSCALL = r"^(?:__(?:x64|ia32|x32|arm64|s390x?|riscv|powerpc|loongarch|se|do)_sys|SyS|SYSC)_"
_COMPAT = r"^(?:__(?:x64|ia32|x32|arm64|s390x?|riscv|powerpc|se|do)_compat_sys|compat_SyS|C_SYSC)_"
# How the kernels of the catalogue, which are of x86, spell a system call.
_SPELLINGS = ("__x64_sys_", "__ia32_sys_", "__do_sys_", "__se_sys_")
_COMPAT_SPELLINGS = ("__ia32_compat_sys_", "__x64_compat_sys_", "__do_compat_sys_")
# Versions of libraries' symbols, PLT stubs, and the hash Rust puts at the end of a path.
_USER_SUFFIXES = r"(?:@plt|@@?[A-Za-z_]+[0-9.]*|::h[0-9a-f]{16})$"

KERNEL = "[kernel.kallsyms]"
UNKNOWN = "[unknown]"  # a function, or a binary
# Binaries whose addresses mean the same in every run; others are mapped somewhere else each time.
FILE = r"^/[^/]"
NOT_A_FILE = r"^/(?:memfd:|dev/|SYSV|anon_hugepage|tmp/perf-\d+\.map)|\(deleted\)$"
# Where perf prints run-time addresses (6.12, and all versions without -g), those of
# position-independent files lie above this, and mean nothing in the next run.
LOW = 1 << 40
GUEST = "[guest.kernel.kallsyms]"
GUEST_USER = "[guest.user]"  # perf has no name for it
HYPERVISOR = "[hypervisor]"

_KERNEL_DSO = re.compile(
    r"""
    \[kernel(?:\.kallsyms|\.vmlinux)?\](?:_stext|_text)?  # '[kernel.kallsyms]_stext': perf < 3
  | (?:.*/)?(?:no-)?vmlinu[xz](?:[-.].*)?                  # a path, vmlinux-6.1.0, 'no-vmlinux'
  | (?:.*/)?kallsyms
  | .*/vmlinux/.*                                          # ~/.debug/.../vmlinux/<build-id>
  | /usr/lib/debug/(?:lib/modules|boot)/.*vmlinux.*
    """,
    re.VERBOSE,
)
_GUEST_DSO = re.compile(r"\[guest\.kernel(?:\.kallsyms)?(?:\.\d+)?\]")  # with the VM's pid
_BPF_DSO = re.compile(r"\[bpf\]|bpf_prog_[0-9a-f]{16}.*|bpf_trampoline_.*|bpf_dispatcher_.*")
_TRACING_DSO = re.compile(r"\[__builtin__(?P<what>ftrace|kprobes)\]")
_MODULE_FILE = re.compile(r"(?:.*/)?(?P<module>[^/\[\]]+?)\.ko(?:\.debug|\.xz|\.zst|\.gz)*")
_MODULE_DSO = re.compile(r"\[(?P<module>[A-Za-z0-9_-]+)\]")
_NOT_MODULES = frozenset({
    "unknown", "vdso", "vdso32", "vdso64", "vsyscall", "heap", "stack", "anon", "uprobes",
    "hypervisor", "vectors", "sigpage",
})  # fmt: skip


def plain(names: pl.Expr) -> pl.Expr:
    """Kernel function names without what the compiler added: the key of a catalogue."""
    return names.str.replace(_PREFIXES, "").str.replace(_SUFFIXES, "")


def canonical(names: pl.Expr) -> pl.Expr:
    """Kernel function names as a diff across kernels matches them."""
    merged = plain(names).str.replace(_NOPROF, "").str.replace(_BPF_NAME, "bpf_prog:${1}")
    return merged.str.replace(_COMPAT, "compat_sys_").str.replace(_SYSCALL, "sys_")


def bpf_program(canonical: str) -> str | None:
    """The name of a program of eBPF; None for any other function. One without a name is called by
    its hash."""
    start = _BPF_CANONICAL.match(canonical)
    if start is None:
        return None
    return canonical if start[0] == "bpf_prog" else canonical.removeprefix(start[0])


def spellings(canonical: str) -> tuple[str, ...]:
    """What a catalogue of x86 may call the system call of a canonical name: sys_read is
    __x64_sys_read there. Empty where the name is none of a system call."""
    for mark, prefixes in (("compat_sys_", _COMPAT_SPELLINGS), ("sys_", _SPELLINGS)):
        if canonical.startswith(mark):
            return tuple(prefix + canonical.removeprefix(mark) for prefix in prefixes)
    return ()


def canonical_user(names: pl.Expr) -> pl.Expr:
    """User-space function names without versions, PLT marks and the compiler's suffixes."""
    return names.str.replace(_USER_SUFFIXES, "").str.replace(_SUFFIXES, "")


@lru_cache(maxsize=4096)
def canonical_dso(dso: str) -> str:
    """One spelling per binary: [kernel.kallsyms] for vmlinux wherever it lies, [nf_conntrack] for
    nf_conntrack.ko.xz, [guest.kernel.kallsyms] apart from the host's; a path as it is."""
    kind, module = binary(dso)
    if kind == "kernel":
        return f"[{module}]" if module else KERNEL
    return GUEST if kind == "guest" else dso


def binary(dso: str) -> tuple[str, str | None]:
    """Kind of a dso (kernel, guest, user or unknown) and, for a module's, the module's name."""
    if _KERNEL_DSO.fullmatch(dso):
        return "kernel", None
    if _GUEST_DSO.fullmatch(dso):
        return "guest", None
    if _BPF_DSO.fullmatch(dso):
        return "kernel", "bpf"
    if built_in := _TRACING_DSO.fullmatch(dso):
        return "kernel", f"__builtin__{built_in['what']}"
    if dso in (UNKNOWN, ""):
        return "unknown", None
    shown = _MODULE_DSO.fullmatch(dso)
    module = shown["module"].replace("-", "_") if shown else module_of_file(dso)
    return ("user", None) if module is None or module in _NOT_MODULES else ("kernel", module)


def module_of_file(path: str) -> str | None:
    """The kernel module that a file is by its name: nf_nat of kernel/net/netfilter/nf-nat.ko.xz."""
    match = _MODULE_FILE.fullmatch(path)
    return match["module"].replace("-", "_") if match else None


def binaries(dsos: pl.Series) -> pl.DataFrame:
    """[dso, kind, module] of each distinct dso."""
    distinct = dsos.unique().to_list()
    rows = [(dso, *binary(dso)) for dso in distinct]
    schema = {"dso": pl.String, "kind": pl.String, "module": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")
