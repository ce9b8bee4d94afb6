"""Messages of OTLP profiles, made with OpenTelemetry's own package."""

from typing import Any

from opentelemetry.proto.profiles.v1development import profiles_pb2 as otlp

from perfduck_model.pprof_schema import Profile


class Dictionary:
    """Tables that grow: a row for each thing once, the first one empty."""

    def __init__(self) -> None:
        self.message = otlp.ProfilesDictionary(
            mapping_table=[otlp.Mapping()],
            location_table=[otlp.Location()],
            function_table=[otlp.Function()],
            link_table=[otlp.Link()],
            string_table=[""],
            attribute_table=[otlp.KeyValueAndUnit()],
            stack_table=[otlp.Stack()],
        )
        self._places: dict[tuple[str, str | bytes], int] = {("string_table", ""): 0}

    def text(self, text: str) -> int:
        return self.row("string_table", text)

    def row(self, table: str, row: Any) -> int:
        """The place of a row."""
        rows = getattr(self.message, table)
        key = (table, row if isinstance(row, str) else row.SerializeToString())
        if key not in self._places:
            self._places[key] = len(rows)
            rows.append(row)
        return self._places[key]

    def attribute(self, key: str, value: str | int) -> int:
        kind = {"string_value" if isinstance(value, str) else "int_value": value}
        row = otlp.KeyValueAndUnit(key_strindex=self.text(key), value=kind)
        return self.row("attribute_table", row)

    def location(
        self, names: list[str], file: str, address: int = 0, start: int = 0, **attributes: Any
    ) -> int:
        """A location in a file; of inlined functions the innermost is the first."""
        mapping = otlp.Mapping(filename_strindex=self.text(file), memory_start=start)
        lines = [
            otlp.Line(
                function_index=self.row(
                    "function_table", otlp.Function(name_strindex=self.text(name))
                )
            )
            for name in names
        ]
        row = otlp.Location(
            mapping_index=self.row("mapping_table", mapping) if file else 0,
            address=address,
            lines=lines,
            attribute_indices=[
                self.attribute(key.replace("_", "."), value) for key, value in attributes.items()
            ],
        )
        return self.row("location_table", row)

    def stack(self, *locations: int) -> int:
        """A stack, leaf first."""
        return self.row("stack_table", otlp.Stack(location_indices=locations))

    def type(self, name: str, unit: str) -> otlp.ValueType:
        return otlp.ValueType(type_strindex=self.text(name), unit_strindex=self.text(unit))


def message(dictionary: Dictionary, *profiles: otlp.Profile, **resource: str | int) -> Any:
    """One resource with these profiles; `host_name` is its attribute host.name."""
    attributes = [
        {
            "key": key.replace("_", "."),
            "value": {"string_value" if isinstance(value, str) else "int_value": value},
        }
        for key, value in resource.items()
    ]
    return otlp.ProfilesData(
        dictionary=dictionary.message,
        resource_profiles=[
            {"resource": {"attributes": attributes}, "scope_profiles": [{"profiles": profiles}]}
        ],
    )


_KEYS = {"comm": "thread.name", "pid": "process.pid", "tid": "thread.id"}


def of_pprof(profile: Any) -> Any:
    """A profile of pprof as OTLP: a profile for each sample type, as the Collector converts it."""
    texts, made = profile.string_table, Dictionary()
    files = {each.id: each for each in profile.mapping}
    functions = {each.id: texts[each.name] for each in profile.function}
    places = {}
    for each in profile.location:
        mapping = files.get(each.mapping_id)
        places[each.id] = made.location(
            [functions[line.function_id] for line in each.line],
            texts[mapping.filename] if mapping else "",
            each.address,
            mapping.memory_start if mapping else 0,
        )
    profiles = []
    for number, type_ in enumerate(profile.sample_type):
        one = otlp.Profile(
            sample_type=made.type(texts[type_.type], texts[type_.unit]),
            period_type=made.type(texts[profile.period_type.type], texts[profile.period_type.unit]),
            period=profile.period,
            time_unix_nano=profile.time_nanos,
            duration_nano=profile.duration_nanos,
        )
        for sample in profile.sample:
            labels = [(texts[each.key], texts[each.str] or each.num) for each in sample.label]
            one.samples.add(
                stack_index=made.stack(*(places[each] for each in sample.location_id)),
                attribute_indices=[made.attribute(_KEYS.get(k, k), v) for k, v in labels],
                values=[sample.value[number]],
            )
        profiles.append(one)
    return message(made, *profiles)


def of_pprof_file(content: bytes) -> Any:
    """A profile of pprof, in protobuf, as OTLP."""
    return of_pprof(Profile.FromString(content))
