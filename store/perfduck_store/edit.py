"""Changes what is said of a stored profile: its name, work, kernel release and labels."""

from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from perfduck_model.words import counted

UNIT = "unit"  # of work that is given without one


class Edit(Struct, frozen=True):
    """What to say of a profile; None and absent labels leave what is said."""

    name: str | None = None
    work: float | None = None
    work_unit: str | None = None  # with work; None keeps the stored unit
    kernel_release: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    unlabel: tuple[str, ...] = ()


class ProfileFacts(Struct, frozen=True):
    """What the store says of a profile."""

    name: str
    work: float | None
    work_unit: str | None
    kernel_release: str | None
    labels: dict[str, str]

    def edited(self, edit: Edit) -> "ProfileFacts":
        """What it says after the edit."""
        labels = {key: value for key, value in self.labels.items() if key not in edit.unlabel}
        after = replace(
            self,
            name=edit.name or self.name,
            kernel_release=edit.kernel_release or self.kernel_release,
            labels=labels | edit.labels,
        )
        if edit.work is None:
            return after
        unit = edit.work_unit or self.work_unit or UNIT
        return replace(after, work=edit.work, work_unit=unit)

    def is_part_of(self, after: "ProfileFacts") -> bool:
        """Whether all that is said here is said there, too."""
        work, kernel = (self.work, self.work_unit), self.kernel_release
        return (
            self.name == after.name
            and (self.work is None or work == (after.work, after.work_unit))
            and (kernel is None or kernel == after.kernel_release)
            and self.labels.items() <= after.labels.items()
        )

    @property
    def work_in_words(self) -> str:
        """'1,200 packets'."""
        return "none" if self.work is None else counted(self.work, self.work_unit or UNIT)


def differences(before: ProfileFacts, after: ProfileFacts) -> Iterator[str]:
    """What an edit changes, in words."""
    if after.name != before.name:
        yield f"renamed from {before.name}"
    if (after.work, after.work_unit) != (before.work, before.work_unit):
        was = "" if before.work is None else f" (was {before.work_in_words})"
        yield f"work is {after.work_in_words}{was}"
    if after.kernel_release != before.kernel_release:
        was = f" (was {before.kernel_release})" if before.kernel_release else ""
        yield f"kernel is {after.kernel_release}{was}"
    for key in sorted(before.labels.keys() | after.labels.keys()):
        old, new = before.labels.get(key), after.labels.get(key)
        if new is None:
            yield f"label {key}={old} removed"
        elif old is None:
            yield f"label {key}={new} added"
        elif old != new:
            yield f"label {key}={new} (was {old})"
