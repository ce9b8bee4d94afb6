"""Every command at odd store paths, with nowhere to write, and killed.

    python bench/attack_commands.py [places] [outputs] [disks] [kills] [--seed N] [--times N]

Right is the same as in attacks.py, whose odd paths and processes these are. `places`: every command
that takes --store at a path of odd_files; those that only ask make no file. `outputs`: standard
output full, closed, or read by nobody. `disks`: no room for the store or in TMPDIR. `kills`:
SIGKILL and SIGINT at any moment of an import of each format, of merge, prune and attach.
"""

import gzip
import lzma
import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from attacks import (
    DEMO,
    READS,
    SIDES,
    WRITES,
    Attacks,
    Contents,
    Done,
    Tried,
    _contents,
    _network,
    _whole,
    attack,
    full_disk,
    made_store,
    odd_files,
    perfduck,
)

FIXTURES = DEMO.parent
SERVES_S = 6.0  # then it is killed
QUESTIONS = {
    **READS,
    "top, text": ["top", "*"],
    "top, markdown": ["top", "*", "--by", "subsystem", "--format", "markdown"],
    "diff, text": ["diff", *SIDES],
    "diff, markdown": ["diff", *SIDES, "--format", "markdown"],
    "diff, junit": ["diff", *SIDES, "--format", "junit"],
    "diff, html": ["diff", *SIDES, "--format", "html"],
    "compare, text": ["compare", "*", "--over", "scenario"],
    "trend": ["trend", "*", "--over", "scenario"],
    "trend, csv": ["trend", "*", "--over", "scenario", "--format", "csv"],
    "trend, html": ["trend", "*", "--over", "scenario", "--format", "html"],
    "export, pprof": ["export", "*", "--format", "pprof"],
    "export, speedscope": ["export", "*", "--format", "speedscope"],
    "export, html": ["export", "*", "--format", "html"],
    "export of two": ["export", SIDES[1], "--base", SIDES[0]],
    "budget": ["budget", "suggest", SIDES[0]],
    "sql, table": ["sql", "select * from profile"],
    "sql, parquet": ["sql", "select * from sample", "--format", "parquet"],
    "noise list": ["noise", "list"],
    "token list": ["token", "list"],
    "mcp": ["mcp"],
}
# OTHER represents the path of another store.
CHANGES = {
    **WRITES,
    "attach": ["attach", "*", f"iptables={DEMO / 'docker0-nat.crr.1.iptables.txt'}"],
    "prune": ["prune", "*", "--older-than", "90d"],
    "merge": ["merge", "OTHER"],
    "symbols add": ["symbols", "add", str(FIXTURES / "perf_data/symfs/tmp/perfduck-fixture/spin")],
    "noise forget": ["noise", "forget", "--all"],
    "token add": ["token", "add", "ci", "--scope", "push"],
    "token revoke": ["token", "revoke", "ci"],
    "push": ["push", "spool"],
    "record": ["record", "--seconds", "0.1", "--", "true"],
    "ab": ["ab", "--base", "true", "--new", "true", "--runs", "1"],
    "manifest": ["ingest", "--manifest", str(DEMO / "recordings.csv")],
    "ingest of folded": ["ingest", str(FIXTURES / "folded" / "net-chain.inferno.folded")],
    "ingest of pprof": ["ingest", str(FIXTURES / "pprof" / "cpu.pb")],
    "ingest of OTLP": ["ingest", str(FIXTURES / "otlp" / "cpu.pb")],
    "serve": ["serve", "--listen", "127.0.0.1:0"],
}
COMMANDS = {**QUESTIONS, **CHANGES}


def _words(name: str, other: Path) -> list[str]:
    return [str(other) if word == "OTHER" else word for word in COMMANDS[name]]


def _ran(name: str, done: Done) -> str | None:
    """What is wrong about how a command ended; a server runs until it is killed."""
    if name == "serve" and done.code == -signal.SIGKILL:
        return None
    return done.trouble(0, 1, 3) or _network(done)


# Odd paths


