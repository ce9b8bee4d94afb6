"""What a store answers with, as plain values: rows. For a few of them, loading polars takes longer
than the query.
"""

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from msgspec import Meta, Struct

# What a server that answers with a row is held to (remote/wire.py). Work is further apart than
# `limits` has it: older stores kept any.
Amount = Annotated[float, Meta(ge=0, le=sys.float_info.max)]
WorkDone = Annotated[float, Meta(ge=1e-12, le=1e24)]
Count = Annotated[int, Meta(ge=0)]
UtcTime = Annotated[datetime, Meta(tz=False)]


class Profile(Struct, frozen=True):
    """A stored recording, and what is said of it. `work` in `work_unit`."""

    profile_id: int
    name: str
    labels: dict[str, str]
    work: WorkDone | None = None
    work_unit: str | None = None
    duration_s: Amount | None = None
    command: str | None = None  # that recorded it
    kernel_release: str | None = None
    layout: str | None = None  # fields that were read of each sample, of perf script text


class ProfileDetails(Struct, frozen=True):
    """All that is said of a stored recording: the columns of table profile. Times are UTC, `work`
    is in `work_unit`."""

    name: str
    format: str
    source: str
    content_hash: str
    started_at: UtcTime | None
    ingested_at: UtcTime | None
    duration_s: Amount | None
    host: str | None
    kernel_release: str | None
    arch: str | None
    cpus: int | None
    command: str | None
    tool: str | None
    lost: Count
    raw_samples: Count | None
    work: WorkDone | None
    work_unit: str | None
    labels: dict[str, str]
    layout: str | None


class SkippedLine(Struct, frozen=True):
    """Input that was not understood, one of `row_count`; `line` is 0 where there are no lines."""

    line: Count
    text: str
    reason: str
    row_count: Count


class AttachedFile(Struct, frozen=True):
    """A file that is kept with a profile; `source` is its name as given."""

    kind: str
    source: str
    text: str


class RecordedEvent(Struct, frozen=True):
    """An event of a profile; `weight` in `unit`."""

    profile: int
    event: str
    unit: str
    samples: Count
    weight: Amount


class SharedLimitation(Struct, frozen=True):
    """What several profiles hold that could not be read: see perfduck_model.batch. `samples`,
    None where they cannot be counted, of the `total` of these profiles."""

    text: str
    samples: Count | None
    total: Count
    profiles: Count
    first_profile: str


class PartlyListed(Struct, frozen=True):
    """A profile that lists `listed` of the `raw` samples that were taken."""

    name: str
    listed: Count
    raw: Count


class Weight(Struct, frozen=True):
    """Of a run: the weight without idle, that of idle, and the samples without idle."""

    busy: Amount = 0.0
    idle: Amount = 0.0
    samples: Count = 0


class KeyValue(Struct, frozen=True):
    """A value of a key in a run, and its weight: of idle, or of all else. None: the recording does
    not say."""

    value: str | None
    run: int
    weight: Amount
    is_idle: bool = False


class PickedRun(Struct, frozen=True):
    """What a comparison wants to know of a profile. `lost`, `listed` and `inlined` (None where it
    is not known) are parts of its samples; `grain` is the weight that one sample represents."""

    profile_id: int
    name: str
    work: WorkDone | None
    work_unit: str | None
    duration_s: Amount | None
    cpus: int | None
    arch: str | None
    kernel_release: str | None
    host: str | None
    lost: Amount
    listed: Amount
    labels: dict[str, str]
    frequency: Amount | None
    has_period: bool
    grain: Amount
    inlined: Amount | None


class LikeRun(Struct, frozen=True):
    """A stored run like those that are picked: its weight without idle, the hits, and its work."""

    labels: dict[str, str]
    work: WorkDone
    weight: Amount
    hits: Amount


class StackWeight(Struct, frozen=True):
    """The weight of a stack of a command."""

    stack_id: int
    comm: str
    weight: int


class TagShare(Struct, frozen=True):
    """A method of tagging (symbol.tagged_by), and its part of the self weight."""

    method: str
    share: Amount


