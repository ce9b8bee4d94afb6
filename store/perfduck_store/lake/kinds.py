"""Which tables belong to which slots of a lake, and the columns that have the slot's keys."""

from dataclasses import dataclass

from perfduck_store.records import KIND_OF_TABLE

# Rows that are the same in all recordings that have them: each is read once.
NAMES = ("stack", "stack_symbol", "stack_blame", "symbol")


@dataclass(frozen=True, slots=True)
class Kind:
    """`keys`: the columns behind the kind in a slot; `tables` have rows by them."""

    keys: tuple[str, ...]
    tables: tuple[str, ...]
    names: tuple[str, ...] = ()


KINDS = {
    "recording": Kind(
        ("profile_id",),
        ("profile", "event", "sample", "rollup", "leaf_offset", "artefact", "edge", "skipped",
         "recorded_binary"),
        NAMES,
    ),
    "limitation": Kind(("profile_id",), ("limitation",)),  # of its work: an edit changes them
    "attachment": Kind(("profile_id", "kind"), ("attachment", *KIND_OF_TABLE)),
    "tag_input": Kind(("kind", "kernel_release"), ("tag_input",)),
    "elf_function": Kind(("dso",), ("elf_function",)),
    "noise": Kind(("host_class", "workload", "unit"), ("noise",)),
    "tags": Kind((), (), ("stack_blame", "symbol")),
}  # fmt: skip
KIND_OF = {table: name for name, kind in KINDS.items() for table in kind.tables} | dict.fromkeys(
    NAMES, "recording"
)


def columns_of(table: str) -> tuple[str, ...]:
    """The columns of a table by which its rows belong to slots: what is read off an attachment has
    no column for its kind, which is always the same."""
    keys = KINDS[KIND_OF[table]].keys
    return keys[:1] if table in KIND_OF_TABLE else keys
