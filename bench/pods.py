"""Two pods of known load in control groups of each driver, recorded here: what `--by pod` says of
them beside what the kernel counted of their groups.

    python bench/pods.py [--seconds 8] [--keep DIR]        as root; perf and ip

Pod busy computes on the second CPU. Pod sender sends UDP on the first through a veth pair out of
its own network namespace, to a socket that nobody reads: nothing is woken. With `rps` the second
CPU takes the packets in, on the time of pod busy. All have real-time priority: other programs wait.

CPU time of a group is usage_usec of its cpu.stat at the beginning and the end of the recording. It
has softirqs and interrupts that ran on the group's time, unless the kernel is built with
CONFIG_IRQ_TIME_ACCOUNTING: column total of `top --by pod`, not what a pod is blamed for. A clock
that interrupts (cpu-clock) counts the change from one task to another for the second, the kernel
mostly for the first: with a receiver that is woken for its packets the two differ by 8 %. A tick
that left no sample is missing in the table: `off` is without such ticks, `missed` what part of the
pod's ticks `top --by pod` says they are in the whole recording, and `by time` how far off it is
with them, counted here. There a sample stands for the time since the one before on its CPU, up to
four periods: longer holes are no ticks that were missed (real-time tasks may use 95 % of a second,
kernel.sched_rt_runtime_us, and then the CPU is idle), and the sample after one stands for one
period.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import perfduck

UIDS = {"busy": "74c13223-5a00-11e9-b385-42010a80018d",
        "sender": "214f3ba8-4b69-4bdb-a7d5-5ecc73f04ae9"}  # fmt: skip
CIDS = {"busy": "34dc0b5e626f2c5c" * 4, "sender": "9ec39b91f3d70e1b" * 4}
NAMESPACE = "pd-sender"
SPIN = "while True: pass"
SEND = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.connect(("10.77.0.1", 7007))
while True:
    sender.send(b"." * 64)
"""
GAPS = """
with timed as (
    select
        cgroup, time_ns, period,
        time_ns - lag(time_ns) over (partition by cpu order by time_ns) as ns,
    from sample
)
select cgroup, sum(case when ns < 4.5 * period then ns else period end) / 1e6 as ms
from timed
where time_ns between $from_ns and $to_ns and cgroup is not null
group by cgroup
"""
LEVELS = {"busy": "burstable", "sender": "besteffort"}


def cgroupfs(pod: str) -> str:
    """As kubelet and containerd name the groups with the driver cgroupfs."""
    return f"kubepods/{LEVELS[pod]}/pod{UIDS[pod]}/{CIDS[pod]}"


def systemd(pod: str) -> str:
    """The same with the driver systemd."""
    level = f"kubepods-{LEVELS[pod]}"
    of_pod = f"{level}-pod{UIDS[pod].replace('-', '_')}.slice"
    return f"kubepods.slice/{level}.slice/{of_pod}/cri-containerd-{CIDS[pod]}.scope"


LAYOUTS = {"cgroupfs": cgroupfs, "systemd": systemd}


