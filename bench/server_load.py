"""How a server does under load: pushers and readers at once, on this machine.

    python bench/server_load.py [--seconds 60] [--pushers 8] [--readers 32] [--kill]

Starts a server of the demo, pushes recordings that all differ and asks questions meanwhile;
`--kill` ends it with SIGKILL in the middle and starts it again. Prints p50, p95 and the longest
time of each kind of request, errors, and whether every recording that was acknowledged is there.
"""

import argparse
import lzma
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import urllib3

import perfduck

DEMO = Path(__file__).parents[1] / "fixtures" / "demo"
QUESTIONS = {
    "profiles": "/api/v1/profiles?format=json",
    "top": "/api/v1/top?selector=scenario=docker0-nat,workload=udp64&format=json",
    "top by subsystem": "/api/v1/top?selector=scenario=native&by=subsystem&format=json",
    "diff": "/api/v1/diff?base=native.udp64.*&new=docker0-nat.udp64.*&format=json",
    "health": "/healthz",
}
SHARES = {"profiles": 4, "top": 8, "top by subsystem": 4, "diff": 1, "health": 4}
PAUSE_S = 1.0  # of a reader between two questions: somebody looks at the answer


class Load:
    """What was asked so far, and how long each answer took."""

    def __init__(self) -> None:
        self.url = ""
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self.down = 0
        self.acknowledged: list[str] = []
        self.end = 0.0
        self.is_down = threading.Event()

    def ask(self, kind: str, method: str, path: str, **options: object) -> int:
        """The status; 0 where the server was down."""
        began = time.perf_counter()
        try:
            answer = urllib3.request(method, self.url + path, timeout=120, retries=False, **options)
        except urllib3.exceptions.HTTPError as error:
            if not self.is_down.is_set():
                self.errors.append(f"{kind}: {error}")
            self.down += 1
            time.sleep(0.2)
            return 0
        self.seconds[kind].append(time.perf_counter() - began)
        if answer.status >= 400:
            self.errors.append(f"{kind}: {answer.status} {answer.data[:200]!r}")
        return answer.status

    def read(self, seed: int) -> None:
        """Ask questions until the end."""
        chance = random.Random(seed)
        time.sleep(chance.random() * PAUSE_S)
        while time.monotonic() < self.end:
            [kind] = chance.choices(list(SHARES), list(SHARES.values()))
            self.ask(kind, "GET", QUESTIONS[kind])
            time.sleep(2 * PAUSE_S * chance.random())

    def push(self, number: int, samples: list[bytes]) -> None:
        """Push recordings until the end."""
        count = 0
        while time.monotonic() < self.end:
            name = f"load.{number}.{count}"
            body = _recording(samples, 1000 * number + count)
            path = f"/api/v1/recordings?name={name}&label.pusher={number}&work=9&unit=packet"
            if 200 <= self.ask("push", "POST", path, body=body) < 300:
                self.acknowledged.append(name)
            count += 1


def _recording(samples: list[bytes], number: int) -> bytes:
    """A hundredth of a recording, with a command of its own; about 4,000 samples."""
    mark = f"load{number} ".encode()
    picked = random.Random(number).sample(samples, min(len(samples), 4000))
    return lzma.compress(
        b"\n\n".join([mark + picked[0].split(b" ", 1)[1], *picked[1:]]) + b"\n\n", preset=0
    )


def started(store: Path) -> tuple["subprocess.Popen[str]", str]:
    log = store.with_suffix(".log").open("a")
    command = [sys.executable, "-m", "perfduck", "serve", "--store", str(store)]
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=log, text=True
    )
    assert process.stdout
    found = re.match(r"http\S+", process.stdout.readline())
    assert found
    return process, found[0]


def _memory_mb(process: "subprocess.Popen[str]") -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) >> 10 if found else 0


def run(options: argparse.Namespace, folder: Path) -> None:
    store = folder / "load.duckdb"
    perfduck.open(store).ingest(manifest=DEMO / "recordings.csv")
    text = lzma.decompress((DEMO / "native.udp64.1.txt.xz").read_bytes())
    samples = [each for each in text.split(b"\n\n") if each.strip()]
    load = Load()
    process, load.url = started(store)
    load.end = time.monotonic() + options.seconds
    threads = [
        *(threading.Thread(target=load.push, args=(n, samples)) for n in range(options.pushers)),
        *(threading.Thread(target=load.read, args=(n,)) for n in range(options.readers)),
    ]
    for thread in threads:
        thread.start()
    if options.kill:
        time.sleep(options.seconds / 2)
        load.is_down.set()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process, load.url = started(store)
        load.is_down.clear()
    for thread in threads:
        thread.join()
    while b"perfduck_pushes_waiting 0.0" not in urllib3.request("GET", f"{load.url}/metrics").data:
        time.sleep(0.2)
    memory = _memory_mb(process)
    process.send_signal(signal.SIGTERM)
    code = process.wait()
    _report(load, options, memory, code, set(perfduck.open(store).names()))


def _report(
    load: Load, options: argparse.Namespace, memory: int, code: int, names: set[str]
) -> None:
    print(f"{options.pushers} pushers, {options.readers} readers, {options.seconds:g} s")
    print("| request | number | p50 | p95 | longest |\n|---|---|---|---|---|")
    for kind, times in sorted(load.seconds.items()):
        cuts = statistics.quantiles(times, n=20) if len(times) > 1 else times * 20
        shown = [f"{1000 * each:,.0f} ms" for each in (cuts[9], cuts[18], max(times))]
        print(f"| {kind} | {len(times):,} | {' | '.join(shown)} |")
    lost = sorted(set(load.acknowledged) - names)
    print(f"errors: {len(load.errors)}; while it was down: {load.down}; exit code {code}")
    print(f"acknowledged: {len(load.acknowledged):,} recordings, lost: {len(lost)}")
    print(f"most memory of the server: {memory} MB")
    for line in load.errors[:5]:
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pushers", type=int, default=8)
    parser.add_argument("--readers", type=int, default=32)
    parser.add_argument("--kill", action="store_true")
    with tempfile.TemporaryDirectory() as folder:
        run(parser.parse_args(), Path(folder))


if __name__ == "__main__":
    main()
