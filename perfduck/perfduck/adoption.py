"""The one recording of another store into this one, as if it were read here: what a server does
with a recording that another process or machine has read.

Names, labels, work, attachments, tag inputs and better names mean what they mean to `ingest`: both
end in ingestion.commit. Tags are worked out again, by the rules of this store.
"""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from perfduck.adoption_checks import check_facts, check_kind, check_rows, check_said
from perfduck.attachments import Attachment, parsed
from perfduck.ingestion import check_bounds, commit
from perfduck.opening import StorePlace
from perfduck.tagging import Annotator, TaggingSources, file_of_kept
from perfduck_ingest.labels import checked_name
from perfduck_ingest.work import Work
from perfduck_model.errors import PerfduckError
from perfduck_model.identity import profile_id, stack_ids, symbol_ids
from perfduck_store.draft import Draft
from perfduck_store.duckdb.single import SingleRecording
from perfduck_store.duckdb.store import DuckDbStore
from perfduck_store.edit import UNIT, differences
from perfduck_store.recording import Identity, Receipt
from perfduck_symbols.kernel_files import KernelFiles


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is said of a recording beside what its store says. `labels` must not contradict it."""

    name: str | None = None  # of a stored recording as well
    is_unnamed: bool = False  # a new one is called by its content: recording-1a2b3c4d
    labels: dict[str, str] = field(default_factory=dict)
    kernel: str | None = None
    force: bool = False
    is_admin: bool = True  # who may replace what others said, and give rules for all that follows
    is_verified: bool = True  # its hash is that of a file that this machine read


def adopt(place: StorePlace, other: Path, wanted: Adoption) -> Receipt:
    """Store the recording of a store. PerfduckError where that is no store of one recording, where
    its ids are not those of its content, and for all that `ingest` refuses."""
    with SingleRecording(other) as single, Draft(other.parent) as draft:
        check_said(other, single.said)
        identity = _identity(single, wanted)
        sources = _sources(single, wanted)
        annotator = Annotator(sources, KernelFiles(sources.kallsyms), single.functions())
        attachments = _attachments(single)
        for batch in single.batches():
            check_facts(other, batch.facts)
            check_rows(other, batch, draft)
            draft.add(batch)
            check_bounds(other.name, draft)
        _check_ids(other, draft)
        with place.write(create=True) as store:
            if not isinstance(store, DuckDbStore):
                raise PerfduckError.at(place, expected="a store on this machine", got="a server's")
            if not wanted.is_verified:
                _refuse_other_samples(store, identity, draft.samples)
            if not wanted.is_admin:
                _refuse_replaced(store, identity)
            return commit(store, attachments, draft, identity, annotator)


def _identity(single: SingleRecording, wanted: Adoption) -> Identity:
    said = single.said
    content = str(said["content_hash"])
    named = f"recording-{content[:8]}" if wanted.is_unnamed else str(said["name"])
    name = None if wanted.name is None else checked_name(wanted.name, "--name")
    work = _work(said["work"], said["work_unit"])
    return Identity(
        name=name or checked_name(named, "name"),
        format=str(said["format"]),
        source=str(said["source"]),
        content_hash=content,
        work=work.amount if work else None,
        work_unit=work.unit if work else None,
        kernel_release=wanted.kernel,
        labels=_labels(dict(said["labels"]), wanted.labels),
        wanted_name=name,
        may_change_work=wanted.force,
        # Names may be made up, too: what others stored takes only those that it lacks.
        has_names=single.has_names() and wanted.is_admin,
        may_rename=wanted.is_admin or wanted.is_verified,
    )


def _refuse_other_samples(store: DuckDbStore, identity: Identity, samples: int) -> None:
    """Raise PerfduckError where the recording that is stored with this hash has other samples:
    either may have claimed the hash, which only the recording itself could show."""
    key = profile_id(identity.content_hash)
    for stored in store.profiles.of([key]):
        there_are = sum(event.samples for event in store.profiles.events([key]))
        if there_are != samples:
            raise PerfduckError.at(
                identity.source,
                expected=f"the {there_are:,} samples of {stored.name}, which has this content hash",
                got=f"{samples:,}",
            )


def _refuse_replaced(store: DuckDbStore, identity: Identity) -> None:
    """Raise PerfduckError where a stored recording would lose what was said of it. To say more of
    it is what a second push is for."""
    for stored in store.profiles.of([profile_id(identity.content_hash)]):
        before = store.profiles.said(stored.profile_id)
        after = before.edited(identity.said)
        if not before.is_part_of(after):
            expected = f"scope admin to change what is said of {stored.name}"
            got = ", ".join(differences(before, after))
            raise PerfduckError.at(identity.source, expected=expected, got=got)


def _attachments(single: SingleRecording) -> list[Attachment]:
    rows = single.attachments()
    for kind, _, _ in rows:
        check_kind(single.path, kind)
    return [parsed(*row) for row in rows]


def _work(amount: float | None, unit: str | None) -> Work | None:
    """Work that was given without a unit is of what the stored work is."""
    return None if amount is None else Work(amount, None if unit == UNIT else unit)


def _labels(said: dict[str, str], wanted: dict[str, str]) -> dict[str, str]:
    for key, value in wanted.items():
        if said.get(key, value) != value:
            where = f"--label {key}={said[key]}"
            raise PerfduckError.at(where, expected=f"{key}={value}", got=said[key])
    return said | wanted


def _sources(single: SingleRecording, wanted: Adoption) -> TaggingSources:
    inputs = single.tag_inputs
    if "rules" in inputs and not wanted.is_admin:
        expected = "scope admin to give rules, which apply to all later recordings"
        raise PerfduckError.at(where="--rules", expected=expected, got="none")
    return TaggingSources(file_of_kept(inputs.get("rules")), file_of_kept(inputs.get("kallsyms")))


def _check_ids(path: Path, draft: Draft) -> None:
    """Raise PerfduckError where symbols or stacks have ids that others of this store may have, or
    refer to what is not there."""
    symbols, stacks = draft.symbols, draft.stacks
    rows = symbols.select("name", "dso", "address").iter_rows()
    frames = stacks["symbol_ids"].explode(empty_as_null=False)
    expected = stack_ids(
        frames.to_numpy(), stacks["symbol_ids"].list.len().cast(pl.Int64).to_numpy()
    )
    if (
        symbols["symbol_id"].to_list() != symbol_ids(rows).tolist()
        or stacks["stack_id"].to_list() != expected.tolist()
        or not frames.is_in(symbols["symbol_id"].implode()).all()
    ):
        raise PerfduckError.at(path.name, expected="ids of its symbols and stacks", got="others")