class UnnamedCode(Struct, frozen=True):
    """The weight of code without a name in a binary, of one run."""

    run: int
    dso: str
    weight: Amount


class MissedTicks(Struct, frozen=True):
    """What a clock's ticks that left no sample weigh of a pod's CPU time, in ns, and what its
    samples weigh."""

    pod: str
    missed: Amount
    sampled: Amount


class FunctionWeight(Struct, frozen=True):
    """A function and a weight of its own."""

    function: str
    weight: Amount


class MetRule(Struct, frozen=True):
    """An attached iptables rule that needs conntrack or NAT, and the least and most packets that
    `files` counted; None where they have no counters."""

    needs: str
    rule: str
    least: int | None
    most: int | None
    files: Count


class ClassNoise(Struct, frozen=True):
    """What was learned of a noise class on a kind of host: see table noise."""

    host_class: str
    subsystem: str
    phi: Amount
    cv: Amount
    freedom: Amount
    runs: int


class Content(Struct, frozen=True):
    """A stored profile; `age_from`: when it was recorded, else when it was stored; UTC."""

    profile_id: int
    name: str
    samples: Count
    age_from: UtcTime | None


class Saved(Struct, frozen=True):
    """Bytes of the store before and after."""

    before: Count
    after: Count


class Merged(Struct, frozen=True):
    """Recordings that were added and that both have; what changed here, and what was kept though
    the other store says otherwise, in words."""

    added: Count
    here: Count
    changes: tuple[str, ...]
    kept: tuple[str, ...]

    @classmethod
    def in_all(cls, done: "Iterable[Merged]") -> Self:
        """What was said of each part of a store, as of the whole."""
        each = list(done)
        return cls(
            sum(part.added for part in each),
            sum(part.here for part in each),
            tuple(line for part in each for line in part.changes),
            tuple(dict.fromkeys(line for part in each for line in part.kept)),
        )


class Compacted(Struct, frozen=True):
    """What a compaction made of a lake: groups of parts before and after, and the files that were
    deleted; `conflicts`: ids that have several contents, in words; `taken`: recordings of older
    schema versions that were taken over."""

    generation: int
    groups_before: int
    groups: int
    deleted: int
    deleted_bytes: int
    conflicts: tuple[str, ...]
    taken: int = 0


class PodName(Struct, frozen=True):
    """A container of an attached list, or a pod of which it has none; see table pod."""

    pod_uid: str | None
    namespace: str | None
    pod: str | None
    container_id: str | None
    container: str | None


class NetCount(Struct, frozen=True):
    """What a counter of the network stack counted during a recording; see table net_counter.
    `is_since_boot`: nothing was read before the run, so it counts since its device or namespace was
    made."""

    profile_id: int
    netns: str
    file: str
    device: str
    counter: str
    value: int
    is_since_boot: bool


# Rows read off attachments.
AttachedTable = Literal["iptables_rule", "conntrack_stat", "bpf_program", "pod", "net_counter"]
# The kind of attachment that each is read off.
KIND_OF_TABLE: dict[AttachedTable, str] = {
    "iptables_rule": "iptables",
    "conntrack_stat": "conntrack",
    "bpf_program": "bpf",
    "pod": "pods",
    "net_counter": "net",
}
TagInputKind = Literal["rules", "kallsyms"]


class TagInput(Struct, frozen=True):
    """A file as it was given: `source` is its name, `content` its bytes, packed or not."""

    source: str
    content: bytes


class ResultRows(Struct, frozen=True):
    """Columns and tuples, under the names that a polars frame has for them."""

    columns: list[str]
    values: list[tuple[Any, ...]]

    def rows(self) -> list[tuple[Any, ...]]:
        """The tuples."""
        return self.values

    def select(self, names: Sequence[str]) -> Self:
        """Some of the columns."""
        places = [self.columns.index(name) for name in names]
        rows = [tuple(row[place] for place in places) for row in self.values]
        return type(self)(list(names), rows)
