"""What is said of a recording on its way into a store, and what comes of it."""

from typing import TYPE_CHECKING

from msgspec import Struct, field

from perfduck_store.edit import Edit

if TYPE_CHECKING:
    import polars as pl


class Identity(Struct, frozen=True):
    """What a profile is called and what is said of it, apart from what the recording says."""

    name: str  # of a new profile
    format: str
    source: str
    content_hash: str
    work: float | None = None
    work_unit: str | None = None
    kernel_release: str | None = None  # as given: the recording may say it too
    labels: dict[str, str] = field(default_factory=dict)
    wanted_name: str | None = None  # of a stored one as well
    may_change_work: bool = False  # of a stored profile that has another
    just_stored: frozenset[str] = frozenset()  # names of profiles that may not change
    has_names: bool = False  # whether files to name addresses by were given
    may_rename: bool = True  # functions of a stored profile, where the names are better

    @property
    def said(self) -> Edit:
        """What is said of the profile where the recording is stored already."""
        return Edit(self.wanted_name, self.work, self.work_unit, self.kernel_release, self.labels)


class Receipt(Struct, frozen=True):
    """What has been stored."""

    profile_id: int
    name: str
    samples: int
    stacks: int
    symbols: int
    skipped: int
    lost: int
    is_new: bool = True
    is_renamed: bool = False  # resolved again, with better names than were stored
    layout: str | None = None
    inlined: int = 0  # samples with functions that were inlined as frames
    limitations: tuple[str, ...] = ()  # in words
    changes: tuple[str, ...] = ()  # of what the store had, in words
    unused: tuple[str, ...] = ()  # files that were given and had nothing of use, in words
    unsent: str = ""  # where it is kept, and why no server has it


class NewNames(Struct, frozen=True):
    """What a store lacks of a draft's symbols and stacks."""

    symbols: "pl.DataFrame"  # SYMBOL
    stacks: "pl.DataFrame"  # STACK
    tagged: "pl.DataFrame"  # rows of table symbol: those of the draft that it has
