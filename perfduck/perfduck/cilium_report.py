"""The report directory of `cilium connectivity perf --kernel-profiles --report-dir DIR`: what perf
script printed on each node during each test, and beside it a result of all tests for perfdash.

    NetworkPerformance_benchmark_2025-03-21T10:11:12Z.json
      {"version": "v1", "dataItems": [
        {"data": {"Throughput": 23010.5}, "unit": "ops/s",
         "labels": {"metric": "TransactionRate", "test_type": "netperf-TCP_RR",
                    "scenario": "pod-to-pod", "node": "other-node"}}, ...]}

Each profile is a recording with these labels. Its work is the rate of its test over the time of
the profile, which is shorter than the test (cilium-cli/connectivity/perf: common/metrics.go,
benchmarks/profiler/profiler.go). Which test a profile is of is in its file's name; one whose test
is not in it once, or has several results, is stored without work, and that is said, as are files
that are no profiles.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from perfduck.ingestion import IngestRequest
from perfduck_ingest.load_reports.amount import Work, of
from perfduck_model.errors import PerfduckError
from perfduck_model.small_file import json_of, reason, text_of
from perfduck_model.special_files import what_is
from perfduck_model.words import listed

_RESULTS = "NetworkPerformance_benchmark_*.json"
_RATES = {
    "TransactionRate": ("transaction", 1.0),
    "Throughput": ("byte", 1e6 / 8),
}  # of ops/s, Mb/s
_TIME = re.compile(rb"\[\d+\]\s+(\d+\.\d{6,9}):")  # of an event line of perf script
_HEAD_BYTES, _TAIL_BYTES = 1 << 16, 1 << 20
_MOST_SHOWN = 5  # files in a note
_ROLES = ("client", "server")


@dataclass(frozen=True, slots=True)
class PerfdashItem:
    """A result: `data` by bucket, `labels` say of what."""

    data: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> tuple[str, ...]:
        """What names of files have of it: test, scenario, node."""
        test = self.labels.get("test_type", "").partition("-")[2]
        words = (test, self.labels.get("scenario", ""), self.labels.get("node", ""))
        return tuple(_plain(word) for word in words if word)


class PerfdashReport(msgspec.Struct):
    """The part of the results that is read."""

    items: list[PerfdashItem] = msgspec.field(name="dataItems", default_factory=list)


def is_report(folder: Path) -> bool:
    """Whether the directory is one of Cilium's."""
    return folder.is_dir() and any(folder.glob(_RESULTS))


def requests(
    folder: Path, template: IngestRequest, note: Callable[[str], object]
) -> list[IngestRequest]:
    """A request for each profile, with the options and labels of the template."""
    items = [item for path in sorted(folder.glob(_RESULTS)) for item in _items(path)]
    files = sorted(path for path in folder.iterdir() if not path.match(_RESULTS))
    profiles = [path for path in files if path.is_file() and _is_profile(path)]
    if not profiles:
        raise PerfduckError.at(
            folder, expected="profiles (cilium connectivity perf --kernel-profiles)", got="none"
        )
    if others := [path.name for path in files if path not in profiles]:
        note(f"left out: no text of perf script with times in {listed(others, _MOST_SHOWN)}")
    return [_request(path, template, items, note) for path in profiles]


def _items(path: Path) -> list[PerfdashItem]:
    if not path.is_file():  # to open a FIFO waits
        raise PerfduckError.at(path, expected="results for perfdash", got=what_is(path))
    try:
        return json_of(text_of(path), PerfdashReport).items
    except (OSError, ValueError) as error:
        raise PerfduckError.at(path, expected="results for perfdash", got=reason(error)) from error


def _is_profile(path: Path) -> bool:
    with path.open("rb") as file:
        return _TIME.search(file.read(_HEAD_BYTES)) is not None


def _request(
    path: Path,
    template: IngestRequest,
    items: list[PerfdashItem],
    note: Callable[[str], object],
) -> IngestRequest:
    rates = [each for each in items if each.labels.get("metric") in _RATES and _is_of(path, each)]
    work, labels = template.work, dict(template.labels)
    if len(rates) == 1:
        labels = {"workload": "-".join(rates[0].words[:1]), **_labels(rates[0]), **labels}
        if work is None and (work := _work(rates[0], path)) is None:
            rate = f"{rates[0].data.get('Throughput', 0.0):g}"
            note(f"{path.name}: expected a rate above 0, got {rate}: stored without work")
    else:
        got = "none" if not rates else f"{len(rates)}"
        note(f"{path.name}: expected one result of its test, got {got}: stored without work")
    role = next((role for role in _ROLES if role in path.stem.lower()), None)
    if role:
        labels = {"role": role, **labels}
    name = f"{template.name or path.parent.resolve().name}.{path.stem}"
    return replace(template, source=str(path), name=name, work=work, labels=labels)


def _labels(item: PerfdashItem) -> dict[str, str]:
    return {key: value for key, value in item.labels.items() if key in ("scenario", "node")}


def _is_of(path: Path, item: PerfdashItem) -> bool:
    name = f"-{_plain(path.stem)}-"
    return bool(item.words) and all(f"-{word}-" in name for word in item.words)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _work(item: PerfdashItem, path: Path) -> Work | None:
    unit, factor = _RATES[item.labels["metric"]]
    return of(item.data.get("Throughput", 0.0) * factor * _seconds(path), unit)


def _seconds(path: Path) -> float:
    """From the first to the last sample."""
    with path.open("rb") as file:
        first = _TIME.search(file.read(_HEAD_BYTES))
        file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
        times = _TIME.findall(file.read())
    return float(times[-1]) - float(first[1]) if first and times else 0.0
