"""What perfduck makes of damaged stores, odd paths, full disks, hostile SQL and kill -9.

    python bench/attacks.py [damaged] [paths] [stdout] [sql] [kills] [--seed N] [--times N]

Each attack runs the command line in a process of its own, with inputs made afresh from the seed.
Right is: an answer that is the same as without the attack, or one line and exit code 2; no
traceback, no signal, no code that means a verdict, within a minute; the store as it was. Prints a
table for docs/reliability.md, and each failure with what shows it again. Needs root for full disks
and for a process without a network.
"""

import argparse
import ctypes
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TextIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from perfduck_cli import main

LOADED = (
    "perfduck.ingestion", "perfduck.comparisons", "perfduck.rankings", "perfduck.recordings",
    "perfduck.user_sql", "perfduck.names_and_tags", "perfduck.inventory", "polars",
    "perfduck_ingest.perf_script.importer", "perfduck_ingest.perf_data.importer",
    "perfduck_ingest.perf_data.resolver", "perfduck_report.diff", "perfduck_tags.explain",
)  # fmt: skip
DEMO = Path(__file__).parent.parent / "fixtures" / "demo"
TIMEOUT_S = 120
_WAITS = "trying again"  # for a server, said before the error
SIDES = ("scenario=native", "scenario=docker0-nat")
READS = {
    "profiles": ["profiles", "--format", "json"],
    "top": ["top", "*", "--format", "json"],
    "top by path": ["top", "native.udp64.1", "--by", "path", "--format", "csv"],
    "callers": ["top", "*", "__netif_receive_skb_core", "--by", "callers", "--format", "csv"],
    "diff": ["diff", *SIDES, "--format", "json"],
    "compare": ["compare", "*", "--over", "scenario", "--format", "csv"],
    "export": ["export", "native.udp64.1"],
    "sql": ["sql", "select function, sum(weight) w from hit group by all order by all",
            "--format", "csv"],
    "explain": ["explain", "nf_hook_slow"],
    "symbols": ["symbols", "list"],
}  # fmt: skip
WRITES = {
    "ingest": ["ingest", str(DEMO / "native.crr.1.txt.xz")],
    "edit": ["edit", "native.udp64.1", "--label", "more=1"],
    "rm": ["rm", "native.udp64.1"],
    "tag": ["tag"],
    "noise": ["noise", "learn", "scenario=native"],
}


