"""Recordings for lakes, and what a lake holds as the rows of a file."""

from pathlib import Path

from command import run_text
from test_remote_commands import rows_of

from perfduck_store.lake.store import LakeStore

_FRAME = "\tffffffff810000{:02x} {} ([kernel.kallsyms])\n"


def script(run: int, samples: int = 20) -> str:
    """perf script text; that of each run has its own times, and all have the same call chains."""
    texts = []
    for number in range(samples):
        time = f"{run}.{number:06}"
        head = f"app  7/7  [000] {time}:  1000 cpu-clock: \n"
        leaf = ("memcpy", "udp_sendmsg", "nf_hook_slow", "__schedule")[number % 4]
        chain = [leaf, *("ip_output", "do_syscall_64")[number % 3 :]]
        frames = [_FRAME.format(place, f"{name}+0x0") for place, name in enumerate(chain)]
        texts.append(head + "".join(frames) + "\n")
    return "".join(texts)


def written(folder: Path, runs: int, samples: int = 20) -> list[Path]:
    """Files with recordings: run-0.txt, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"run-{run}.txt" for run in range(runs)]
    for run, path in enumerate(paths):
        path.write_text(script(run, samples))
    return paths


def say(*words: str | Path) -> str:
    """What a command prints that succeeds."""
    done = run_text(words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def line(*words: str | Path) -> str:
    """The one line of a command that is refused."""
    done = run_text(words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    return done.stderr


def rows_of_lake(lake: Path | str, tmp: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, without when they were stored."""
    copy = tmp / "copy-of-lake.duckdb"
    copy.unlink(missing_ok=True)
    with LakeStore(lake, write=True, create=False) as store:  # a reader has no table of samples
        store.load()
        store.copy_to(copy)
    return rows_of(copy)
