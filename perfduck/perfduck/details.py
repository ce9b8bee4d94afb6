"""All that a store knows of one recording, for who looks at it alone."""

from dataclasses import dataclass

from perfduck.opening import StorePlace
from perfduck_diff.notes import limitations
from perfduck_model.errors import PerfduckError
from perfduck_model.words import listed
from perfduck_store.records import AttachedFile, ProfileDetails, RecordedEvent, SkippedLine
from perfduck_store.selector import by_id, select

_MOST_SKIPPED = 200


@dataclass(frozen=True, slots=True)
class RecordingDetails:
    """`selector` means it by its id. `skipped`: the first lines that were not understood, of
    `skipped_count`. `limitations`: what could not be read of it, in words."""

    profile_id: int
    selector: str
    facts: ProfileDetails
    events: tuple[RecordedEvent, ...]
    limitations: tuple[str, ...]
    attachments: tuple[AttachedFile, ...]
    skipped: tuple[SkippedLine, ...]

    @property
    def skipped_count(self) -> int:
        """How many lines were not understood."""
        return self.skipped[0].row_count if self.skipped else 0


def details(file: StorePlace, selector: str) -> RecordingDetails:
    """Of the one profile that the selector means. PerfduckError where it means several."""
    with file.read() as store:
        profiles = select(store, selector)
        if len(profiles) > 1:
            raise PerfduckError.at(
                selector, expected="one profile", got=listed(list(profiles.values()))
            )
        [profile] = profiles
        return RecordingDetails(
            profile_id=profile,
            selector=by_id(profile),
            facts=store.profiles.details(profile),
            events=tuple(store.profiles.events([profile])),
            limitations=tuple(limitations(store, [profile], of_whole=False)),
            attachments=tuple(store.attachments.of(profile)),
            skipped=tuple(store.profiles.skipped(profile, _MOST_SKIPPED)),
        )
