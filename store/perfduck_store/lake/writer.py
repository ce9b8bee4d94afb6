"""Makes a draft a recording of a lake: what is stored of it, and what is said of it."""

from typing import TYPE_CHECKING

import polars as pl

from perfduck_model.batch import WORK_LOST, WORK_TIME
from perfduck_model.identity import profile_id
from perfduck_store.draft import Draft
from perfduck_store.duckdb.writer import DuckDbWriter
from perfduck_store.lake.said import slots_of_new
from perfduck_store.recording import Identity, Receipt

if TYPE_CHECKING:
    from perfduck_store.lake.store import LakeStore


class LakeWriter(DuckDbWriter):
    """One draft on its way into a lake."""

    def __init__(self, store: "LakeStore", draft: Draft, identity: Identity) -> None:
        """Edit the profile where the recording is stored already; PerfduckError as check()."""
        self._lake = store
        store.write_about(profile_id(identity.content_hash))
        super().__init__(store, draft, identity)
        if identity.work is not None and {WORK_TIME, WORK_LOST} & draft.facts.limitations.keys():
            store.changes.set_rows(("limitation", self.profile_id))

    def finish(self, tags: pl.DataFrame, blamed: pl.DataFrame) -> Receipt:
        """Insert rows of table symbol and of stack_blame, for all that was new."""
        receipt = super().finish(tags, blamed)
        changes = self._lake.changes
        changes.set_rows(("recording", self.profile_id), ("limitation", self.profile_id))
        if self.is_new:
            changes.set_values(slots_of_new(self.profile_id, self._identity.said))
            if self._identity.work is not None:
                said = self._store.profiles.said(self.profile_id)
                changes.set_values({("work", self.profile_id): [said.work, said.work_unit]})
        return receipt
