"""Changes of what is said of profiles. Apart: labels and work come with numpy, which listing and
removing profiles do without."""

from collections.abc import Mapping

from perfduck.opening import StorePlace
from perfduck.store_results import EditResult
from perfduck_ingest.labels import checked_name
from perfduck_ingest.work import Work
from perfduck_model.errors import PerfduckError
from perfduck_model.words import did_you_mean, listed
from perfduck_store.edit import Edit
from perfduck_store.protocol import Store
from perfduck_store.selector import select


def edit(
    file: StorePlace,
    selector: str,
    name: str | None,
    work: Work | None,
    labels: dict[str, str],
    unlabel: tuple[str, ...],
) -> EditResult:
    """Change what is said of profiles, in one transaction."""
    wanted = Edit(
        name=None if name is None else checked_name(name, "--name"),
        work=work.amount if work else None,
        work_unit=work.unit if work else None,
        labels=labels,
        unlabel=unlabel,
    )
    with file.write() as store:
        profiles = select(store, selector)
        _check(store, wanted, profiles)
        with store.transaction():
            changes = {
                wanted.name or old: store.profiles.edit(key, wanted)
                for key, old in profiles.items()
            }
    return EditResult(changes)


def _check(store: Store, edit: Edit, chosen: Mapping[int, str]) -> None:
    """Raise PerfduckError where a part of the edit would mean nothing."""
    if edit == Edit():
        message = "expected something to change: --name, --work, --label or --unlabel"
        raise PerfduckError(message)
    if edit.name is not None and len(chosen) > 1:
        raise PerfduckError.at(
            where=f"--name {edit.name}", expected="one profile", got=listed(list(chosen.values()))
        )
    keys = sorted({key for each in store.profiles.of(chosen) for key in each.labels})
    for key in edit.unlabel:
        if key in edit.labels:
            message = f"--unlabel {key}: expected a label that --label does not give"
            raise PerfduckError(message)
        if key not in keys:
            hint = f"{did_you_mean(key, keys)}labels: {listed(keys) or 'none'}"
            raise PerfduckError.at(
                where=f"--unlabel {key}",
                expected="a label of these profiles",
                got=f"none ({hint})",
            )
