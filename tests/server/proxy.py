"""An HTTP proxy as a process, for tests: every host is this machine.

    python proxy.py [USER:PASSWORD]

Prints its port, then a line for each request: the verb, and what it was asked for.
"""

import select
import socket
import sys
from base64 import b64encode
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_SECRET = f"Basic {b64encode(sys.argv[1].encode()).decode()}" if sys.argv[1:] else None


class Proxy(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        if not self._may():
            return
        port = int(self.path.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as server:
            self.send_response(200)
            self.end_headers()
            _relay(self.connection, server)
        self.close_connection = True

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._may():
            return
        url = urlsplit(self.path)
        server = HTTPConnection("127.0.0.1", url.port or 80)
        headers = {name: text for name, text in self.headers.items() if name[:6] != "Proxy-"}
        server.request(self.command, url._replace(scheme="", netloc="").geturl(), body, headers)
        answer = server.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, text in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "date", "server"):
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):  # who ends a session does not wait
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _forward

    def _may(self) -> bool:
        _say(f"{self.command} {self.path}")
        if _SECRET is None or self.headers.get("Proxy-Authorization") == _SECRET:
            return True
        self.send_response(407)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def log_message(self, *_: object) -> None:
        pass


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _relay(one: socket.socket, other: socket.socket) -> None:
    """What each of two says, to the other, until one has ended."""
    while True:
        for ready in select.select([one, other], [], [])[0]:
            part = ready.recv(65_536)
            if not part:
                return
            (other if ready is one else one).sendall(part)


if __name__ == "__main__":
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    _say(str(serving.server_port))
    serving.serve_forever()