def places(folder: Path, chance: random.Random, times: int) -> Tried:
    """Each command at paths of stores, of none, and of what is none."""
    tried = Tried("odd store paths, every command")
    names = list(odd_files(folder))
    other = folder.with_name(f"{folder.name}.other.duckdb")
    shutil.copy(folder / "s.duckdb", other)
    kept = {path.name: path.read_bytes() if _is_plain(path) else None for path in folder.iterdir()}
    order = list(COMMANDS)
    for turn in range(times):
        if turn % len(order) == 0:
            chance.shuffle(order)
        place, name = names[turn % len(names)], order[turn % len(order)]
        shown = os.fsdecode(place)[:60].encode("unicode_escape").decode()
        done = perfduck(
            *_words(name, other),
            b"--store=" + os.fsencode(place),
            folder=folder,
            has_network=False,
            after_s=SERVES_S if name == "serve" else None,
        )
        trouble, new = _ran(name, done), {path.name for path in folder.iterdir()} - kept.keys()
        if trouble is None and new and (name in QUESTIONS or done.code == 2):
            trouble = f"made {sorted(new)}"
        tried.note(f"{turn}: {name} at {shown}", trouble)
        _restore(folder, kept)
    other.unlink()
    return tried


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _restore(folder: Path, kept: dict[str, bytes | None]) -> None:
    """The folder as it was."""
    for path in folder.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, content in kept.items():
        path = folder / name
        if content is not None and not (path.exists() and path.read_bytes() == content):
            path.write_bytes(content)


# Nowhere to write


def outputs(folder: Path, chance: random.Random, times: int) -> Tried:
    """What cannot be printed is exit 2 in a line; the store can be read then."""
    tried = Tried("standard output full, closed, read by nobody, every command")
    whole, store, other = (folder / f"{name}.duckdb" for name in ("whole", "s", "other"))
    made_store(whole)
    shutil.copy(whole, other)
    for name in COMMANDS:
        line = [*_words(name, other), "--store", str(store)]
        after_s = SERVES_S if name == "serve" else None
        shutil.copy(whole, store)
        prints = perfduck(*line, folder=folder, after_s=after_s).out != b""
        for where in ("full", "closed", "nobody reads"):
            shutil.copy(whole, store)
            reading, writing = os.pipe()
            os.close(reading)
            outs: dict[str, Path | int] = {"full": Path("/dev/full"), "closed": -1}
            done = perfduck(*line, out=outs.get(where, writing), folder=folder, after_s=after_s)
            os.close(writing)
            trouble = _ran(name, done)
            if trouble is None and prints and done.code != 2:
                trouble = f"exit {done.code}: {done.error[-200:]}"
            if trouble is None and isinstance(_contents(store), str):
                trouble = f"the store cannot be read: {_contents(store)}"
            tried.note(f"{name}, standard output {where}", trouble)
    return tried


