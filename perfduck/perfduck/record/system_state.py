"""The state of the system that a recording is kept with: what its packets met, and what sets its
speed. Each entry is a kind of attachment; what is not there is left out.

    iptables, ip6tables, nft    rules with their counters
    conntrack                   /proc/net/stat/nf_conntrack
    links                       ip -d link
    bpf                         programs of eBPF: bpftool prog show -j
    sysctl                      those of the network, perf and the scheduler
    cpu                         governor, mitigations, model, clock source
    kube                        CNI plugins, mode of kube-proxy
    pods                        names of pods and containers of this machine

And, read before and after the run (net_counters.py):

    net                         counters of the network stack
"""

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perfduck import pod_lists
from perfduck.record.kinds import StateKind
from perfduck.record.network_namespace import printed
from perfduck_model.errors import PerfduckError
from perfduck_model.limits import limits

_Commands = tuple[tuple[StateKind, tuple[str, ...]], ...]
_RULES: _Commands = (
    ("iptables", ("iptables-save", "-c")),
    ("iptables", ("iptables-legacy-save", "-c")),
    ("ip6tables", ("ip6tables-save", "-c")),
    ("ip6tables", ("ip6tables-legacy-save", "-c")),
    ("nft", ("nft", "list", "ruleset")),
)
_NETWORK: _Commands = (
    ("conntrack", ("cat", "/proc/net/stat/nf_conntrack")),
    ("links", ("ip", "-d", "link")),
    ("bpf", ("bpftool", "prog", "show", "-j")),  # of the whole system
)
_SYSCTLS = """
net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv4.ip_early_demux net.ipv4.tcp_early_demux
net.ipv4.udp_early_demux net.ipv4.tcp_congestion_control net.ipv4.tcp_rmem net.ipv4.tcp_wmem
net.ipv4.tcp_timestamps net.ipv4.tcp_sack net.ipv4.tcp_tw_reuse net.ipv4.tcp_autocorking
net.ipv4.udp_mem net.ipv4.ip_local_port_range net.bridge.bridge-nf-call-iptables
net.bridge.bridge-nf-call-ip6tables net.bridge.bridge-nf-call-arptables
net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_buckets net.netfilter.nf_conntrack_acct
net.netfilter.nf_conntrack_events net.netfilter.nf_conntrack_timestamp net.core.rmem_max
net.core.wmem_max net.core.default_qdisc net.core.netdev_budget net.core.netdev_budget_usecs
net.core.netdev_max_backlog net.core.dev_weight net.core.busy_poll net.core.busy_read
net.core.rps_sock_flow_entries net.core.bpf_jit_enable net.core.bpf_jit_harden
net.core.gro_normal_batch net.core.high_order_alloc_disable kernel.perf_event_paranoid
kernel.perf_event_max_sample_rate kernel.perf_cpu_time_max_percent kernel.kptr_restrict
kernel.nmi_watchdog kernel.numa_balancing kernel.timer_migration kernel.sched_autogroup_enabled
kernel.unprivileged_bpf_disabled
"""
_CPU = (
    "devices/system/cpu/vulnerabilities/*",
    "devices/system/cpu/cpu*/cpufreq/scaling_governor",
    "devices/system/cpu/cpufreq/boost",
    "devices/system/cpu/intel_pstate/no_turbo",
    "devices/system/cpu/smt/control",
    "devices/system/cpu/online",
    "devices/system/cpu/isolated",
    "devices/system/clocksource/clocksource0/current_clocksource",
    "kernel/mm/transparent_hugepage/enabled",
)
_CNI = Path("/etc/cni/net.d")
_PROXY_MODE = (
    "http://127.0.0.1:10249/proxyMode"  # --metrics-bind-address of kube-proxy, its default
)
_PROXY_S = 0.5
# The first that answers: a runtime knows all of its machine, and asks nobody.
_PODS = (
    ("crictl", "ps", "-o", "json"),
    ("kubectl", "get", "pods", "-A", "-o", "json", "--request-timeout=2s",
     f"--field-selector=spec.nodeName={socket.gethostname()}"),
    ("docker", "ps", "--no-trunc", "--format", "{{json .}}"),
    ("podman", "ps", "--format", "json"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StateFile:
    """What a command or files said of the system; `source`: which."""

    kind: StateKind
    source: str
    text: str


def system_state(netns: str | None) -> tuple[list[StateFile], list[str]]:
    """The state now, of the network that of namespace `netns` (None: this process's), and a line
    for each kind that is there and could not be read."""
    state: dict[str, StateFile] = {}
    notes: list[str] = []
    for kind, command in (*_RULES, *_NETWORK):
        text, error = printed(command, netns)
        if error and not _is_absent(error):
            notes.append(f"{kind} not kept: {' '.join(command)}: {error}")
        if text.strip():
            _add(state, StateFile(kind, " ".join(command), text))
    pods, errors = _pods()
    notes += errors
    for more in (
        StateFile("sysctl", "/proc/sys", _sysctls(netns)),
        StateFile("cpu", "/sys/devices/system", "".join(_cpu())),
        StateFile("kube", str(_CNI), _kube()),
        pods,
    ):
        if more.text:
            _add(state, more)
    return list(state.values()), notes


def _is_absent(error: str) -> bool:
    return error.startswith("no program ") or "No such file" in error


def _add(state: dict[str, StateFile], more: StateFile) -> None:
    """Rules of both kinds of iptables are one file."""
    if (there := state.get(more.kind)) is not None:
        more = StateFile(more.kind, f"{there.source}; {more.source}", there.text + more.text)
    state[more.kind] = more


def _sysctls(netns: str | None) -> str:
    files = [f"/proc/sys/{name.replace('.', '/')}" for name in _SYSCTLS.split()]
    text, _ = printed(("grep", "-sH", ".", *files), netns)
    pairs = (line.removeprefix("/proc/sys/").partition(":") for line in text.splitlines())
    return "".join(f"{name.replace('/', '.')} = {value}\n" for name, _, value in pairs)


def _cpu() -> Iterator[str]:
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        if line.startswith("model name"):
            yield f"model: {line.partition(':')[2].strip()}\n"
            break
    for pattern in _CPU:
        for path in sorted(Path("/sys").glob(pattern)):
            with suppress(OSError):
                yield f"{path.relative_to('/sys')}: {path.read_text().strip()}\n"


def _kube() -> str:
    """Names and plugins of the CNI configurations, which may have credentials, and the proxy's
    mode."""
    lines = []
    with suppress(OSError):
        lines = [_cni(path) for path in sorted(_CNI.glob("*.conf*"))]
    if _is_running("kube-proxy"):
        with suppress(OSError), urllib.request.urlopen(_PROXY_MODE, timeout=_PROXY_S) as answer:
            lines.append(f"kube-proxy: {answer.read(100).decode(errors='replace').strip()}\n")
    return "".join(lines)


def _pods() -> tuple[StateFile, list[str]]:
    """The list of the first program that is there and has one; where none has, a line for each
    that is there and could not say."""
    errors = []
    for command in _PODS:
        words = " ".join(command)
        text, error = printed(command, limit_s=limits.most_pods_s)
        if error and not _is_absent(error):
            errors.append(f"pods not kept: {words}: {error}")
        if text.strip() and not _is_empty(text):
            return StateFile("pods", words, text), []
    return StateFile("pods", "", ""), errors


def _is_empty(text: str) -> bool:
    """Whether it lists no pod; a text that is no list is not empty, and is refused later."""
    with suppress(PerfduckError):
        return pod_lists.rows_of(text, "").is_empty()
    return False


def _cni(path: Path) -> str:
    try:
        content = json.loads(path.read_text())
        plugins = content.get("plugins", [content])
        types = ", ".join(str(each.get("type")) for each in plugins)
    except (OSError, ValueError, AttributeError, RecursionError):
        types = "not read"
    return f"cni {path.name}: {types}\n"


def _is_running(program: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if path.read_text().strip() == program:
                return True
    return False
