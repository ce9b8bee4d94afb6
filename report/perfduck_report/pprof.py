"""pprof's profile.proto, packed: for `go tool pprof`, Parca, Pyroscope.

    samples/count  cpu-clock/nanoseconds  cpu-clock/packet in fs/packet
    labels of a sample: profile comm pid tid cpu cgroup netns pod subsystem class blamed
        context direction

Every function has its name, those of the kernel too, and is in the mapping of its binary, with the
build id that the recordings note, else that of the ELF file that was read.
Samples of a base are negative and labelled pprof::base=true, as `pprof -diff_base` makes them, so
that shares are of the base. Messages are written one behind the other: parts of a protobuf message
that follow each other are one message.
"""

import zlib
from collections.abc import Iterator
from datetime import UTC
from itertools import islice
from typing import Any

from perfduck_diff.export_input import ExportInput, ExportRun, ExportSide
from perfduck_model.pprof_schema import Profile, Sample
from perfduck_report.export_frames import ChainTable
from perfduck_report.fine_units import Rounder, common_unit
from perfduck_report.names import visible

_SAMPLES_AT_ONCE = 5000
_OF_ROW = ("comm", "pid", "tid", "cpu", "cgroup", "netns")
_SAMPLES = ("samples", "count")
_UNITS = {"ns": "nanoseconds", "sample": "count", "event": "count"}


def pprof(data: ExportInput) -> Iterator[bytes]:
    """The export, as the file has it, part by part."""
    packer = zlib.compressobj(wbits=31)  # gzip, without a time
    for part in _Writer(data).parts():
        yield packer.compress(part)
    yield packer.flush()


class _Texts(dict[str, int]):
    """The numbers of texts; each is visible."""

    def __init__(self) -> None:
        super().__init__({"": 0})

    def of(self, text: object) -> int:
        return self.setdefault(visible(str(text)), len(self))