def disks(folder: Path, chance: random.Random, times: int) -> Tried:
    """No room: exit 2 in a line and the store as it was, or all is done."""
    tried = Tried("no room for the store, or in TMPDIR, every command")
    whole, other = folder / "whole.duckdb", folder / "other.duckdb"
    made_store(whole)
    shutil.copy(whole, other)
    before = _contents(whole)
    size = whole.stat().st_size + (200 << 10)
    for name in COMMANDS:
        for where in ("store", "TMPDIR"):
            with full_disk(folder, str(size)) as disk:
                store = (disk if where == "store" else folder) / "s.duckdb"
                shutil.copy(whole, store)
                if where == "TMPDIR":
                    (disk / "full").write_bytes(bytes((size >> 12) - 8 << 12))
                done = perfduck(
                    *_words(name, other), "--store", str(store), folder=folder,
                    tmpdir=disk if where == "TMPDIR" else None,
                    after_s=SERVES_S if name == "serve" else None,
                )  # fmt: skip
                trouble, kept = _ran(name, done), _contents(store)
                if trouble is None and done.code == 2 and kept != before:
                    trouble = f"the store has changed: {kept}"
                if trouble is None and isinstance(kept, str):
                    trouble = f"the store cannot be read: {kept}"
            tried.note(f"{name}, no room: {where}", trouble)
            for left in folder.glob("s.duckdb*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    return tried


# Killed


def _recordings(folder: Path) -> Iterator[tuple[str, Path]]:
    """Large ones of each format."""
    text = b"".join(
        lzma.decompress(path.read_bytes()) for path in sorted(DEMO.glob("native.crr.*.xz"))
    )
    yield "text", _written(folder / "text.txt", text)
    data = FIXTURES / "perf_data" / "lost" / "recording.data.xz"
    yield "perf.data", _written(folder / "perf.data", lzma.decompress(data.read_bytes()))
    yield "operf", FIXTURES / "oprofile" / "pod-callgraph-q" / "session.tar.gz"
    report = FIXTURES / "oprofile" / "app-flat" / "reports" / "l.out.gz"
    yield "opreport", _written(folder / "l.out", gzip.decompress(report.read_bytes()))
    yield "opreport XML", report.with_name("X-d.out.gz")
    folded = (f"app;main;f{n % 977};g{n % 7919};h{n} {n % 50 + 1}\n" for n in range(150_000))
    yield "folded", _written(folder / "large.folded", "".join(folded).encode())
    store = folder / "large.duckdb"
    assert perfduck("ingest", str(folder / "large.folded"), "--store", str(store)).code == 0
    done = perfduck("export", "*", "--format", "pprof", "--store", str(store))
    yield "pprof", _written(folder / "large.pb.gz", done.out)
    store.unlink()
    message = (FIXTURES / "otlp" / "cpu.jsonl").read_bytes()
    yield "OTLP", _written(folder / "large.jsonl", message * 4000)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def kills(folder: Path, chance: random.Random, times: int) -> Tried:
    """Killed at any moment: all that was acknowledged is there, of the rest all or nothing."""
    tried = Tried("SIGKILL and SIGINT during imports of each format, merge, prune, attach")
    base, path = folder / "base.duckdb", folder / "s.duckdb"
    made_store(base)
    other = Path(shutil.copy(base, folder / "other.duckdb"))
    assert perfduck("ingest", str(DEMO / "flannel-vxlan.crr.2.txt.xz"), "--store",
                    str(other)).code == 0  # fmt: skip
    jobs = {f"ingest of {name}": ["ingest", str(file)] for name, file in _recordings(folder)}
    jobs |= {"merge": ["merge", str(other)], "prune": ["prune", SIDES[0], "--older-than", "0h"],
             "attach": CHANGES["attach"]}  # fmt: skip
    untouched, lasts, after = _contents(base), dict[str, float](), dict[str, Contents]()
    for name, words in jobs.items():
        shutil.copy(base, path)
        done = perfduck(*words, "--store", str(path))
        assert done.code == 0, (name, done.error)
        lasts[name], after[name] = done.seconds, _contents(path)
    for turn in range(times):
        name = list(jobs)[turn % len(jobs)]
        shutil.copy(base, path)
        delay = chance.uniform(0.1, 1.1) * lasts[name]
        number = chance.choice([signal.SIGKILL, signal.SIGINT])
        done = perfduck(*jobs[name], "--store", str(path), after_s=delay, by=number)
        said = [line.partition(":")[0] for line in done.out.decode().splitlines()]
        trouble = _whole(_contents(path), untouched, after[name], said)
        if (
            trouble is None
            and number == signal.SIGINT
            and done.code not in (0, 130, -signal.SIGINT)
        ):
            trouble = f"exit {done.code} after Ctrl-C: {done.error[-200:]}"
        if trouble is None and "Traceback" in done.error:
            trouble = done.error[-300:]
        tried.note(f"{name}, {signal.Signals(number).name} after {delay:.3f} s", trouble)
        for left in folder.glob("s.duckdb*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return tried


ATTACKS: Attacks = {
    "places": (places, 800),
    "outputs": (outputs, 0),
    "disks": (disks, 0),
    "kills": (kills, 360),
}

if __name__ == "__main__":
    attack(ATTACKS, __doc__)