def main() -> None:
    """Record each layout, without and with packets on the other pod's CPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="pods-"))
    folder.mkdir(exist_ok=True)
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))  # perf inherits it
    print("layout    rps  pod         cpu.stat    total      off  missed  by time     self  blamed"
          " softirq")  # fmt: skip
    for layout in LAYOUTS:
        for rps in (False, True):
            show(layout, rps, recorded(folder, layout, options.seconds, rps=rps))
    if not options.keep:
        shutil.rmtree(folder)


@dataclass(frozen=True)
class Recording:
    """`begin` and `end` in ns of CLOCK_MONOTONIC, `used` in ms: between the two."""

    data: Path
    begin: int
    end: int
    used: dict[str, float]


def recorded(folder: Path, layout: str, seconds: int, *, rps: bool) -> Recording:
    """The recording, and the CPU time of each pod meanwhile."""
    mounted = re.search(r"^cgroup2 (\S+)", Path("/proc/mounts").read_text(), re.M)
    assert mounted, "expected cgroup v2 to be mounted"
    root = Path(mounted[1])
    paths = {pod: root / LAYOUTS[layout](pod) for pod in UIDS}
    data = folder / f"{layout}{'-rps' if rps else ''}.data"
    with ExitStack() as stack:
        for path in paths.values():
            stack.enter_context(group(path, root))
        stack.enter_context(network(rps=rps))
        receiver = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        receiver.bind(("10.77.0.1", 7007))
        send = ["ip", "netns", "exec", NAMESPACE, sys.executable, "-c", SEND]
        stack.enter_context(running(send, 0, paths["sender"]))
        stack.enter_context(running([sys.executable, "-c", SPIN], 1, paths["busy"]))
        time.sleep(1.5)
        record = ["perf", "record", "-q", "-a", "-g", "-e", "cpu-clock", "-F", "999", "-k", "mono",
                  "--all-cgroups", "-o", str(data), "--", "sleep", str(seconds + 3)]  # fmt: skip
        with subprocess.Popen(record) as perf:
            time.sleep(2)
            before, begin = usage(paths), time.monotonic_ns()
            time.sleep(seconds)
            after, end = usage(paths), time.monotonic_ns()
        assert perf.returncode == 0
    return Recording(data, begin, end, {pod: (after[pod] - before[pod]) / 1000 for pod in paths})


def usage(paths: dict[str, Path]) -> dict[str, int]:
    """usage_usec of each group."""
    texts = {pod: (path / "cpu.stat").read_text() for pod, path in paths.items()}
    return {pod: int(text.split()[1]) for pod, text in texts.items()}


def show(layout: str, rps: bool, recording: Recording) -> None:
    """A row for each pod, and what no pod is blamed for."""
    with tempfile.TemporaryDirectory() as folder, perfduck.open(Path(folder) / "s.duckdb") as store:
        pods = Path(folder) / "pods.json"
        pods.write_text(json.dumps(listed()))
        store.ingest(recording.data, name="pods", attach=[f"pods={pods}"])
        [(first,)] = store.sql("select min(time_ns) from sample").frame.iter_rows()
        window = {"skip": (recording.begin - first) / 1e9, "until": (recording.end - first) / 1e9}
        answer = store.top("pods", by="pod", **window)
        top, text = answer.frame, " ".join(answer.render("text").split())
        between = {"from_ns": recording.begin, "to_ns": recording.end}
        gaps = dict(store.sql(GAPS, between).frame.iter_rows())
        rows = {row["pod"]: row for row in top.iter_rows(named=True)}
    softirq = rows.get("[softirq]", {}).get("blamed", 0.0)
    for pod, counted in recording.used.items():
        row = rows[f"shop/{pod}"]
        place = f"{layout:9} {'yes' if rps else 'no':4} shop/{pod:6}"
        timed = next(ms for path, ms in gaps.items() if CIDS[pod] in path)
        off, of_time = (100 * (ms / counted - 1) for ms in (row["total"], timed))
        said = re.search(rf"([0-9.]+ %) of those of shop/{pod} ", text)
        print(
            f"{place} {counted:8.0f} {row['total']:8.0f} {off:+6.2f} % {said[1] if said else '':>7}"
            f" {of_time:+6.2f} % {row['self']:8.0f}{row['blamed']:8.0f}{softirq:8.0f}"
        )


def listed() -> dict[str, object]:
    """What kubectl get pods -o json says of them."""
    items = [
        {
            "kind": "Pod",
            "metadata": {"name": pod, "namespace": "shop", "uid": uid},
            "status": {
                "containerStatuses": [{"name": "main", "containerID": f"containerd://{CIDS[pod]}"}]
            },
        }
        for pod, uid in UIDS.items()
    ]
    return {"kind": "List", "items": items}


@contextmanager
def group(path: Path, root: Path) -> Iterator[None]:
    """A control group, until its processes have ended."""
    path.mkdir(parents=True)
    try:
        yield
    finally:
        while path != root:
            for _ in range(50):
                try:
                    path.rmdir()
                    break
                except OSError:  # processes, or another group
                    time.sleep(0.02)
            path = path.parent


@contextmanager
def network(*, rps: bool) -> Iterator[None]:
    """A namespace with one end of a veth pair; `rps`: the second CPU takes its packets in."""
    for words in (
        f"netns add {NAMESPACE}",
        f"link add pd-veth0 type veth peer name pd-veth1 netns {NAMESPACE}",
        "addr add 10.77.0.1/24 dev pd-veth0",
        "link set pd-veth0 up",
        f"-n {NAMESPACE} addr add 10.77.0.2/24 dev pd-veth1",
        f"-n {NAMESPACE} link set pd-veth1 up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    if rps:
        Path("/sys/class/net/pd-veth0/queues/rx-0/rps_cpus").write_text("2")
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "del", "pd-veth0"])
        subprocess.run(["ip", "netns", "del", NAMESPACE])


@contextmanager
def running(command: list[str], cpu: int, path: Path | None = None) -> Iterator[None]:
    """A command on a CPU, in a control group."""

    def enter() -> None:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        os.sched_setaffinity(0, {cpu})
        if path:
            (path / "cgroup.procs").write_text(str(os.getpid()))

    process = subprocess.Popen(command, preexec_fn=enter, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
