"""How a tag came about: what `tagged_by` of a symbol may be, and the columns that a tag has."""

from dataclasses import dataclass

TAG_COLUMNS = ("canonical", "source_file", "area", "subsystem", "role", "tagged_by", "class")


@dataclass(frozen=True, slots=True)
class Method:
    """In words, and whether the tag is as good as certain. `of_file`: it came from a file about
    this very kernel, which may be gone when symbols are tagged again."""

    says: str
    is_exact: bool = True
    of_file: bool = False


# The most trusted first.
METHODS = {
    "user-rule": Method("a rule of yours"),
    "rule": Method("a shipped rule on the name"),
    "module": Method("the module that the frame names"),
    "dwarf": Method("debug information of this very kernel", of_file=True),
    "catalogue": Method("the source file that has it in the catalogued kernels"),
    "neighbour": Method("the functions before and behind it in kallsyms", of_file=True),
    "dso": Method("user space: the binary"),
    "guess": Method("what most functions with the same beginning are", is_exact=False),
    "unknown": Method("nothing tells", is_exact=False),
}
INEXACT = tuple(name for name, method in METHODS.items() if not method.is_exact)
OF_FILES = tuple(name for name, method in METHODS.items() if method.of_file)
