"""Where the recording is in a tree of files, and what it says of itself.

    oprofile_data/abi                              how the writing machine lays out sample files
    oprofile_data/samples/operf.log                times and totals, appended to at every run
    oprofile_data/samples/current/{root}/...       the sample files
    oprofile_data/samples/current/stats/lost_...   what was lost, a number each
    oprofile_data/samples/previous/...             the run before: another recording

An `oparchive` tree holds the same below var/lib/oprofile, and beside it the images and a copy of
/proc/kallsyms.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

import xxhash

from perfduck_ingest import foreign_directories
from perfduck_ingest.oprofile.files import Files, open_files, under
from perfduck_ingest.oprofile.sample_file import HeaderLayout, layout_of_abi
from perfduck_ingest.runtime.subprocess_iter import PERF_DATA
from perfduck_ingest.source import ReadProgress, Source
from perfduck_model.errors import PerfduckError

_SAMPLES = re.compile(r"(?P<root>(?:[^{]*?/)??)samples/(?P<name>[^/{]+)/\{(?:root|kern)\}/.")
_ARCHIVE = re.compile(r"(?P<top>(?:.*/)?)var/lib/oprofile/")
_STATISTIC = re.compile(r"Nr\. (?P<text>[^:]+): (?P<number>\d{1,18})\s*")
_TIME = re.compile(r"Profiling (?P<what>started|stopped) at (?P<time>.+)")
_SAMPLES_TEXT = "non-backtrace samples"


@dataclass(frozen=True, slots=True)
class Log:
    """The last run that operf.log tells of: times as the recording machine's clock showed them."""

    started_at: datetime | None = None
    duration_s: float | None = None
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def samples(self) -> int | None:
        """How many samples operf says it wrote."""
        return self.numbers.get(_SAMPLES_TEXT)


@dataclass(frozen=True, slots=True)
class OprofileSession:
    """One recording among `files`. `root` and `archive` are prefixes of paths, '' or '.../'."""

    files: Files
    root: str
    name: str
    archive: str | None

    @property
    def samples(self) -> str:
        """The prefix of the sample files."""
        return f"{self.root}samples/{self.name}/"

    @property
    def sample_paths(self) -> list[str]:
        """Everything below the session but the statistics, sorted."""
        start = len(self.samples)
        paths = (path[start:] for path in under(self.files, self.samples))
        return [path for path in paths if path.startswith(("{root}/", "{kern}/"))]

    def holds(self, path: str) -> bool:
        """Whether there is a file at `path` below the session."""
        return self.samples + path in self.files.contents

    def read(self, path: str) -> bytes:
        """The file at `path` below the session."""
        return self.files.read(self.samples + path)

    def archived(self, path: str) -> bytes | None:
        """The copy of an absolute path that oparchive made."""
        place = f"{self.archive}{path.lstrip('/')}"
        if self.archive is None or place not in self.files.contents:
            return None
        return self.files.read(place)

    def abi(self) -> HeaderLayout | None:
        """The layout of the writing machine, where it is said."""
        text = self._text(f"{self.root}abi")
        return layout_of_abi(text) if text is not None else None

    def log(self) -> Log:
        """What operf.log says of the last run."""
        return parse_log(self._text(f"{self.root}samples/operf.log") or "")

    def lost(self) -> int:
        """Samples lost, as the files below stats/ count them."""
        pattern = re.compile(rf"(?:.*/)?samples/{re.escape(self.name)}/stats/(?:.*/)?\w*lost\w*")
        counts = [self._text(path) or "" for path in self.files.contents if pattern.fullmatch(path)]
        return sum(int(count) for count in counts if re.fullmatch(r"\d{1,18}\s*", count))

    def throttled(self) -> list[str]:
        """Events of which the kernel dropped samples because they came too fast."""
        pattern = re.compile(
            rf"(?:.*/)?samples/{re.escape(self.name)}/stats/throttled/(?P<event>[^/]+)"
        )
        matches = (pattern.fullmatch(path) for path in self.files.contents)
        return sorted({match["event"] for match in matches if match})

    def read_progress(self) -> ReadProgress:
        """The content of this session, all of it: the same for a directory and an archive of it,
        with or without other files beside it."""
        digest, size = xxhash.xxh3_128(), 0
        about = [f"{self.root}abi", f"{self.root}samples/operf.log"]
        for path in [*about, *under(self.files, self.samples)]:
            if path in self.files.contents:
                content = self.files.read(path)
                name = path[len(self.root) :].encode("utf-8", "surrogateescape")
                digest.update(b"%s\0%d\0" % (name, len(content)))
                digest.update(content)
                size += len(content)
        return ReadProgress(size, size, digest.hexdigest())

    def _text(self, path: str) -> str | None:
        if path not in self.files.contents:
            return None
        return self.files.read(path).decode("utf-8", "replace")


def open_session(source: Source) -> OprofileSession:
    """The one recording that `source` holds: `current`, or the only one there is. A directory may
    be the session itself: oprofile_data/samples/previous."""
    directory, session_name = source.path, "current"
    if source.is_directory and directory.resolve().parent.name == "samples":
        directory = directory.resolve()
        directory, session_name = directory.parent.parent, directory.name
    return _find(source.name, open_files(source, directory), session_name)


def _no_session(files: Files) -> str:
    names = sorted(files.contents)
    rest = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f"none, but {', '.join(names[:3])}{rest}" if names else "none"


def _find(name: str, files: Files, wanted: str) -> OprofileSession:
    matches = (_SAMPLES.match(path) for path in files.contents)
    sessions = {match.group("root", "name") for match in matches if match}
    candidates = sorted(one for one in sessions if one[1] == wanted) or sorted(sessions)
    if len(candidates) == 1:
        root, session = candidates[0]
        archive = _ARCHIVE.fullmatch(root)
        return OprofileSession(files, root, session, archive["top"] if archive else None)
    got = ", ".join(f"{root}samples/{session}" for root, session in candidates[:5])
    got = got or _other_archive(files) or _no_session(files)
    raise PerfduckError.at(
        name, expected="one OProfile session (samples/current/{root}/...)", got=got
    )


def _other_archive(files: Files) -> str | None:
    paths = [*files.contents, *files.left_out]
    recordings = (path for path in files.contents for magic in PERF_DATA
                  if files.is_in_archive(path, magic))  # fmt: skip
    return foreign_directories.archive(paths, list(recordings))


def parse_log(text: str) -> Log:
    """The last run of an operf.log: earlier runs belong to sessions that were moved away."""
    last = text[text.rfind("Profiling started at") :] if "Profiling started at" in text else text
    times = {match["what"]: _time(match["time"]) for match in _TIME.finditer(last)}
    started, stopped = times.get("started"), times.get("stopped")
    return Log(
        started,
        (stopped - started).total_seconds() if started and stopped else None,
        {match["text"]: int(match["number"]) for match in _STATISTIC.finditer(last)},
    )


def _time(text: str) -> datetime | None:
    """`Mon Nov 23 01:26:06 2026`, in any locale of this machine."""
    try:
        _, month, day, clock, year = text.split()
        number = [
            "Jan",
            "Feb",
            "Mar",
            "Apr",
            "May",
            "Jun",
            "Jul",
            "Aug",
            "Sep",
            "Oct",
            "Nov",
            "Dec",
        ].index(month) + 1
        return datetime.fromisoformat(f"{int(year):04}-{number:02}-{int(day):02}T{clock}")
    except ValueError:
        return None
