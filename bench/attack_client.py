"""What a hostile server answers to `--store http://...`: the command ends in one line, with exit
code 2, in bounded memory, and nothing of it reaches the terminal as control bytes.

    python bench/attack_client.py      prints a row, and what failed
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import polars as pl

from perfduck_store.remote.wire import encoded_answer

_MOST_MB, _MOST_SECONDS = 3500, 60  # polars reserves 1700 of it, and uses some
_ESCAPE = b"\x1b]0;owned\x07"
COMMANDS = (
    ["top", "run"],
    ["profiles"],
    ["diff", "a", "b"],
    ["sql", "select 1"],
    ["rm", "run"],
    ["edit", "run", "--name", "other"],
    ["export", "run"],
    ["merge", "OTHER"],
)


def _head(status: bytes, *headers: bytes) -> bytes:
    from perfduck_store.remote.services import PROTOCOL, PROTOCOL_HEADER

    own = f"{PROTOCOL_HEADER}: {PROTOCOL}".encode()
    return b"\r\n".join([b"HTTP/1.1 " + status, own, *headers, b"", b""])


def _body(body: bytes, status: bytes = b"200 OK", *headers: bytes) -> Iterator[bytes]:
    yield _head(status, b"Content-Length: %d" % len(body), *headers) + body


def _endless(head: bytes, piece: bytes) -> Iterator[bytes]:
    yield head
    while True:
        yield piece


def _session(text: bytes) -> Callable[[bool], Iterator[bytes]]:
    return lambda is_first: _body(b'{"session":' + text + b"}" if is_first else b"")


def _after(answer: Callable[[], Iterator[bytes]]) -> Callable[[bool], Iterator[bytes]]:
    """A session, then this answer."""
    return lambda is_first: _body(b'{"session":"s","idle_s":20}') if is_first else answer()


def _always(answer: Callable[[], Iterator[bytes]]) -> Callable[[bool], Iterator[bytes]]:
    return lambda _: answer()


def _frame(frame: pl.DataFrame) -> bytes:
    return encoded_answer(frame)


_ZEROS = _frame(pl.DataFrame({"n": pl.zeros(200_000_000, eager=True)}))  # 1.6 GB in 7 MB
_CHUNK = b"100000\r\n" + b"\0" * 0x100000 + b"\r\n"
_CHUNKED = b"Transfer-Encoding: chunked"
ANSWERS: dict[str, Callable[[bool], Iterator[bytes]]] = {
    "nothing": _always(lambda: iter([b""])),
    "random bytes": _always(lambda: iter([os.urandom(4096)])),
    "endless line": _always(lambda: _endless(b"HTTP/1.1 200 ", b"a" * 65536)),
    "endless headers": _always(lambda: _endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 4096)),
    "endless 100 Continue": _always(lambda: _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99)),
    "endless body at once": _always(lambda: _endless(_head(b"200 OK"), b"\0" * 65536)),
    "endless body": _after(lambda: _endless(_head(b"200 OK"), b"\0" * 65536)),
    "endless chunks": _after(lambda: _endless(_head(b"200 OK", _CHUNKED), _CHUNK)),
    "endless chunks of an error": _after(
        lambda: _endless(_head(b"422 Unprocessable", _CHUNKED), _CHUNK)
    ),
    "length of 10^18": _after(
        lambda: _endless(_head(b"200 OK", b"Content-Length: 1" + b"0" * 18), b"\0" * 65536)
    ),
    "length below 0": _after(lambda: iter([_head(b"200 OK", b"Content-Length: -5"), b"abc"])),
    "chunk of 10^18": _after(
        lambda: _endless(_head(b"200 OK", _CHUNKED) + b"1" + b"0" * 15 + b"\r\n", b"\0" * 65536)
    ),
    "chunk of no number": _after(lambda: iter([_head(b"200 OK", _CHUNKED) + b"zz\r\nabc"])),
    "short body": _after(lambda: iter([_head(b"200 OK", b"Content-Length: 99") + b"abc"])),
    "random body": _after(lambda: _body(os.urandom(1000))),
    "nil": _after(lambda: _body(b"\xc0")),
    "array of 2^32": _after(lambda: _body(b"\xdd\xff\xff\xff\xff")),
    "map of 2^32": _after(lambda: _body(b"\xdf\xff\xff\xff\xff")),
    "deep arrays": _after(lambda: _body(b"\x91" * 1_000_000)),
    "100 MB of nil": _after(lambda: _body(b"\xdd\x06\x00\x00\x00" + b"\xc0" * (6 << 24))),
    "unknown extension": _after(lambda: _body(b"\xd4\x63\x00")),
    "text that is no UTF-8": _after(lambda: _body(b"\xa2\xff\xfe")),
    "frame of other columns": _after(lambda: _body(_frame(pl.DataFrame({"x": [1]})))),
    "frame of no column": _after(lambda: _body(_frame(pl.DataFrame()))),
    "frame of 1.6 GB in 7 MB": _after(lambda: _body(_ZEROS)),
    "frame that is cut": _after(lambda: _body(_ZEROS[:1_000_000])),
    "status 999": _after(lambda: _body(b"", b"999 Odd")),
    "status 500 with a page": _after(lambda: _body(b"<html>" + _ESCAPE, b"500 Error")),
    "redirect": _always(lambda: _body(b"", b"301 Moved", b"Location: file:///etc/passwd")),
    "reason with escapes": _always(lambda: iter([b"HTTP/1.1 200 O" + _ESCAPE + b"K\r\n\r\n"])),
    "protocol with escapes": _always(
        lambda: iter([b"HTTP/1.1 200 OK\r\nPerfduck-Protocol: " + _ESCAPE + b"\r\n\r\n"])
    ),
    "error with escapes": _always(
        lambda: _body(b'{"error":"a\\u001b]0;owned\\u0007\\u202e[/x]"}', b"422 No")
    ),
    "error of 100 MB": _always(lambda: _body(b'{"error":"' + b"a" * 10**8 + b'"}', b"422 No")),
    "error of many lines": _always(lambda: _body(b'{"error":"a\\nb\\n\\nc"}', b"422 No")),
    "session with line ends": _session(b'"a\\r\\nX: y"'),
    "session that is no ASCII": _session(b'"\\u2603"'),
    "session of 1 MB": _session(b'"' + b"a" * 1_000_000 + b'"'),
    "session that is a number": _session(b"5"),
    "idle of 0": _session(b'"s","idle_s":0'),
    "idle below 0": _session(b'"s","idle_s":-1e300'),
    "idle of 1e308": _session(b'"s","idle_s":1e308'),
    "busy for 10^9 s": _always(lambda: _body(b"", b"423 Locked", b"Retry-After: 999999999")),
    "busy for 10^400 s": _always(lambda: _body(b"", b"423 Locked", b"Retry-After: 1" + b"0" * 400)),
    "busy without end": _always(lambda: _body(b"", b"423 Locked", b"Retry-After: 0")),
    "503 without end": _always(lambda: _body(b"", b"503 Busy", b"Retry-After: 0")),
}


class _Server:
    """Answers each connection, and each request on it, with one of ANSWERS."""

    def __init__(self) -> None:
        self.answer: Callable[[bool], Iterator[bytes]] = _always(lambda: iter([b""]))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            client, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                while request := client.recv(1 << 20):
                    is_first = b"/sessions/" in request.split(b"\r\n")[0]
                    for part in self.answer(is_first):
                        client.sendall(part)
                    if b"Content-Length" not in part:
                        break
            except OSError:
                return


def _wrong(words: list[str]) -> str | None:
    """What is wrong about the end of a command, if anything."""
    process = subprocess.Popen(
        [sys.executable, "-m", "perfduck", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    timer = threading.Timer(_MOST_SECONDS, process.kill)
    timer.start()
    began = time.monotonic()
    output, _ = process.communicate()
    timer.cancel()
    took = time.monotonic() - began
    if process.returncode != 2:
        return f"exit {process.returncode} after {took:.0f} s: {output[-200:]!r}"
    if b"Traceback" in output or any(byte < 32 and byte != 10 for byte in output):
        return f"{output[-200:]!r}"
    return None if len(output) < 5000 else f"{len(output):,} bytes of message"


def _limited() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MB << 20, _MOST_MB << 20))


def main() -> None:
    _limited()  # the commands inherit it: what needs more ends with another code
    server, failed, tried = _Server(), 0, 0
    wanted = sys.argv[1:]
    for number, (name, answer) in enumerate(ANSWERS.items()):
        if wanted and name not in wanted:
            continue
        server.answer = answer
        for words in (COMMANDS[number % len(COMMANDS)], COMMANDS[(number + 3) % len(COMMANDS)]):
            given = [server.url if word == "OTHER" else word for word in words]
            to = "/dev/null/x.duckdb" if "OTHER" in words else server.url
            tried += 1
            if wrong := _wrong([*given, "--store", to, "--wait", "3"]):
                failed += 1
                print(f"  FAILED {name}, {words[0]}: {wrong}", flush=True)
    print("| attack | tried | failed |\n| --- | ---: | ---: |")
    print(f"| answers of a hostile server | {tried} | {failed} |")


if __name__ == "__main__":
    main()
