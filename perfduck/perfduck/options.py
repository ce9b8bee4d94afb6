"""Keywords that several methods share."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:  # msgspec takes 0.015 s, and few commands read such files
    from perfduck_model.small_file import UserFile

FilePath = str | os.PathLike[str]
Labels = Mapping[str, str] | Sequence[str]  # by key, or key=value
Files = Mapping[str, FilePath] | Sequence[str]  # by kind, or KIND=FILE


class TagSources(TypedDict, total=False):
    """Files to tag by."""

    rules: FilePath | None  # your own tag rules, CSV or TOML, in front of the shipped ones
    kallsyms: FilePath | None  # /proc/kallsyms of the recorded boot, or System.map
    vmlinux: FilePath | None  # of the recorded kernel, with DWARF
    symbols: FilePath | Sequence[FilePath] | None  # ELF files, or directories of them


class IngestOptions(TagSources, total=False):
    """What is said of recordings, and how they are read."""

    name: str | None  # of one recording; None: from the file's name
    labels: Labels | None
    work: float | None  # how much got done while recording
    unit: str | None  # what `work` counts: packet, request
    work_from: FilePath | None  # report of a load generator, or a counter between two files
    kernel: str | None  # release that ran, where the recording does not say it
    host_files: bool  # whether files of this machine may name addresses of perf.data; True
    inline: bool | None  # whether inlined functions of perf.data are frames; None: where known
    attach: Files | None  # to keep with one recording: {"iptables": path}
    force: bool  # let other work replace that of a stored recording; False
    lenient: bool  # keep a file even if much of it cannot be parsed; False
    event: str | None  # NAME=UNIT that the weights of folded stacks count; None: samples


class RecordingOptions(TypedDict, total=False):
    """How a command is recorded, and what is said of its recordings."""

    labels: Labels | None
    seconds: float | None  # end each run then, by SIGINT
    event: str | Sequence[str] | None  # of perf; None: cpu-clock
    freq: int | None  # samples a second on each CPU; None: 999
    perf_args: str  # more options of perf record
    work: float | None  # how much each run gets done
    unit: str | None  # what `work` counts
    work_from: str | None  # netdev:DEVICE:COUNTER, ethtool:DEVICE:COUNTER, or a file it writes
    netns: str | None  # network namespace whose rules, counters and links are kept
    ignore_failure: bool  # store runs whose command fails; False


def refuse_others(options: Mapping[str, object], known: type) -> None:
    """TypeError for a keyword that no method has: mypy sees it, Python does not."""
    if unknown := options.keys() - known.__annotations__.keys():
        names = ", ".join(known.__annotations__)
        message = f"unexpected keyword argument {min(unknown)!r}, expected one of {names}"
        raise TypeError(message)


def path_of(value: FilePath | None) -> Path | None:
    """The path, if one is given."""
    return None if value is None else Path(value)


def file_of(value: FilePath | None, file: "Callable[[Path], UserFile]") -> "UserFile | None":
    """The file, if one is given; it is not read yet."""
    return None if value is None else file(Path(value))


def places_of(value: FilePath | Sequence[FilePath] | None) -> tuple[Path, ...]:
    """One path or several."""
    several = [value] if isinstance(value, str | os.PathLike) else value or ()
    return tuple(Path(each) for each in several)
