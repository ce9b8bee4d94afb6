"""Changed files, fed to every importer and to every reader of small files.

    python tests/fuzz.py [--seconds 10] [--seed N] [--kind perf-data]... [--inputs N]

An input is a file of the fixtures, changed a few times: bytes, numbers, fields of records, lines,
pieces of another file of its kind, long runs. It must be read, or refused by PerfduckError or
SymbolError in one line, within 5 seconds and 256 MB more memory. Each tenth recording goes into a
store, which a failure must not change. What breaks this is kept in fixtures/fuzz/, where
test_fuzz_corpus.py reads it again; exit code 1.
"""

import argparse
import gzip
import hashlib
import io
import lzma
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from perfduck import attachments, cilium_report, manifest
from perfduck.ingestion import IngestRequest, ingest
from perfduck_diff.engine import budget
from perfduck_ingest import counters
from perfduck_ingest.formats import opened
from perfduck_ingest.importer import ImportOptions
from perfduck_ingest.source import Source
from perfduck_ingest.work import work_from
from perfduck_model.errors import PerfduckError, SymbolError
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.remote.frames import read_frame
from perfduck_symbols import elf, kallsyms
from perfduck_tags import rule_file

FIXTURES = Path(__file__).parents[1] / "fixtures"
FOUND = FIXTURES / "fuzz"
_TABLES = FIXTURES / "perf_data" / "dwarf" / "symbols"  # stacks are unwound by these
_PROFILE = (
    b"x 1 [000] 1.500000: 1001001 cpu-clock: \n\tffffffff821f2fa7 f+0xd7 ([kernel.kallsyms])\n\n"
)
_MOST_SEED = 6000  # bytes: small files find more in a second
_MOST_SECONDS, _MOST_MEMORY = 5.0, 256 << 10
_STORED_EACH = 10
_NUMBERS = (0, 1, -1, 7, 8, 127, 128, 255, 1 << 15, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
            (1 << 62), (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
_WORDS = (b"nan", b"inf", b"1e999", b"-0", b"9" * 25, b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\n\n",
          b"\r\n", b"..", b"/", b"[[", b"{{", b'"', b"\\", b"\t", b" " * 40, b"%s", b"\x1b[31m",
          "\u2028é".encode(), b"PERF_RECORD_LOST", b"<", b"</symbol>", b"&#0;", b"]]>")  # fmt: skip


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    unpack = {".xz": lzma.decompress, ".gz": gzip.decompress}.get(path.suffix)
    return unpack(content) if unpack else content


def _seeds(pattern: str) -> list[bytes]:
    """The files of the fixtures, text cut at the end of a line."""
    found = []
    for path in filter(Path.is_file, sorted(FIXTURES.glob(pattern))):
        content = _unpacked(path)
        if len(content) > _MOST_SEED and b"\0" not in content[:1000]:
            content = content[: content.rindex(b"\n", 0, _MOST_SEED) + 1]
        if len(content) <= 40 * _MOST_SEED:
            found.append(content)
    assert found, pattern
    return found


def _read_recording(path: Path) -> None:
    with Source("fuzzed", io.BytesIO(path.read_bytes())) as source:
        lenient = path.stat().st_size % 2 == 0
        options = ImportOptions(symbol_dirs=(_TABLES,), lenient=lenient)
        for _ in opened(source).batches(options):
            pass


def _read_manifest(path: Path) -> None:
    manifest.requests(path, IngestRequest(source=""))


def _read_counters(path: Path) -> None:
    """What a device counted since there was nothing."""
    kind = "ethtool" if b"NIC" in path.read_bytes() else "netdev"
    with tempfile.NamedTemporaryFile("w") as before:
        before.write("NIC statistics:\n rx_packets: 0\neth0: 0 0\n")
        before.flush()
        counters.work_between(f"{kind}:eth0:rx_packets:{before.name}:{path}")


def _read_perfdash(path: Path) -> None:
    """The results of a report of Cilium, beside a profile of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "netperf_TCP_RR_pod-to-pod_other-node_client.perf").write_bytes(_PROFILE)
        (folder / "NetworkPerformance_benchmark_x.json").write_bytes(path.read_bytes())
        cilium_report.requests(folder, IngestRequest(source=""), len)


def _read_elf(path: Path) -> None:
    opened_elf = elf.open_elf(path)
    try:
        opened_elf.functions()
    except elf.BROKEN as error:  # as who asks for functions does
        raise elf.damaged(path, error) from error


def _read_rules(path: Path) -> None:
    rule_file.read(rule_file.file_of(path))


def _read_kallsyms(path: Path) -> None:
    kallsyms.read(kallsyms.file_of(path))


def _read_frame(path: Path) -> None:
    try:
        read_frame(path.read_bytes())
    except ValueError as error:  # as whoever asks a server does
        raise PerfduckError(str(error)) from error


# kind -> where its seeds are, and what reads it.
KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "perf-script": ("perf_script*/*/input.txt.xz", _read_recording),
    "perf-data": ("perf_data/*/*.data.xz", _read_recording),
    "oprofile": ("oprofile/*/session.tar.gz", _read_recording),
    "opreport-text": ("oprofile/*/reports/[lcdo]*.out*", _read_recording),
    "opreport-xml": ("oprofile/*/reports/X*.out*", _read_recording),
    "simpleperf": ("fuzz/seeds/simpleperf*.data", _read_recording),
    "folded": ("folded/*.folded", _read_recording),
    "pprof": ("pprof/*.pb", _read_recording),
    "otlp": ("otlp/*", _read_recording),
    "firefox": ("fuzz/seeds/*.firefox.json", _read_recording),
    "work": ("work/*/input.txt", work_from),
    "iptables": ("demo/*.iptables.txt", lambda path: attachments.read(f"iptables={path}")),
    "conntrack": ("demo/*.conntrack.txt", lambda path: attachments.read(f"conntrack={path}")),
    "bpf": ("bpf/bpf.json", lambda path: attachments.read(f"bpf={path}")),
    "pods": ("fuzz/seeds/*.pods.json", lambda path: attachments.read(f"pods={path}")),
    "counters": ("fuzz/seeds/*.counters.txt", _read_counters),
    "perfdash": ("fuzz/seeds/perfdash.json", _read_perfdash),
    "manifest": ("demo/recordings.csv", _read_manifest),
    "rules.csv": ("../tags/perfduck_tags/data/*.csv", _read_rules),
    "rules.toml": ("fuzz/seeds/*rules.toml", _read_rules),
    "budget": ("fuzz/seeds/*budget.toml", budget.read),
    "kallsyms": ("perf_data/kallsyms.gz", _read_kallsyms),
    "elf": ("elf/*", _read_elf),
    "frame": ("fuzz/seeds/*.arrow", _read_frame),
}
# How often: a recording takes as long as 30 small files.
_WEIGHTS = {kind: 10 for kind, (_, read) in KINDS.items() if read is not _read_recording}
_RECORDINGS = [kind for kind, (_, read) in KINDS.items() if read is _read_recording]


def _changed(content: bytes, other: bytes, choose: random.Random) -> bytes:
    """A few changes, most of them small."""
    made = bytearray(content)
    for _ in range(choose.choice((1, 1, 2, 3, 8))):
        choose.choice(_CHANGES)(made, other, choose)
    return bytes(made)


def _at(made: bytearray, choose: random.Random) -> int:
    # Headers are at the beginning.
    return choose.randrange(min(len(made), choose.choice((64, 600, len(made) or 1))) or 1)


def _flip(made: bytearray, other: bytes, choose: random.Random) -> None:
    if made:
        made[_at(made, choose)] ^= 1 << choose.randrange(8)


def _cut(made: bytearray, other: bytes, choose: random.Random) -> None:
    start = _at(made, choose)
    del made[start : start + choose.choice((1, 4, 8, 100, len(made)))]


def _double(made: bytearray, other: bytes, choose: random.Random) -> None:
    start = _at(made, choose)
    made[start:start] = made[start : start + choose.choice((1, 8, 80, 1000))]


def _number(made: bytearray, other: bytes, choose: random.Random) -> None:
    """A field of one, two, four or eight bytes."""
    form = choose.choice("BHIQ")
    size = struct.calcsize(form)
    at = _at(made, choose) // size * size
    number = choose.choice(_NUMBERS) & ((1 << 8 * size) - 1)
    if at + size <= len(made):
        made[at : at + size] = struct.pack(choose.choice("<>") + form, number)


def _digits(made: bytearray, other: bytes, choose: random.Random) -> None:
    """A number in text."""
    start = _at(made, choose)
    while start < len(made) and not 48 <= made[start] <= 57:
        start += 1
    end = start
    while end < len(made) and 48 <= made[end] <= 57:
        end += 1
    if end > start:
        made[start:end] = str(choose.choice(_NUMBERS)).encode()


def _word(made: bytearray, other: bytes, choose: random.Random) -> None:
    at = _at(made, choose)
    made[at:at] = choose.choice(_WORDS)


def _run(made: bytearray, other: bytes, choose: random.Random) -> None:
    at = _at(made, choose)
    piece = bytes(made[at : at + choose.choice((1, 1, 2, 9))])
    made[at:at] = piece * choose.choice((100, 3000, 20_000))


def _splice(made: bytearray, other: bytes, choose: random.Random) -> None:
    start = choose.randrange(len(other) or 1)
    at = _at(made, choose)
    made[at : at + choose.choice((0, 100))] = other[start : start + choose.choice((8, 200, 4000))]


def _lines(made: bytearray, other: bytes, choose: random.Random) -> None:
    lines = bytes(made).split(b"\n")
    one, two = choose.randrange(len(lines)), choose.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    made[:] = b"\n".join(lines)


_CHANGES = (_flip, _flip, _cut, _double, _number, _number, _digits, _digits, _word, _run, _splice,
            _lines)  # fmt: skip


def _tables(store: DuckDbStore) -> list[tuple[object, ...]]:
    names = [name for (name,) in store.rows("select table_name from duckdb_tables() order by all")]
    return [(name, *row) for name in names for row in store.rows(f'select count(*) from "{name}"')]


def _ingested(store: DuckDbStore, path: Path) -> None:
    """Into a store, which a failure leaves as it was."""
    before = _tables(store)
    try:
        ingest(store, IngestRequest(str(path)))
    except (PerfduckError, SymbolError):
        if _tables(store) != before:
            message = "a failed ingest changed the store"
            raise AssertionError(message) from None
        raise


def read_again(path: Path) -> str:
    """What a kept input does now: '' where it is read, else the one line of the refusal."""
    kind = path.name.split("-", 1)[1].rsplit(".", 1)[0]
    try:
        KINDS[kind][1](path)
    except (PerfduckError, SymbolError) as error:
        return str(error)
    return ""


class Fuzzer:
    """Feeds inputs, and keeps those that break something."""

    def __init__(self, kinds: list[str], folder: Path, kept: Path = FOUND) -> None:
        self._kept = kept
        self.fed, self.refused, self.stored = Counter[str](), Counter[str](), 0
        self.found: list[str] = []
        self._kinds = {kind: _seeds(KINDS[kind][0]) for kind in kinds}
        self._folder = folder
        self._store = DuckDbStore(folder / "fuzz.duckdb", write=True)

    def feed(self, seed: int) -> None:
        """One input, which the seed alone decides."""
        choose = random.Random(seed)
        kind = choose.choices(list(self._kinds), [_WEIGHTS.get(one, 1) for one in self._kinds])[0]
        seeds = self._kinds[kind]
        content = _changed(choose.choice(seeds), choose.choice(seeds), choose)
        path = self._folder / f"fuzzed.{kind.rpartition('.')[2]}"
        path.write_bytes(content)
        read = KINDS[kind][1]
        if kind in _RECORDINGS and choose.randrange(_STORED_EACH) == 0:
            self.stored += 1
            read = self._ingest
        self.fed[kind] += 1
        trouble = self._trouble(read, path, kind)
        if trouble:
            self._keep(kind, seed, content, trouble)

    def _ingest(self, path: Path) -> None:
        _ingested(self._store, path)

    def _trouble(self, read: Callable[[Path], object], path: Path, kind: str) -> str:
        start, memory = time.process_time(), _memory()
        try:
            read(path)
        except (PerfduckError, SymbolError) as error:
            self.refused[kind] += 1
            if "\n" in str(error):
                return f"a message of several lines: {error}"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return traceback.format_exc()
        seconds, more = time.process_time() - start, _memory() - memory
        if seconds > _MOST_SECONDS or more > _MOST_MEMORY:
            return f"{seconds:.1f} s and {more >> 10} MB more"
        return ""

    def _keep(self, kind: str, seed: int, content: bytes, trouble: str) -> None:
        place = trouble.strip().splitlines()[-1][:100]
        if place in self.found:
            return
        self.found.append(place)
        self._kept.mkdir(exist_ok=True)
        name = f"{hashlib.sha256(content).hexdigest()[:8]}-{kind}.input"
        (self._kept / name).write_bytes(content)
        print(f"seed {seed}: {kind}, kept as fixtures/fuzz/{name}\n{trouble}", flush=True)


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--inputs", type=int, default=1 << 62)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 48))
    parser.add_argument("--kind", action="append", choices=KINDS)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    end = time.monotonic() + given.seconds
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(given.kind or list(KINDS), Path(folder))
        seed = given.seed
        while time.monotonic() < end and seed < given.seed + given.inputs:
            fuzzer.feed(seed)
            seed += 1
    for kind, count in fuzzer.fed.items():
        print(f"{kind:14} {count:8,} inputs, {fuzzer.refused[kind]:8,} refused")
    total = sum(fuzzer.fed.values())
    print(f"{total:,} inputs, {fuzzer.stored:,} into a store, {len(fuzzer.found)} found")
    return 1 if fuzzer.found else 0


if __name__ == "__main__":
    sys.exit(main())
