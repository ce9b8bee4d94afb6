"""What a server makes of hostile requests and names, and what is left of pushes when it is killed.

    python bench/attack_server.py [questions] [requests] [pushes] [tools] [kills] [--seed N]
                                  [--times N]

`questions`: the read API in every format, of a store in which every name is hostile, and with
hostile names typed. `requests`: heads, hosts, X-Forwarded-*, methods and paths by hand; then each
line of the access log and of /metrics. `pushes`: file names, labels, units, names. `tools`: those
of `perfduck mcp`. `kills`: SIGKILL and SIGTERM while recordings are pushed. Right is: never a
status of 500, errors in one line of JSON, answers of their format, nothing that moves a terminal
in a log, nothing acknowledged lost.
"""

import asyncio
import csv
import io
import json
import random
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, get_args
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "server"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "report"))

import urllib3
from attacks import Attacks, Tried, attack
from hostile import NAMES, build
from mcp import Client, StdioServerParameters
from servers import Server, running

from perfduck_diff.keys import MatrixKey, SeriesKey
from perfduck_report.formats import CompareFormat, DiffFormat, ExportFormat, TrendFormat
from perfduck_store.choice import By

HTTP = urllib3.PoolManager(timeout=60, retries=False)
SAMPLE = "%s 7 [000] %.6f: 1000000 cpu-clock: \n\tffffffff81000000 f%d+0x10 ([kernel.kallsyms])\n\n"


def status_of(answer: urllib3.BaseHTTPResponse) -> str | None:
    """What is wrong about an answer."""
    if answer.status >= 500 and answer.status != 503:
        return f"status {answer.status}: {answer.data[:200]!r}"
    if answer.status >= 400 and answer.headers.get("content-type", "").startswith(
        "application/json"
    ):
        error = answer.json()["error"]
        odd = [each for each in error if not each.isprintable()]
        return f"an error with {odd}: {error[:200]!r}" if odd else None
    return None


# The read API


