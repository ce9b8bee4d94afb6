"""The order of commits in a git repository, by the command `git`."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from perfduck_model.errors import PerfduckError
from perfduck_model.words import listed

_COMMIT = re.compile(r"[0-9a-fA-F]{4,64}")
_LONGEST_S = 120


def commit_places(repo: Path, commits: Sequence[str]) -> Mapping[str, tuple[int, datetime]]:
    """Of each commit its place in the history, parents first, and its committer's time in UTC.
    What the repository does not have is not among them. PerfduckError where it has none of them,
    or DIR is no repository."""
    hashes = {name: full for name in commits if (full := _resolved(repo, name))}
    if not hashes:
        raise PerfduckError.at(
            where=f"--repo {repo}",
            expected="a commit of the profiles",
            got=f"none: {listed(commits)}",
        )
    if len(set(hashes.values())) < len(hashes):
        twice = [name for name, full in hashes.items() if [*hashes.values()].count(full) > 1]
        raise PerfduckError.at(
            where=f"--repo {repo}",
            expected="one name of each commit as label commit",
            got=f"several of one: {listed(twice)}",
        )
    revisions = sorted(set(hashes.values()))
    base = _git(repo, "merge-base", "--octopus", *revisions).split()
    since = [f"^{base[0]}^@"] if base else []
    lines = _git(
        repo, "rev-list", "--topo-order", "--reverse", "--no-commit-header", "--format=%H %ct",
        *revisions, *since,
    ).splitlines()  # fmt: skip
    places = {
        full: (place, _time(repo, full, int(seconds)))
        for place, (full, seconds) in enumerate(line.split() for line in lines)
    }
    return {name: places[full] for name, full in hashes.items()}


def _time(repo: Path, commit: str, seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError) as error:
        raise PerfduckError.at(
            where=f"--repo {repo}",
            expected="committer dates of the years 1 to 9999",
            got=f"{seconds} s since 1970 of commit {commit[:12]}",
        ) from error


def _resolved(repo: Path, name: str) -> str | None:
    """The full hash of a commit; None where the repository has none of this name."""
    if not _COMMIT.fullmatch(name):
        return None
    done = _run(repo, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if done.returncode not in (0, 1):
        raise _refused(repo, done)
    return done.stdout.strip() or None


def _git(repo: Path, *words: str) -> str:
    done = _run(repo, *words)
    if done.returncode and not (words[0] == "merge-base" and not done.stderr):
        raise _refused(repo, done)
    return done.stdout


def _run(repo: Path, *words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(repo), *words],
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
    except FileNotFoundError as error:
        message = "--repo: expected git in the search path, got none"
        raise PerfduckError(message) from error
    except subprocess.TimeoutExpired as error:
        message = f"--repo {repo}: expected an answer of git within {_LONGEST_S} s, got none"
        raise PerfduckError(message) from error


def _refused(repo: Path, done: subprocess.CompletedProcess[str]) -> PerfduckError:
    lines = done.stderr.strip().splitlines() or ["no answer"]
    return PerfduckError.at(where=f"--repo {repo}", expected="a git repository", got=lines[0])
