"""A server that lies: asked what the protocol has, it answers one method otherwise."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import polars as pl

from perfduck_model.errors import PerfduckError
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.remote.server_session import ServerSession
from perfduck_store.remote.services import PROTOCOL, PROTOCOL_HEADER, all_methods

METHODS = {method.path: method for method in all_methods()}
Lie = Callable[[bytes], bytes]
# What a method answers that would change the store, by its annotation: nothing is changed.
DONE = {None: b"\xc0", bool: b"\xc3", str | None: b"\xc0", tuple[str, ...]: b"\x91\xa1x"}


class Liar(ThreadingHTTPServer):
    """`asked`: the methods, since it was cleared; `lies`: what is made of a method's answer."""

    daemon_threads = True

    def __init__(self, store: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.session = ServerSession(DuckDbStore(store), write=False)
        self.asked: list[str] = []
        self.true: dict[str, tuple[bytes, bytes]] = {}  # the last request of each, and its answer
        self.lies: dict[str, Lie] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Liar

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/api/v1/store/sessions"):
            self._answer(b'{"session":"s","idle_s":20}')
            return
        method = METHODS[self.path]
        self.server.asked.append(f"{method.service}.{method.name}")
        try:
            true = DONE.get(method.function.__annotations__["return"]) if method.changes else None
            true = true or self.server.session.answer(method, body)
        except PerfduckError as error:
            self._answer(msgspec.json.encode({"error": str(error)}), 422)
            return
        self.server.true[self.server.asked[-1]] = (body, true)
        self._answer(self.server.lies.get(self.server.asked[-1], bytes)(true))

    def do_PUT(self) -> None:
        self._answer(b"")

    def do_DELETE(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header(PROTOCOL_HEADER, PROTOCOL)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def lying(store: Path) -> Iterator[Liar]:
    """A server of the store, which stays as it is."""
    with Liar(store) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()
        server.session.end()


def _frame(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Lie:
    def lie(true: bytes) -> bytes:
        file = io.BytesIO()
        change(pl.read_ipc(msgspec.msgpack.decode(true))).write_ipc(file)
        return msgspec.msgpack.encode(file.getvalue())

    return lie


def _each(change: Callable[[pl.Expr], pl.Expr]) -> Lie:
    return _frame(
        lambda frame: frame.select(change(pl.col(name)).alias(name) for name in frame.columns)
    )


def _first(frame: pl.DataFrame, change: Callable[[pl.Expr], pl.Expr]) -> pl.DataFrame:
    return frame.with_columns(change(pl.col(frame.columns[0])))


def _number(frame: pl.DataFrame, value: Any) -> pl.DataFrame:
    numbers = [name for name, kind in frame.schema.items() if kind.is_numeric()]
    return frame.with_columns(
        pl.lit(value).cast(frame.schema[name], strict=False).alias(name) for name in numbers
    )


# Of the wrong shape: never an answer.
BAD_FRAMES: dict[str, Lie] = {
    "no column": _frame(lambda frame: frame.select()),
    "a column less": _frame(lambda frame: frame.drop(frame.columns[-1])),
    "a column more": _frame(lambda frame: frame.with_columns(more=pl.lit(1))),
    "another name": _frame(lambda frame: frame.rename({frame.columns[0]: "odd"})),
    "another order": _frame(lambda frame: frame.select(reversed(frame.columns))),
    "texts": _each(lambda every: pl.lit("x").repeat_by(1).list.first()),
    "numbers": _each(lambda every: every.is_null().cast(pl.Int8)),
    "nested": _each(lambda every: pl.struct(every)),
    "lists": _each(lambda every: every.implode()),
    "nulls": _each(lambda every: pl.when(pl.lit(False)).then(every)),
    "a null": _frame(lambda frame: _first(frame, lambda key: key.shift(1))),
    "categories": _each(lambda every: pl.lit("x", pl.Categorical)),
    "no frame": lambda true: msgspec.msgpack.encode(b"ARROW1"),
    "cut": lambda true: true[: len(true) // 2],
}
# Of the right shape: an answer, or refused in a line.
ODD_FRAMES: dict[str, Lie] = {
    "no row": _frame(lambda frame: frame.clear()),
    "a row": _frame(lambda frame: frame.head(1)),
    "rows twice": _frame(lambda frame: pl.concat([frame, frame])),
    "reversed": _frame(lambda frame: frame.reverse()),
    "zeros": _frame(lambda frame: _number(frame, 0)),
    "ones": _frame(lambda frame: _number(frame, 1)),
    "below 0": _frame(lambda frame: _number(frame, -1)),
    "most": _frame(lambda frame: _number(frame, 2**31 - 1)),
    "2^62": _frame(lambda frame: _number(frame, 2**62)),
    "nan": _frame(lambda frame: _number(frame, float("nan")).fill_null(0)),
    "infinity": _frame(lambda frame: _number(frame, float("inf")).fill_null(0)),
    "1e308": _frame(lambda frame: _number(frame, 1e308).fill_null(0)),
    "other ids": _frame(
        lambda frame: _first(
            frame,
            lambda key: (
                key.cast(pl.Int64, strict=False)
                .add(10**12)
                .cast(frame.dtypes[0], strict=False)
                .fill_null(key)
            ),
        )
    ),
    "empty texts": _frame(
        lambda frame: frame.with_columns(
            pl.lit("").alias(name) for name, kind in frame.schema.items() if kind == pl.String
        )
    ),
}


def leaves(value: Any, change: Callable[[Any], Any]) -> Any:
    """The value, each of its leaves changed."""
    if isinstance(value, dict):
        return {key: leaves(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [leaves(each, change) for each in value]
    return change(value)


def _plain(change: Callable[[Any], Any]) -> Lie:
    return lambda true: msgspec.msgpack.encode(change(msgspec.msgpack.decode(true)))


def _of(kind: type, value: Any) -> Lie:
    is_one = lambda leaf: isinstance(leaf, kind) and not isinstance(leaf, bool)  # noqa: E731
    return _plain(lambda true: leaves(true, lambda leaf: value if is_one(leaf) else leaf))


def _shorter(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(list(value.items())[1:])
    return value[1:] if isinstance(value, list) else value


BAD_PLAIN: dict[str, Lie] = {
    "an array": _plain(lambda true: [[[5]]]),
    "a map": _plain(lambda true: {"odd": {"a": [None]}}),
    "bytes": _plain(lambda true: b"\x00\xff"),
    "an extension": _plain(lambda true: msgspec.msgpack.Ext(7, b"x")),
    "two": lambda true: true + true,
    "garbage": lambda true: b"\xc1\xff\x00",
    "nothing": lambda true: b"",
}
ODD_PLAIN: dict[str, Lie] = {
    "nil": _plain(lambda true: None),
    "a number": _plain(lambda true: 5),
    "a text": _plain(lambda true: "x"),
    "yes": _plain(lambda true: True),
    "an empty list": _plain(lambda true: []),
    "an empty map": _plain(lambda true: {}),
    "less": _plain(_shorter),
    "less in each": _plain(lambda true: [_shorter(each) for each in true]
                           if isinstance(true, list) else true),
    "twice": _plain(lambda true: true + true if isinstance(true, list) else true),
    "numbers of 0": _of(int, 0),
    "numbers below 0": _of(int, -7),
    "numbers of 2^63": _of(int, (1 << 63) - 1),
    "numbers of 2^64": _of(int, (1 << 64) - 1),
    "floats of 0": _of(float, 0.0),
    "floats below 0": _of(float, -1.5),
    "nan": _of(float, float("nan")),
    "infinity": _of(float, float("inf")),
    "1e308": _of(float, 1e308),
    "1e-308": _of(float, 1e-308),
    "empty texts": _of(str, ""),
    "odd texts": _of(str, "\x1b]0;owned\x07\u202e\n[/x]"),
    "nil in it": _plain(lambda true: leaves(true, lambda leaf: None)),
    "texts in it": _plain(lambda true: leaves(true, str)),
    "lists in it": _plain(lambda true: leaves(true, lambda leaf: [leaf])),
}  # fmt: skip
