"""Profiles of a message as columns: numbers that lead into its dictionary."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from perfduck_ingest.function_chains import bytes_of
from perfduck_ingest.message_parts import check_number
from perfduck_model.limits import limits
from perfduck_model.otlp_schema import text_of, value_of


class DamagedProfiles(ValueError):
    """Profiles whose parts do not fit."""


@dataclass(slots=True)
class ProfileHead:
    """What a profile says of all its samples; types and units are places in the texts."""

    resource: int = 0
    sample_type: tuple[int, int] = (0, 0)
    period_type: tuple[int, int] = (0, 0)
    period: int = 0
    began_ns: int = 0
    lasted_ns: int = 0

    def add(self, part: Any) -> None:
        """The fields of a part of the message that it has."""
        kind, period_type = part.sample_type, part.period_type
        said = (kind.type_strindex, kind.unit_strindex)
        self.sample_type = said if any(said) else self.sample_type
        said = (period_type.type_strindex, period_type.unit_strindex)
        self.period_type = said if any(said) else self.period_type
        self.period = part.period or self.period
        self.began_ns = part.time_unix_nano or self.began_ns
        self.lasted_ns = part.duration_nano or self.lasted_ns


@dataclass(slots=True)
class ProfileColumns:
    """Samples by profile, stack and set of attributes; each has values, or times, or both."""

    resources: list[Any] = field(default_factory=list)
    heads: list[ProfileHead] = field(default_factory=list)
    profiles: "array[int]" = field(default_factory=lambda: array("q"))
    stacks: "array[int]" = field(default_factory=lambda: array("q"))
    sets: "array[int]" = field(default_factory=lambda: array("q"))  # of attributes, in `numbers`
    lengths: "array[int]" = field(default_factory=lambda: array("q"))  # how many values each has
    values: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[int]" = field(default_factory=lambda: array("Q"))  # 0: not known
    numbers: dict[tuple[int, ...], int] = field(default_factory=dict)
    indices: int = 0  # of attributes, in all sets
    resource_bytes: int = 0
    links: int = 0  # samples that belong to a span of a trace

    def note_resource(self, size: int) -> None:
        """The bytes of a resource that will be held."""
        self.resource_bytes += size
        check_number(self.resource_bytes, "bytes of resources", limits.most_field_bytes)

    def begin(self, resource: Any) -> None:
        """A profile of a resource; its parts follow."""
        if not self.resources or self.resources[-1] is not resource:
            self.resources.append(resource)
        self.heads.append(ProfileHead(len(self.resources) - 1))
        check_number(len(self.heads), "profiles", limits.most_table_rows)

    def add(self, part: Any) -> None:
        """A part of the profile."""
        self.heads[-1].add(part)
        for sample in part.samples:
            self._add(sample)
        check_number(len(self.values), "values of samples", limits.most_messages)

    def _add(self, sample: Any) -> None:
        values, times = sample.values, sample.timestamps_unix_nano
        if not (values or times):
            message = "a sample without values and times: written by another release of OTLP?"
            raise DamagedProfiles(message)
        if values and times and len(values) != len(times):
            message = f"a sample with {len(values):,} values and {len(times):,} times"
            raise DamagedProfiles(message)
        self.profiles.append(len(self.heads) - 1)
        self.stacks.append(sample.stack_index)
        key = tuple(sample.attribute_indices)
        if key not in self.numbers:
            self.indices += len(key)
            check_number(self.indices, "attributes of samples", limits.most_message_numbers)
        self.sets.append(self.numbers.setdefault(key, len(self.numbers)))
        self.links += sample.link_index != 0
        self.lengths.append(len(values) or len(times))
        self.values.extend(values or (1 for _ in times))  # as profiles.proto says of times alone
        self.times.extend(times or (0 for _ in values))


@dataclass(slots=True)
class DictionaryColumns:
    """The tables of a message."""

    texts: list[str] = field(default_factory=list)
    text_bytes: int = 0
    lines: int = 0  # of all locations
    files: list[tuple[int, int]] = field(default_factory=list)  # name, what addresses lack
    locations: list[tuple[int, int, tuple[int, ...], tuple[int, ...]]] = field(
        default_factory=list
    )  # mapping, address, functions, attributes
    functions: list[tuple[int, int]] = field(default_factory=list)  # names
    attributes: list[tuple[int, Any]] = field(default_factory=list)
    places: "array[int]" = field(default_factory=lambda: array("q"))  # locations of all stacks
    lengths: "array[int]" = field(default_factory=lambda: array("q"))  # how many each has

    def add(self, part: Any) -> None:
        """A part of the dictionary."""
        self.texts += part.string_table
        self.text_bytes += bytes_of(part.string_table)
        check_number(self.text_bytes, "bytes of texts", limits.most_text_bytes)
        self.files += [
            (each.filename_strindex, each.file_offset - each.memory_start)
            for each in part.mapping_table
        ]
        for each in part.location_table:
            lines = tuple(line.function_index for line in each.lines)
            self.lines += len(lines)
            attributes = tuple(each.attribute_indices)
            self.locations.append((each.mapping_index, each.address, lines, attributes))
        self.functions += [
            (each.name_strindex, each.system_name_strindex) for each in part.function_table
        ]
        self.attributes += [(each.key_strindex, each.value) for each in part.attribute_table]
        for stack in part.stack_table:
            frames = len(self.places) + len(stack.location_indices)
            check_number(frames, "locations of stacks", limits.most_message_numbers)
            self.places.extend(stack.location_indices)
            self.lengths.append(len(stack.location_indices))
        for table in (
            self.texts, self.files, self.locations, self.functions, self.attributes, self.lengths
        ):  # fmt: skip
            check_number(len(table), "rows of a table", limits.most_table_rows)
        check_number(self.lines, "functions of locations", limits.most_table_rows)

    def said(self, indices: tuple[int, ...]) -> Iterator[tuple[str, str | int | None]]:
        """Keys and values of attributes. IndexError."""
        for index in indices:
            if index > 0:  # 0: none
                key, value = self.attributes[index]
                yield self.text(key), value_of(value, self.texts)
            elif index < 0:
                raise IndexError(index)

    def text(self, index: int) -> str:
        """IndexError for a place that the table does not have."""
        return text_of(index, self.texts)
