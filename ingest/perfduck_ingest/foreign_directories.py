"""What a directory or an archive is that is no recording, and what to do: see foreign.py."""

from pathlib import Path

from perfduck_ingest.foreign import RECORD, XCTRACE

# Files of a directory (globs, all of them) -> what it is, and what to do with DIR.
DIRECTORIES = [
    (("data", "kcore_dir*"), "a directory of `perf record --kcore`", "ingest DIR/data"),
    (("*.vtune",), "a result of VTune", RECORD),
    (("metadata", "*_0"), "a trace of LTTng (CTF)", f"it has trace events; {RECORD}"),
    (("form.template",), "a trace of Instruments", XCTRACE.format("DIR")),
    (("corespace",), "a trace of Instruments", XCTRACE.format("DIR")),
    (("Trace*.run",), "a trace of Instruments", XCTRACE.format("DIR")),
    ((".build-id",), "a directory of symbols by build id", "give it with --symbols DIR"),
    (("*perf.data*",), "a directory with recordings", "ingest the files in it: DIR/*perf.data*"),
]


def manifest(path: Path) -> Path | None:
    """The manifest of a directory: its first CSV with a column `file`."""
    return next((each for each in sorted(path.glob("*.csv")) if _names_files(each)), None)


def _names_files(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return "file" in [name.strip(' "') for name in file.readline(10_000).strip().split(",")]
    except OSError:
        return False


def directory(path: Path) -> str | None:
    """What a directory is, by the files in it."""
    for globs, what, do in DIRECTORIES:
        if all(next(path.glob(glob), None) is not None for glob in globs):
            return f"{what}: {do.replace('DIR', str(path))}"
    return None


def archive(paths: list[str], recordings: list[str]) -> str | None:
    """What a tar archive is, by the paths in it and those of them that begin as perf.data."""
    if any(".build-id/" in path for path in paths):
        do = "unpack it into DIR and give --symbols DIR beside the recording"
        return f"symbols that `perf archive` packed: {do}"
    if recordings:
        do = f"read it with `tar -xOf FILE {recordings[0]} | perfduck ingest -`"
        return f"an archive with perf.data: {do}"
    return None