class _Writer:
    def __init__(self, data: ExportInput) -> None:
        self._data = data
        self._texts = _Texts()
        self._table = ChainTable(data)
        self._labels: dict[tuple[Any, ...], Any] = {}
        self._subsystems = self._table.functions["subsystem"].to_list()
        self._classes = self._table.functions["class"].to_list()
        # Samples that are the event are no second type of the same name and unit.
        self._first_value = int((data.event, _UNITS.get(data.unit, data.unit)) == _SAMPLES)
        self._fine = common_unit(data.work_unit, data.largest()) if data.work_unit else None

    def parts(self) -> Iterator[bytes]:
        """The messages, without compression."""
        yield self._head().SerializeToString()
        for side in self._data.sides:
            is_base = side is not self._data.sides[-1]
            rounder = Rounder()
            for run, rows in self._data.samples(side):
                yield from self._samples(side, run, rows, rounder, is_base=is_base)
        yield from self._places()
        yield Profile(string_table=list(self._texts)).SerializeToString()

    def _head(self) -> Any:
        texts, event, unit = self._texts, self._data.event, self._data.unit
        types = [_SAMPLES, (event, _UNITS.get(unit, unit))][self._first_value :]
        if self._fine:
            types.append((f"{event}/{self._fine.name.partition('/')[2]}", self._fine.name))
        runs = [run.facts for side in self._data.sides for run in side.runs]
        head = Profile(
            sample_type=[{"type": texts.of(name), "unit": texts.of(of)} for name, of in types],
            period_type={"type": texts.of(event), "unit": texts.of(_UNITS.get(unit, unit))},
            default_sample_type=texts.of(types[-1][0] if self._data.per_work else event),
            comment=[texts.of(line) for line in _comments(self._data)],
        )
        if begun := [each.started_at for each in runs if each.started_at is not None]:
            head.time_nanos = int(min(begun).replace(tzinfo=UTC).timestamp() * 1e6) * 1000
        head.duration_nanos = int(1e9 * sum(each.duration_s or 0.0 for each in runs))
        return head

    def _samples(
        self, side: ExportSide, run: ExportRun, rows: Any, rounder: Rounder, *, is_base: bool
    ) -> Iterator[bytes]:
        """A message for some thousands of rows, which are in the order of their stacks."""
        sign = -1 if is_base else 1
        scale = self._fine.factor / side.amount.divisor if self._fine else None
        last, chain = -1, Sample()
        every = zip(self._table.places(rows["stack_id"]).tolist(), rows.iter_rows(), strict=True)
        while some := list(islice(every, _SAMPLES_AT_ONCE)):
            part = Profile()
            for place, (_, *labels, _, weight, hits) in some:
                if place != last:
                    last, chain = place, self._chain(place)
                sample = part.sample.add()
                sample.MergeFrom(chain)
                sample.MergeFrom(self._labelled(run, tuple(labels), is_base=is_base))
                sample.value.extend((sign * hits, sign * weight)[self._first_value :])
                if scale is not None:
                    sample.value.append(sign * rounder.whole(weight * scale))
            yield part.SerializeToString()

    def _chain(self, place: int) -> Any:
        """A sample with the locations of a chain, and the labels that it has."""
        rows = self._table.leaf_first(place)
        said = {
            "subsystem": self._subsystems[rows[0]],
            "class": self._classes[rows[0]],
            "blamed": self._table.blamed[place],
            "context": self._table.context[place],
            "direction": self._table.direction[place],
        }
        return Sample(location_id=[row + 1 for row in rows], label=self._label_rows(said))

    def _labelled(self, run: ExportRun, values: tuple[Any, ...], *, is_base: bool) -> Any:
        """A sample with the labels of a row alone."""
        key = (run.number, *values)
        if key not in self._labels:
            said = {"profile": run.facts.name, **dict(zip(_OF_ROW, values, strict=True))}
            said["pod"] = self._data.pods.get(said["cgroup"])
            if is_base:
                said["pprof::base"] = "true"
            self._labels[key] = Sample(label=self._label_rows(said))
        return self._labels[key]

    def _label_rows(self, said: dict[str, Any]) -> list[dict[str, int]]:
        """`-tagfocus cpu=0` looks at numbers alone, and of a 0 at its unit alone."""
        count = self._texts.of("count")
        return [
            {"key": self._texts.of(key), "num": value, "num_unit": count}
            if isinstance(value, int)
            else {"key": self._texts.of(key), "str": self._texts.of(value)}
            for key, value in said.items()
            if value is not None
        ]

    def _places(self) -> Iterator[bytes]:
        """Mappings, functions and locations; code without a name is a location alone."""
        texts = self._texts
        mappings: dict[str, int] = {}
        columns = ("name", "dso", "address", "source_file", "build_id")
        for row, (name, dso, address, source, build_id) in enumerate(
            self._table.functions.select(columns).iter_rows(), 1
        ):
            part = Profile()
            if dso not in mappings and dso != "[unknown]":
                mappings[dso] = len(mappings) + 1
                part.mapping.add(
                    id=mappings[dso], filename=texts.of(dso), build_id=texts.of(build_id or ""),
                    has_functions=True,
                )  # fmt: skip
            place = part.location.add(id=row, mapping_id=mappings.get(dso, 0))
            if address is not None:
                place.address = address % (1 << 64)
            if name != "[unknown]":
                place.line.add(function_id=row)
                number = texts.of(name)
                part.function.add(
                    id=row, name=number, system_name=number, filename=texts.of(source or "")
                )
            yield part.SerializeToString()


def _comments(data: ExportInput) -> Iterator[str]:
    """What `pprof -comments` shows: of what it is, and what it merges, leaves out or lacks."""
    for side in data.sides:
        for run in side.runs:
            facts = run.facts
            labels = " ".join(f"{key}={value}" for key, value in facts.labels.items())
            work = f"{facts.work:.15g} {facts.work_unit}" if facts.work is not None else ""
            said = (facts.name, labels, facts.host, facts.kernel_release, work)
            yield "perfduck: " + ", ".join(each for each in said if each)
    yield from (f"perfduck: {note.text}" for note in data.notes)
