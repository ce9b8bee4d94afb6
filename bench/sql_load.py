"""What runaway SQL of users costs other requests: each asked alone, then beside 20 such statements.

    python bench/sql_load.py [--seconds 20] [--statements 20]

Starts a server of the demo. A reader asks one question after the other, without a pause; prints p50
and p95 of each kind, without statements and beside them, and what became of the statements.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import urllib3
from server_load import DEMO, started

import perfduck

RUNAWAY = "select max(hash(a.range + b.range)) from range(1000000000) as a, range(1000000000) as b"
# Each answer is worked out: the numbers make all questions differ, as answers are kept.
QUESTIONS = {
    "/healthz": "/healthz",
    "/profiles": "/api/v1/profiles?format=json",  # the one that is kept
    "/top": "/api/v1/top?selector=scenario=native&format=json&limit={number}",
    "/top, a label": "/api/v1/top?selector=workload=udp64&by=subsystem&limit={number}",
    "page: recordings": "/?text={number}",
    "page: SQL": "/sql",
    "page: recording": "/profiles/native.udp64.1?skip={number}us",
    "page: diff": "/diff?base=native.udp64.*&new=docker0-nat.udp64.*&least_growth={number}",
}


def _times(url: str, seconds: float, first: int) -> dict[str, list[float]]:
    """How long answers of each kind took, s, to questions with numbers from `first` on."""
    http, times, number = urllib3.PoolManager(), defaultdict(list), first
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for kind, path in QUESTIONS.items():
            began = time.perf_counter()
            answer = http.request("GET", url + path.format(number=number))
            times[kind].append(time.perf_counter() - began)
            assert answer.status == 200, (path, answer.data)
        number += 1
    return times


def _run_away(url: str, end: float, outcomes: Counter[str]) -> None:
    """Ask for statements that do not end, again and again."""
    while time.monotonic() < end:
        asked = {"query": RUNAWAY, "timeout": 10}
        answer = urllib3.request("POST", f"{url}/api/v1/sql", json=asked, timeout=60)
        outcomes[f"{answer.status} {answer.json().get('error', '')[:40]}"] += 1


def run(options: argparse.Namespace, folder: Path) -> None:
    store = folder / "sql.duckdb"
    perfduck.open(store).ingest(manifest=DEMO / "recordings.csv")
    process, url = started(store)
    _times(url, 3, 1)  # what is loaded once
    alone = _times(url, options.seconds, 10_000)
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + options.seconds
    threads = [
        threading.Thread(target=_run_away, args=(url, end, outcomes))
        for _ in range(options.statements)
    ]
    for thread in threads:
        thread.start()
    time.sleep(1)
    beside = _times(url, options.seconds - 1, 20_000)
    for thread in threads:
        thread.join()
    process.terminate()
    process.wait()
    print(f"{options.statements} statements at a time: {dict(outcomes)}")
    print("| request | alone: p50 | p95 | beside: p50 | p95 | number |\n|---|" + "---:|" * 5)
    for kind in QUESTIONS:
        cells = [_shown(times[kind], cut) for times in (alone, beside) for cut in (9, 18)]
        print(f"| {kind} | {' | '.join(cells)} | {len(alone[kind])}, {len(beside[kind])} |")


def _shown(times: list[float], cut: int) -> str:
    value = statistics.quantiles(times, n=20)[cut] if len(times) > 1 else times[0]
    return f"{1000 * value:,.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--statements", type=int, default=20)
    with tempfile.TemporaryDirectory() as folder:
        run(parser.parse_args(), Path(folder))


if __name__ == "__main__":
    sys.exit(main())