def _asked() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, format, parameters."""
    for form in ("json", "csv", "text", "markdown"):
        yield "profiles", form, {"selector": "*"}
        for by in get_args(By):
            yield "top", form, {"selector": "side=new", "by": by, "limit": 99}
        yield "top", form, {"selector": "side=new", "by": "callers", "function": "net_rx_action"}
    for form in get_args(DiffFormat):
        yield "diff", form, {"base": "side=base", "new": "side=new"}
    for form in get_args(CompareFormat):
        for by in get_args(MatrixKey):
            yield "compare", form, {"selector": "*", "over": "side", "by": by}
    for form in get_args(TrendFormat):
        for by in get_args(SeriesKey):
            yield "trend", form, {"selector": "*", "over": "side", "by": by}
    for form in get_args(ExportFormat):
        yield "export", form, {"selector": "side=new"}


def questions(folder: Path, chance: random.Random, times: int) -> Tried:
    tried = Tried("read API, hostile names, each format")
    for turn in (0, 13):
        store = folder / f"hostile{turn}.duckdb"
        place = folder / str(turn)
        place.mkdir()
        build(store, place, turn)
        with running(store) as server:
            for path, form, given in _asked():
                url = f"{server.url}/api/v1/{path}?{urlencode(given | {'format': form})}"
                answer = HTTP.request("GET", url)
                tried.note(url[len(server.url) :], status_of(answer) or _unread(form, answer))
            if turn:
                continue
            for name in NAMES:
                for path, given in (
                    ("profiles", {"selector": name}),
                    ("top", {"selector": "*", "comm": name, "by": name}),
                    ("top", {"selector": "*", "function": name, "by": "callers"}),
                    ("diff", {"base": name, "new": "side=new", "budget": name}),
                    ("trend", {"selector": "*", "over": name}),
                    ("export", {"selector": "*", "format": name, name: name}),
                    ("sandwich", {"selector": "*", "function": name}),
                ):
                    url = f"{server.url}/api/v1/{path}?{urlencode(given)}"
                    if len(url) < 60_000:
                        tried.note(f"{path} {given}"[:150], status_of(HTTP.request("GET", url)))
    return tried


def _unread(form: str, answer: urllib3.BaseHTTPResponse) -> str | None:
    """What is not of its format."""
    if answer.status >= 400 or form == "pprof":
        return None
    text = answer.data.decode()
    try:
        if form in ("json", "speedscope"):
            json.loads(text)
        elif form == "junit":
            ElementTree.fromstring(text)
        elif form == "csv" and len({len(row) for row in csv.reader(io.StringIO(text))}) > 1:
            return "rows of several lengths"
    except (ValueError, ElementTree.ParseError) as error:
        return f"no {form}: {error}"
    odd = {each for each in text if not each.isprintable()} - {"\n"}
    return f"has {sorted(odd)}" if odd and form in ("text", "markdown", "folded", "csv") else None


# Requests by hand

ODD = (
    b"\x1b]0;x\x07", "\u202e\x9b31m".encode(), b'"><script>x</script>', b"a b", b"\xff\xfe",
    b"%7f../../etc/passwd", b"%0d%0aX: y", b"%1b[31m%00%c2%9b", b"'; drop", b"x" * 9000,
)  # fmt: skip
HEADS = ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "Origin",
         "Referer", "User-Agent", "Authorization", "Cookie", "Content-Type", "Content-Length",
         "Accept", "Accept-Encoding", "If-None-Match", "Range", "Expect", "Transfer-Encoding",
         "Sec-Fetch-Site", "Upgrade", "Connection")  # fmt: skip


def _raw(server: Server, request: bytes) -> bytes:
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        with suppress(OSError):  # refused before all was sent
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
        parts = []
        with suppress(OSError):
            while part := client.recv(1 << 16):
                parts.append(part)
        return b"".join(parts)


def _requests() -> Iterator[bytes]:
    for head in HEADS:
        for odd in ODD:
            for path in (b"/", b"/api/v1/top?selector=x"):
                host = b"" if head == "Host" else b"Host: x\r\n"
                yield (b"GET " + path + b" HTTP/1.1\r\n" + host + head.encode() + b": " + odd
                       + b"\r\nConnection: close\r\n\r\n")  # fmt: skip
    for odd in ODD:
        plain = quote(odd, safe="").encode()
        for method in (b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"TRACE"):
            yield method + b" /" + plain + b"?" + plain + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        yield b"GET /" + odd + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        yield odd + b" / HTTP/1.1\r\nHost: x\r\n\r\n"
        yield odd
    for number in range(300):
        yield b"M%d / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % number
    yield b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n"
    yield b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"
    yield b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"POST /api/v1/recordings HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    yield b"POST /api/v1/recordings HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nshort"


def requests(folder: Path, chance: random.Random, times: int) -> Tried:
    tried = Tried("requests by hand, access log, /metrics")
    log = folder / "access.log"
    with running(folder / "s.duckdb", "--access-log", str(log)) as server:
        for request in _requests():
            answer = _raw(server, request)
            first = answer.partition(b"\r\n")[0]
            heads = answer.partition(b"\r\n\r\n")[0]
            trouble = f"{first!r}" if re.match(rb"HTTP/1.1 5(?!03)", first) else None
            if b"evil.example" in heads or b"\x1b" in heads:
                trouble = f"heads with a name: {heads!r}"
            tried.note(f"{request[:100]!r}", trouble)
        healthy = HTTP.request("GET", f"{server.url}/healthz").status == 200
        tried.note("healthz", None if healthy else "not healthy")
        metrics = HTTP.request("GET", f"{server.url}/metrics").data.decode()
        odd = {each for each in metrics if not each.isprintable()} - {"\n"}
        tried.note("/metrics", f"has {odd}" if odd else None)
        lines = metrics.count("\n")
        tried.note("/metrics, lines", f"{lines:,} lines" if lines > 1500 else None)
    for line in log.read_text().splitlines():
        odd = {each for each in line if not (each.isprintable() and each.isascii())}
        tried.note(f"log: {line[:80]}", f"has {odd}" if odd or not json.loads(line) else None)
    with running(folder / "s.duckdb", "--access-log", "/dev/full") as server:
        for _ in range(5):
            status = HTTP.request("GET", f"{server.url}/api/v1/profiles").status
            tried.note("log to a full disk", None if status == 200 else f"status {status}")
    return tried


# Pushes


def recording(number: int, samples: int = 300) -> bytes:
    lines = (SAMPLE % ("app", number + place / 1000, place % 50) for place in range(samples))
    return "".join(lines).encode()


def pushes(folder: Path, chance: random.Random, times: int) -> Tried:
    tried = Tried("pushes with hostile names")
    with running(folder / "s.duckdb") as server:
        api = f"{server.url}/api/v1"
        for number, name in enumerate(NAMES):
            typed = quote(name, safe="")[:6000]
            urls = [
                ("PUT", f"{api}/recordings/{typed}?wait=60"),
                ("POST", f"{api}/recordings?wait=60&name={typed}&label.{typed}={typed}"),
                ("POST", f"{api}/recordings?wait=60&name=n{number}&work=5&unit={typed}"),
                ("POST", f"{api}/recordings?wait=60&name=l{number}&label.a={typed}"),
                ("POST", f"{api}/recordings?{typed}={typed}"),
            ]
            for place, (method, url) in enumerate(urls):
                body = recording(1 + number * len(urls) + place)
                answer = HTTP.request(method, url, body=body)
                tried.note(f"{method} {url[len(api) : len(api) + 100]}", status_of(answer))
            fields = {"recording": (name.replace("\0", ""), recording(9000 + number))}
            answer = HTTP.request("POST", f"{api}/recordings?wait=60", fields=fields)
            tried.note(f"multipart {name[:60]!r}", status_of(answer))
        for row in HTTP.request("GET", f"{api}/profiles").json():
            for path in (f"/api/v1/recordings/{row['id']}/raw", f"/profiles/{row['id']}"):
                answer = HTTP.request("GET", server.url + path)
                heads = [f"{key}: {value}" for key, value in answer.headers.items()]
                odd = [each for each in heads if not (each.isprintable() and each.isascii())]
                wrong = status_of(answer) or (f"heads {odd}" if odd else None)
                tried.note(f"{path} of {row['name'][:40]!r}", wrong)
    return tried


# Tools for agents


def tools(folder: Path, chance: random.Random, times: int) -> Tried:
    tried = Tried("tools of mcp, hostile names")
    store = folder / "hostile.duckdb"
    (folder / "place").mkdir()
    build(store, folder / "place", 0)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("recordings", {}), ("diff", {"base": "side=base", "new": "side=new"}),
        ("sql", {"query": "select distinct function, dso, comm, labels from hit"}),
        *(("top", {"selector": "side=new", "by": by}) for by in get_args(By)),
        *(("compare", {"selector": "*", "over": "side", "by": by}) for by in get_args(MatrixKey)),
        *(("trend", {"selector": "*", "over": "side", "by": by}) for by in get_args(SeriesKey)),
    ]  # fmt: skip
    for name in NAMES:
        calls += [
            ("top", {"selector": name}), ("top", {"selector": "*", "comm": [name]}),
            ("top", {"selector": "*", "by": "callers", "function": name}),
            ("diff", {"base": name, "new": name}), ("trend", {"selector": "*", "over": name}),
            ("sql", {"query": name}), ("sql", {"query": "select $a", "parameters": {"a": name}}),
            (name, {}), ("top", {name: name}),
        ]  # fmt: skip

    async def run() -> None:
        words = ["-m", "perfduck", "mcp", "--store", str(store)]
        async with Client(StdioServerParameters(command=sys.executable, args=words)) as client:
            for name, given in calls:
                try:
                    answer = await client.call_tool(name, given)
                    text = "".join(getattr(part, "text", "") for part in answer.content)
                except Exception as error:
                    text = str(error)
                odd = {each for each in text if not each.isprintable()} - {"\n"}
                bad = "Traceback" in text or "Internal" in text
                wrong = f"has {sorted(odd)}" if odd else text[:200] if bad else None
                tried.note(f"{name[:40]!r} {given}"[:150], wrong)

    asyncio.run(run())
    return tried


# Killed


def kills(folder: Path, chance: random.Random, times: int) -> Tried:
    """All that was acknowledged is there as a whole after the next start."""
    tried = Tried("SIGKILL and SIGTERM of a server that is pushed to")
    store, acknowledged, number = folder / "s.duckdb", dict[str, int](), 0
    for turn in range(times):
        with running(store) as server:
            answered: dict[str, int] = {}
            number += 20
            pusher = Thread(
                target=_push, args=(server.url, number, answered, chance.random() < 0.3)
            )
            pusher.start()
            time.sleep(chance.uniform(0.05, 3.0))
            sent = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
            server.process.send_signal(sent)
            server.process.wait(30)
            pusher.join()
        acknowledged |= answered
        with running(store) as server:
            stored = _stored(server.url, acknowledged)
            lost = {
                name: count for name, count in acknowledged.items() if stored.get(name) != count
            }
            half = {name: count for name, count in stored.items() if count not in (300, 3000)}
            tried.note(
                f"{turn}: {sent.name}, {len(answered)} acknowledged, {len(stored)} there",
                f"lost {lost}, half {half}" if lost or half else None,
            )
    print(f"{len(acknowledged)} pushes acknowledged", flush=True)
    return tried


def _push(url: str, first: int, answered: dict[str, int], is_accepted: bool) -> None:
    """One recording after the other until the server is gone; with or without waiting for them."""
    for number in range(first, first + 20):
        samples = 3000 if number % 3 == 0 else 300
        wait = 0 if is_accepted else 60
        asked = f"{url}/api/v1/recordings?name=r{number}&wait={wait}"
        try:
            answer = HTTP.request("POST", asked, body=recording(number * 10, samples))
        except urllib3.exceptions.HTTPError:
            return
        if answer.status in (200, 201, 202):
            answered[f"r{number}"] = samples


def _stored(url: str, acknowledged: dict[str, int]) -> dict[str, int]:
    """Samples of each profile, once what was in the spool is read."""
    end = time.monotonic() + 300
    while True:
        rows = HTTP.request("GET", f"{url}/api/v1/profiles").json()
        stored = {row["name"]: row["samples"] for row in rows}
        if acknowledged.keys() <= stored.keys() or time.monotonic() > end:
            return stored
        time.sleep(0.2)


ATTACKS: Attacks = {
    "questions": (questions, 0),
    "requests": (requests, 0),
    "pushes": (pushes, 0),
    "tools": (tools, 0),
    "kills": (kills, 30),
}

if __name__ == "__main__":
    attack(ATTACKS, __doc__)
