"""Commands that look after what is stored."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfduck_cli.numbers import number
from perfduck_cli.options import DEFAULT_STORE, Selector, StorePath
from perfduck_cli.waiting import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfduck_store.edit import Edit
    from perfduck_store.remove import Content
    from perfduck_store.store import Store

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say which profiles that would be; remove nothing.")
]
_AGE = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[hdwy])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


def edit(
    selector: Selector,
    name: Annotated[str | None, typer.Option(help="New name; of one profile.")] = None,
    work: Annotated[
        float | None, typer.Option(parser=number(), help="How much got done while recording.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="What --work counts.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="key=value to add or change; may be repeated.")
    ] = None,
    unlabel: Annotated[
        list[str] | None, typer.Option(help="Key of a label to remove; may be repeated.")
    ] = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Change the name, work or labels of stored profiles, and say what that changed."""
    from perfduck_cli.ingest_commands import work_of
    from perfduck_ingest.labels import checked_name, labels
    from perfduck_report.names import visible
    from perfduck_store.edit import Edit, apply
    from perfduck_store.selector import select
    from perfduck_store.store import Store

    done = work_of(work, unit)
    wanted = Edit(
        name=None if name is None else checked_name(name, "--name"),
        work=done.amount if done else None,
        work_unit=done.unit if done else None,
        labels=labels(label or []),
        unlabel=tuple(unlabel or ()),
    )
    with Store(store, write=True, create=False) as opened:
        chosen = select(opened, selector)
        _check(opened, wanted, chosen)
        with opened.transaction():
            changes = {name: apply(opened, key, wanted) for key, name in chosen.items()}
    for old, changed in changes.items():
        words = ", ".join(changed) or "nothing changed"
        sys.stdout.write(f"{visible(wanted.name or old)}: {visible(words)}\n")


def _check(store: "Store", edit: "Edit", chosen: dict[int, str]) -> None:
    """Raise PerfduckError where a part of the edit would mean nothing."""
    from perfduck_model.errors import PerfduckError
    from perfduck_model.suggestion import did_you_mean, listed
    from perfduck_store.edit import Edit, said_of

    if edit == Edit():
        message = "expected something to change: --name, --work, --label or --unlabel"
        raise PerfduckError(message)
    if edit.name is not None and len(chosen) > 1:
        message = f"--name {edit.name}: expected one profile, got {listed(list(chosen.values()))}"
        raise PerfduckError(message)
    keys = sorted({key for each in chosen for key in said_of(store, each).labels})
    for key in edit.unlabel:
        if key in edit.labels:
            message = f"--unlabel {key}: expected a label that --label does not give"
            raise PerfduckError(message)
        if key not in keys:
            known = f"{did_you_mean(key, keys)}labels: {listed(keys) or 'none'}"
            message = f"--unlabel {key}: expected a label of these profiles, got none ({known})"
            raise PerfduckError(message)


def rm(selector: Selector, dry_run: DryRun = False, store: StorePath = DEFAULT_STORE) -> None:
    """Remove profiles and make the store's file smaller; asks nothing."""
    from perfduck_store.remove import contents
    from perfduck_store.selector import select
    from perfduck_store.store import Store

    with Store(store, write=not dry_run, create=False) as opened:
        _remove(opened, contents(opened, select(opened, selector)), dry_run=dry_run)


def prune(
    selector: Selector,
    older_than: Annotated[
        str, typer.Option(help="Age from the recording, where its time is not known from when it"
                               " was stored: 36h, 90d, 8w, 2y.")
    ],
    dry_run: DryRun = False,
    store: StorePath = DEFAULT_STORE,
) -> None:  # fmt: skip
    """Remove those of the profiles that are older, as rm does; asks nothing."""
    from perfduck_report.numbers import plural
    from perfduck_store.remove import contents
    from perfduck_store.selector import select
    from perfduck_store.store import Store

    oldest = datetime.now(UTC).replace(tzinfo=None) - _age(older_than)
    with Store(store, write=not dry_run, create=False) as opened:
        chosen = contents(opened, select(opened, selector))
        for each in chosen:
            if each.age_from is None:
                say(f"{each.name}: kept, since when it was recorded or stored is not known")
        old = [each for each in chosen if each.age_from is not None and each.age_from < oldest]
        if not old:
            kept = f"{len(chosen)} {plural(len(chosen), 'profile')} kept"
            sys.stdout.write(f"nothing is older than {older_than}: {kept}\n")
            return
        _remove(opened, old, dry_run=dry_run)


def _age(text: str) -> timedelta:
    from perfduck_model.errors import PerfduckError

    found = _AGE.fullmatch(text)
    if found is None:
        message = f"--older-than {text}: expected an age such as 36h, 90d, 8w or 2y"
        raise PerfduckError(message)
    return timedelta(hours=int(found["number"]) * _HOURS[found["unit"]])


def _remove(store: "Store", profiles: "Sequence[Content]", *, dry_run: bool) -> None:
    from perfduck_report.names import visible
    from perfduck_report.numbers import plural
    from perfduck_store.compact import close_and_compact
    from perfduck_store.remove import remove

    if not dry_run:
        remove(store, [each.profile_id for each in profiles])
    for each in profiles:
        done = "would be removed" if dry_run else "removed"
        samples = f"{each.samples} {plural(each.samples, 'sample')}"
        sys.stdout.write(f"{visible(each.name)}: {done} ({samples})\n")
    if not dry_run and (saved := close_and_compact(store)):
        sys.stdout.write(f"store: {_megabytes(saved.before)} -> {_megabytes(saved.after)}\n")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def merge(
    stores: Annotated[list[Path], typer.Argument(help="Stores to take recordings from.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Take over what other stores have and this one has not; what is here stays as it is.

    The same recording is the same in all stores. One whose name another recording has here gets the
    beginning of its content's hash behind the name. Where both have a recording, labels, work and
    attachments that are missing here are added; where they differ, those here are kept, and that is
    said.
    """
    from perfduck_report.names import visible
    from perfduck_report.numbers import plural
    from perfduck_store.merge import merge as take_over
    from perfduck_store.store import Store

    with Store(store, write=True) as opened:
        for other in stores:
            done = take_over(opened, other)
            for words in done.kept:
                say(f"{visible(words)}")
            for words in done.changes:
                sys.stdout.write(f"{visible(words)}\n")
            added = f"{done.added} {plural(done.added, 'recording')} added"
            sys.stdout.write(f"{visible(str(other))}: {added}, {done.here} already in the store\n")


COMMANDS = (edit, rm, prune, merge)