@dataclass
class Tried:
    """A table's row, and its failures."""

    area: str
    count: int = 0
    failures: list[str] = field(default_factory=list)

    def note(self, what: str, trouble: str | None) -> None:
        self.count += 1
        if self.count % 50 == 0:
            print(f"  {self.area}: {self.count} tried", file=sys.stderr, flush=True)
        if trouble:
            self.failures.append(f"{what}: {trouble}")
            print(f"  FAILED {self.area}: {what}: {trouble}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: bytes
    error: str
    seconds: float

    def trouble(self, *codes: int) -> str | None:
        """What is wrong about how it ended; codes: that are right, besides 2 with one line."""
        if self.code < 0:
            return f"died of signal {-self.code}"
        if "Traceback" in self.error or self.code == 70:
            return f"bug: {self.error[-300:]}"
        if self.code != 2 and self.code not in codes:
            return f"exit {self.code}: {self.error[-200:]}"
        lines = self.error.splitlines()
        if self.code == 2 and not (lines and lines[-1].startswith("perfduck: ")):
            return f"no line that says why: {self.error[-200:]!r}"
        if self.code == 2 and sum("expected" in line for line in lines if _WAITS not in line) > 1:
            return f"more than one line: {self.error[-300:]}"
        return None


def perfduck(
    *words: str | bytes,
    out: Path | int | None = None,
    after_s: float | None = None,
    folder: Path | None = None,
    tmpdir: Path | None = None,
    has_network: bool = True,
    by: int = signal.SIGKILL,
) -> Done:
    """Run a command to its end, or kill it `by` a signal after some time, in a process that is
    forked off this one: all is loaded already. `out` is what it writes to: a file, or -1: nothing
    that is open."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            _become(words, answer.fileno(), errors.fileno(), out, folder, tmpdir, has_network)
        code = _ended(child, TIMEOUT_S if after_s is None else after_s, by)
        answer.seek(0)
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace")
        return Done(code, answer.read(), said, time.monotonic() - start)


def _become(
    words: tuple[str | bytes, ...],
    answer: int,
    errors: int,
    out: Path | int | None,
    folder: Path | None,
    tmpdir: Path | None,
    has_network: bool,
) -> NoReturn:
    try:
        os.setsid()
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(errors, 2)
        if out == -1:
            os.close(1)
        else:
            os.dup2(os.open(out, os.O_WRONLY) if isinstance(out, Path) else out or answer, 1)
        if folder:
            os.chdir(folder)
        if tmpdir:
            os.environ["TMPDIR"], tempfile.tempdir = str(tmpdir), None
        if not has_network:
            ctypes.CDLL(None).unshare(0x40000000)  # CLONE_NEWNET
        sys.stdout, sys.stderr = _stream(1), _stream(2)
        sys.argv = ["perfduck", *map(os.fsdecode, words)]
        main.main()
    finally:
        os._exit(77)  # main() does not return


def _stream(number: int) -> TextIO | None:
    """As Python opens it at its start."""
    try:
        return os.fdopen(number, "w", closefd=False)
    except OSError:
        return None


def _ended(child: int, limit_s: float, by: int) -> int:
    """Its exit code. What goes on for a minute after the signal is killed."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.killpg(child, by)
    if by != signal.SIGKILL:
        return _ended(child, TIMEOUT_S, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def made_store(path: Path) -> None:
    """A store with three runs a side of the demo."""
    for side in ("native", "docker0-nat"):
        for run in (1, 2, 3):
            name = f"{side}.udp64.{run}"
            done = perfduck("ingest", str(DEMO / f"{name}.txt.xz"), "--work-from",
                            str(DEMO / f"{name}.iperf3.json"), "--label", f"scenario={side}",
                            "--store", str(path))  # fmt: skip
            assert done.code == 0, done.error


def digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes()).hexdigest()


# Damaged stores


def cut(raw: bytearray, chance: random.Random) -> str:
    size = chance.choice([0, 1, 7, 11, 12, 4095, 4096, 8192, 12288, chance.randrange(len(raw))])
    del raw[size:]
    return f"cut to {size} bytes"


def flip(raw: bytearray, chance: random.Random) -> str:
    places = [chance.randrange(len(raw)) for _ in range(chance.choice([1, 1, 2, 16]))]
    for place in places:
        raw[place] ^= 1 << chance.randrange(8)
    return f"bits turned at {places}"


def flip_header(raw: bytearray, chance: random.Random) -> str:
    place = chance.randrange(3 * 4096)
    raw[place] ^= 1 << chance.randrange(8)
    return f"bit turned at {place}, in the headers"


def zero(raw: bytearray, chance: random.Random) -> str:
    start, size = chance.randrange(len(raw)), chance.choice([8, 512, 4096, 1 << 18])
    raw[start : start + size] = bytes(len(raw[start : start + size]))
    return f"{size} zeros at {start}"


def noise(raw: bytearray, chance: random.Random) -> str:
    start, size = chance.randrange(len(raw)), chance.choice([8, 64, 4096, 1 << 18])
    raw[start : start + size] = chance.randbytes(len(raw[start : start + size]))
    return f"{size} random bytes at {start}"


def swap(raw: bytearray, chance: random.Random) -> str:
    block = 1 << 18
    last = max((len(raw) - 12288) // block, 2)
    one, other = (12288 + block * place for place in chance.sample(range(last), 2))
    raw[one : one + block], raw[other : other + block] = (
        raw[other : other + block],
        raw[one : one + block],
    )
    return f"blocks at {one} and {other} swapped"


def longer(raw: bytearray, chance: random.Random) -> str:
    raw += chance.randbytes(chance.choice([1, 4096, 1 << 18]))
    return "bytes behind its end"


def number(raw: bytearray, chance: random.Random) -> str:
    place = chance.randrange(0, len(raw) - 8, 8)
    value = chance.choice([0, 1, (1 << 64) - 1, 1 << 63, 1 << 32, len(raw)])
    raw[place : place + 8] = value.to_bytes(8, "little")
    return f"{value} at {place}"


DAMAGE = (cut, flip, flip_header, zero, noise, swap, longer, number)


def damaged(folder: Path, chance: random.Random, times: int) -> Tried:
    """A damaged store is refused in a line, or the damage is where the answer does not look."""
    tried = Tried("damaged store")
    whole, path = folder / "whole.duckdb", folder / "damaged.duckdb"
    made_store(whole)
    raw = whole.read_bytes()
    right = {name: perfduck(*words, "--store", str(whole)) for name, words in READS.items()}
    commands = list({**READS, **WRITES}.items())
    for turn in range(times):
        changed = bytearray(raw)
        what = DAMAGE[turn % len(DAMAGE)](changed, chance)
        path.write_bytes(changed)
        name, words = commands[turn // len(DAMAGE) % len(commands)]
        done = perfduck(*words, "--store", str(path))
        # A diff's codes are right where it is the same diff.
        trouble = done.trouble(*((right[name].code,) if name in right else (0,)))
        if trouble is None and done.code != 2 and name in right and done.out != right[name].out:
            trouble = "another answer without a word"
        tried.note(f"{name}, {what}", trouble)
        for left in folder.glob("damaged.duckdb*"):
            left.unlink()
    return tried


# Odd store paths


def odd_files(folder: Path) -> Iterator[str | bytes]:
    """Things at a path that are no store, or are one under a strange name."""
    made_store(folder / "s.duckdb")
    (folder / "directory").mkdir()
    os.mkfifo(folder / "fifo")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "socket"))
    with sqlite3.connect(folder / "sqlite.db") as connection:
        connection.execute("create table a (b)")
    with duckdb.connect(str(folder / "other.duckdb")) as other:
        other.execute("create table a as select 1 as b")
    with duckdb.connect(str(folder / "no-meta.duckdb")) as other:
        other.execute("create table profile as select 1 as profile_id")
    newer = folder / "newer.duckdb"
    shutil.copy(folder / "s.duckdb", newer)
    with duckdb.connect(str(newer)) as other:
        other.execute("update meta set schema_version = 99")
    pq.write_table(pa.table({"a": [1]}), folder / "t.parquet")
    (folder / "empty").touch()
    (folder / "text").write_text("hello\n")
    (folder / "csv.duckdb").write_text("a,b\n1,2\n")
    (folder / "json.duckdb").write_text('{"a": 1}\n')
    (folder / "zeros.duckdb").write_bytes(bytes(20_000))
    (folder / "magic.duckdb").write_bytes(bytes(8) + b"DUCK" + bytes(20_000))
    (folder / "s.duckdb.gz").write_bytes(gzip.compress((folder / "s.duckdb").read_bytes()))
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to(folder / "nowhere" / "x")
    (folder / "link").symlink_to(folder / "s.duckdb")
    (folder / "to-directory").symlink_to(folder / "directory")
    (folder / "wal.duckdb").write_bytes((folder / "s.duckdb").read_bytes())
    (folder / "wal.duckdb.wal").write_bytes(b"no log" * 100)
    (folder / "tmp.duckdb").write_bytes((folder / "s.duckdb").read_bytes())
    (folder / "tmp.duckdb.tmp").write_text("a file where the folder for spilling would be")
    yield from sorted(path.name for path in folder.iterdir() if not path.name.endswith(".tmp"))
    yield from ("", ".", "..", "/", "-", "~", "nowhere/x.duckdb", "s.duckdb/below", "a/../s.duckdb")
    yield from ("/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/proc/self/mem",
                "/proc/version", "/sys/kernel/x")  # fmt: skip
    yield from (":memory:", ":memory:x", "md:x", "motherduck:x", "postgres:dbname=x", "mysql:x",
                "sqlite:x", "sqlite_scanner:x", "ducklake:x", "duckdb:x", "file:x", "file:///tmp/x",
                "http://127.0.0.1/x", "https://127.0.0.1/x", "s3://b/x", "gcs://b/x", "gs://b/x",
                "r2://b/x", "az://b/x", "abfss://b/x", "hf://datasets/x/y", "HTTP://127.0.0.1/x",
                "quack:x", "delta:x", "iceberg:x")  # fmt: skip
    yield from ("a'b.duckdb", 'a"b.duckdb', "a;b.duckdb", "a b.duckdb", "a\nb.duckdb", "a\x1bb",
                "*.duckdb", "{a,b}.duckdb", "a?b.duckdb", "a%20b.duckdb", "ü.duckdb", "日本.duckdb",
                "x" * 255, "x" * 256, "d/" * 2100 + "x", "$HOME.duckdb", "-x.duckdb",
                "a\\b.duckdb", "a'; drop table profile; --", b"caf\xe9.duckdb", "con", "x.tmp",
                "x.wal")  # fmt: skip


def paths(folder: Path, chance: random.Random, times: int) -> Tried:
    """A path is that of a store, of one that is made, or refused; nothing asks the network."""
    tried = Tried("odd store paths")
    recording = str(DEMO / "native.crr.1.txt.xz")
    for name in odd_files(folder):
        shown = os.fsdecode(name)[:60].encode("unicode_escape").decode()
        option = b"--store=" + os.fsencode(name)
        options: dict[str, Any] = {"folder": folder, "has_network": False}
        done = perfduck("profiles", option, **options)
        tried.note(f"profiles {shown}", done.trouble(0) or _network(done))
        done = perfduck("ingest", recording, "--name", "new", option, **options)
        trouble = done.trouble(0) or _network(done)
        if trouble is None and done.code == 0:
            listed = perfduck("profiles", "new", option, **options)
            trouble = None if listed.code == 0 else f"acknowledged and not there: {listed.error}"
        tried.note(f"ingest {shown}", trouble)
    return tried


def _network(done: Done) -> str | None:
    if "got a prefix" in done.error:
        return None
    words = ('extension "', "Extension", "Could not connect", "Failed to download")
    return next((f"asks the network: {done.error}" for word in words if word in done.error), None)


# Nowhere to write


@contextmanager
def full_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size."""
    place = folder / "disk"
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def stdout(folder: Path, chance: random.Random, times: int) -> Tried:
    """An answer that cannot be written is exit 2 in a line, never a verdict."""
    tried = Tried("stdout full or closed, TMPDIR or store full")
    store = folder / "s.duckdb"
    made_store(store)
    html = [*READS["diff"][:-1], "html"]
    for name, words in {**READS, "diff html": html, "help": ["--help"]}.items():
        line = [*words, *(["--store", str(store)] if name != "help" else [])]
        for where, out in (("full", Path("/dev/full")), ("closed", -1)):
            done = perfduck(*line, out=out)
            tried.note(f"{name}, standard output {where}", _refused(done))
        reading, writing = os.pipe()
        os.close(reading)
        done = perfduck(*line, out=writing)
        os.close(writing)
        tried.note(f"{name}, nobody reads", _refused(done))
    with full_disk(folder, "1m") as disk:
        for recording in ("native.crr.1.txt.xz", "docker0-nat.udp64.2.txt.xz"):
            done = perfduck("ingest", str(DEMO / recording), "--name", "n", "--store",
                            str(disk / "s.duckdb"))  # fmt: skip
            trouble = done.trouble(0)
            if trouble is None and done.code == 0:  # it had room, in the log at least
                kept = _contents(disk / "s.duckdb")
                trouble = None if "n" in kept and isinstance(kept, dict) else f"not there: {kept}"
            tried.note(f"ingest {recording} into a full disk", trouble)
        for left in disk.glob("s.duckdb*"):  # a TMPDIR with no room at all is none to Python
            left.unlink()
        data = DEMO.parent / "perf_data" / "lost" / "recording.data.xz"
        for extra in ([], ["--symbols", str(folder)]):
            done = perfduck("ingest", str(data), *extra, "--store", str(folder / "t.duckdb"),
                            tmpdir=disk)  # fmt: skip
            tried.note(f"TMPDIR full, ingest of packed perf.data {extra}", done.trouble())
    return tried


def _refused(done: Done) -> str | None:
    return done.trouble() if done.code == 2 else f"exit {done.code}: {done.error[-200:]}"


# The fence around user SQL

FENCE = (
    # Files and the network
    "copy (select 1) to '{d}/x'", "copy hit to '{d}/x' (format parquet)",
    "copy (select 1) to '{s}.tmp/x'", "copy (select 1) to '/dev/stdout'",
    "export database '{d}/e'", "import database '{d}/e'", "attach '{d}/y.duckdb'",
    "attach '{d}/y.duckdb' as y (read_only)", "attach ':memory:' as m", "detach s",
    "select * from read_csv('/etc/passwd')", "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')", "select * from read_json('/etc/passwd')",
    "select * from read_parquet('{d}/*.parquet')", "select * from glob('/etc/*')",
    "select * from '/etc/passwd'", "from '{d}/x.csv'", "from 'http://127.0.0.1/x.csv'",
    "select * from read_csv('http://127.0.0.1/x')", "select * from read_text('s3://b/x')",
    "select * from sniff_csv('/etc/passwd')", "select * from parquet_metadata('{d}/t.parquet')",
    "select * from sqlite_scan('{d}/q.db', 'a')", "select * from postgres_scan('', '', '')",
    "install httpfs", "load httpfs", "load '{d}/x.so'", "force install spatial",
    "select * from read_csv_auto('/proc/self/environ')", "select getenv('HOME')",
    "select * from duckdb_secrets()", "create secret (type s3, key_id 'a', secret 'b')",
    "select * from pragma_storage_info('sample')", "select * from query('select 1')",
    "select * from query_table('sample')", "select content from read_text('{s}')",
    # Writing
    "insert into profile select * from profile", "update profile set name = 'x'",
    "delete from sample", "truncate sample", "drop table sample", "drop view hit",
    "create table x (a int)", "create temp table x as select 1", "create view v as select 1",
    "create or replace view hit as select 1", "create macro f() as 1", "create schema x",
    "create sequence q", "create type t as enum ('a')", "create index i on profile (name)",
    "alter table profile rename to p", "comment on table profile is 'x'",
    "insert into profile select * from profile returning *", "merge into profile using profile p"
    " on true when matched then delete", "with x as (delete from sample returning *) from x",
    "vacuum", "analyze", "checkpoint", "force checkpoint", "checkpoint s",
    # Settings, transactions and the process
    "set memory_limit = '1TB'", "set threads = 64", "reset memory_limit",
    "set enable_external_access = true", "set lock_configuration = false",
    "pragma enable_profiling", "pragma memory_limit = '1TB'", "pragma database_list",
    "pragma disable_checkpoint_on_shutdown", "pragma force_checkpoint", "pragma version",
    "call enable_logging()",
    "call enable_logging(storage='file', storage_config={{'path':'{d}/l'}})",
    "call pragma_version()", "call force_checkpoint()", "begin", "commit", "rollback", "abort",
    "begin transaction", "commit; delete from sample", "prepare p as select 1", "execute p",
    "deallocate p", "use memory", "use s", "kill 1", "shutdown", "load json; select 1",
    "set variable x = 1", "explain analyze delete from sample", "explain delete from sample",
    "call start_ui()", "call sql_auto_complete('s')", "select * from test_all_types()",
    # Several statements, none, and no SQL
    "", " ", ";", ";;", "select 1; select 2", "select 1; delete from sample", "-- a comment",
    "/* open", "select '", 'select "', "select $$", "select (", "selec 1", "\\q", ".tables",
    ".shell id", "select\x00 1" .replace("\x00", "\\0"), "\ufeffselect 1", "select 1;--",
    "select * from", "values", "describe", "show tables", "show all tables", "summarize profile",
    "describe hit", "table profile", "pivot sample on cpu using count(*)",
    "unpivot profile on work into name n value v",
    # Values that have no place in a format
    "select interval 3 days", "select '9999-12-31'::date + 1", "select 'infinity'::timestamp",
    "select 'nan'::double, 'inf'::double", "select 170141183460469231731687303715884105727",
    "select 1e400", "select 2::uhugeint ** 100", "select {{'a': [1, null], 'b': {{'c': 2}}}}",
    "select map {{'a': 1}}", "select [[1], []]", "select 'x'::blob", "select uuid()",
    "select '101'::bit", "select time '25:00'", "select timetz '12:00+01'", "select null",
    "select array[1, 2]::int[2]", "select union_value(k := 1)", "select 1 as a, 2 as a",
    'select 1 as ""', 'select 1 as "[/x]"', 'select 1 as "a\nb"', "select chr(27) || '[31m'",
    "select chr(0)", "select 1/0", "select ln(-1)", "select sqrt(-1)", "select 'a'::int",
    "select error('mine')", "select 9223372036854775807 + 1", "select printf('%n')",
    "select timestamp '290000-01-01'", "select date '-5000-01-01'", "select 1::decimal(38, 10)",
    # Without end
    "select count(*) from range(100000000000)", "select * from range(10000000000)",
    "with recursive t as (select 1 as a union all select a + 1 from t) select max(a) from t",
    "select repeat('x', 4000000000)", "select repeat('x', 100000000) from range(1000)",
    "select list(a) from range(1000000000) t(a)",
    "select count(*) from sample a, sample b, sample c",
    "select string_agg(a::varchar) from range(1000000000) t(a)",
    "select a, count(*) from range(3000000000) t(a) group by a order by 2 limit 1",
    "select " + "(" * 2000 + "1" + ")" * 2000, "select " + "-" * 1 + " ".join(["-"] * 3000) + "1",
    "select " + " + ".join(["1"] * 20000), "select 1 where " + " and ".join(["1=1"] * 5000),
    "select regexp_matches(repeat('a', 50000), '(a*)*b')",
    "select levenshtein(repeat('a', 100000), repeat('b', 100000))",
    "select [a for a in range(100000000)]", "select list_sum(range(1000000000))",
)  # fmt: skip


def sql(folder: Path, chance: random.Random, times: int) -> Tried:
    """Every statement answers or is refused; store and folder stay as they are."""
    tried = Tried("sql fence")
    store = folder / "s.duckdb"
    made_store(store)
    (folder / "s.duckdb.tmp").mkdir()
    before = _tree(folder)
    start_s = perfduck("sql", "select 1", "--store", str(store)).seconds
    for turn, pattern in enumerate(FENCE):
        text = pattern.format(d=folder, s=store)
        form = ("json", "csv", "table", "markdown", "parquet")[turn % 5]
        words = ("sql", "--store", str(store), "--format", form, "--timeout", "5", "--", text)
        done = perfduck(*words, folder=folder, has_network=False)
        trouble = done.trouble(0)
        if trouble is None and done.code == 0 and form == "json":
            trouble = _no_json(done.out)
        if trouble is None and done.seconds > 20 + 3 * start_s:
            trouble = f"{done.seconds:.0f} s of 5"
        if _tree(folder) != before:
            trouble = f"changed {sorted(set(_tree(folder)) ^ set(before))} or the store"
            before = _tree(folder)
        tried.note(f"sql --format {form} {text[:80]!r}", trouble)
    return tried


def _no_json(out: bytes) -> str | None:
    try:
        json.loads(out)
    except ValueError as error:
        return f"no JSON: {error}"
    return None


def _tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): digest(path) for path in sorted(files)}


# kill -9


def kills(folder: Path, chance: random.Random, times: int) -> Tried:
    """Killed at any moment: what was acknowledged is there as a whole, the rest not at all."""
    tried = Tried("kill -9 during ingest, edit, rm, tag, merge")
    base, path = folder / "base.duckdb", folder / "s.duckdb"
    made_store(base)
    shutil.copy(base, folder / "other.duckdb")
    assert perfduck("ingest", str(DEMO / "native.crr.2.txt.xz"), "--store",
                    str(folder / "other.duckdb")).code == 0  # fmt: skip
    text = folder / "large.txt"
    with text.open("wb") as file:
        for source in sorted(DEMO.glob("*.txt.xz")):
            file.write(subprocess.run(["xzcat", source], capture_output=True, check=True).stdout)
    manifest = ["--manifest", str(DEMO / "recordings.csv")]
    jobs = {
        "ingest of text": ["ingest", str(text)],
        "ingest of one": ["ingest", str(DEMO / "native.crr.1.txt.xz")],
        "manifest": ["ingest", *manifest],
        "rm": ["rm", "scenario=native"],
        "edit": ["edit", "native.udp64.1", "--name", "renamed"],
        "tag": ["tag"],
        "merge": ["merge", str(folder / "other.duckdb")],
    }
    lasts, after = {}, {}
    for name, words in jobs.items():
        shutil.copy(base, path)
        done = perfduck(*words, "--store", str(path))
        assert done.code == 0, (name, done.error)
        lasts[name], after[name] = done.seconds, _contents(path)
    untouched = _contents(base)
    for turn in range(times):
        name = list(jobs)[turn % len(jobs)]
        shutil.copy(base, path)
        delay = chance.uniform(0.15, 1.1) * lasts[name]
        said = _killed([*jobs[name], "--store", str(path)], delay)
        trouble = _whole(_contents(path), untouched, after[name], said)
        tried.note(f"{name} killed after {delay:.3f} s", trouble)
        for left in folder.glob("s.duckdb*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return tried


def _killed(words: list[str], delay: float) -> list[str]:
    """What it had said by then."""
    out = perfduck(*words, after_s=delay).out
    return [line.partition(":")[0] for line in out.decode().splitlines() if line[:1] != " "]


Contents = dict[str, tuple[object, ...]] | str


def _contents(path: Path) -> Contents:
    """What each profile of the store holds, by its name; or why it cannot be read."""
    text = (
        "select name, count(*), sum(s.count), sum(hash(s.stack_id, s.event, s.comm, s.time_ns)),"
        " (select count(*) from rollup r where r.profile_id = p.profile_id),"
        " (select sum(samples) from event e where e.profile_id = p.profile_id),"
        " sum((select count(*) from stack_blame b where b.stack_id = s.stack_id)),"
        " sum((select count(*) from stack_symbol k where k.stack_id = s.stack_id and is_leaf))"
        " from profile p join sample s using (profile_id) group by name, p.profile_id"
    )
    done = perfduck("sql", text, "--format", "json", "--store", str(path))
    if done.code:
        return done.error
    return {row["name"]: tuple(row.values()) for row in json.loads(done.out)}


def _whole(found: Contents, before: Contents, after: Contents, said: list[str]) -> str | None:
    if isinstance(found, str):
        return f"cannot be read: {found[-200:]}"
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    for name, row in found.items():
        if row not in (before.get(name), after.get(name)):
            return f"half of {name}: {row}"
    missing = [name for name in before if name in after and name not in found]
    lost = [name for name in said if name in after and name not in found]
    if missing or lost:
        return f"lost {missing} {lost}"
    return None


# By name: the attack, and how many times.
Attacks = dict[str, tuple[Callable[[Path, random.Random, int], Tried], int]]
ATTACKS: Attacks = {
    "damaged": (damaged, 240),
    "paths": (paths, 0),
    "stdout": (stdout, 0),
    "sql": (sql, 0),
    "kills": (kills, 210),
}


def attack(attacks: Attacks, about: str | None) -> None:
    """Run those that are named, or all, and exit with 1 where one failed."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("attacks", nargs="*", choices=[*attacks, []])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, help="attacks of the kinds that are made at random")
    given = parser.parse_args()
    for module in LOADED:
        import_module(module)
    results = []
    for name in given.attacks or attacks:
        run, times = attacks[name]
        with tempfile.TemporaryDirectory(prefix="perfduck-attack-") as folder:
            results.append(run(Path(folder), random.Random(given.seed), given.times or times))
    print("| attack | tried | failed |\n| --- | ---: | ---: |")
    for each in results:
        print(f"| {each.area} | {each.count} | {len(each.failures)} |")
    sys.exit(any(each.failures for each in results))


if __name__ == "__main__":
    attack(ATTACKS, __doc__)
