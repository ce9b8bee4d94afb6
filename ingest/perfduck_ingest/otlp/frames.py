"""Stacks of a dictionary: locations to functions, functions to stack ids."""

from collections.abc import Iterator

import numpy as np

from perfduck_ingest.function_chains import UNKNOWN, FunctionChains, location_table
from perfduck_ingest.otlp.columns import DamagedProfiles, DictionaryColumns
from perfduck_kernels import kernels
from perfduck_model.arrays import Int64
from perfduck_model.batch import Batch

_FRAME_TYPE = "profile.frame.type"
_KERNEL = "[kernel.kallsyms]"
_KERNEL_FILES = ("", "vmlinux", "kernel", "[kernel]")  # what profilers call the kernel itself


def stacks(
    dictionary: DictionaryColumns, used: Int64, chains: FunctionChains, stack_ids: Int64
) -> Iterator[Batch]:
    """Stacks and symbols that no earlier message had; the id of each stack of stack_table that is
    used is put into `stack_ids`. DamagedProfiles, MessageError, IndexError."""
    lengths = np.frombuffer(dictionary.lengths, np.int64)
    places = np.frombuffer(dictionary.places, np.int64)
    _check_range(used, len(lengths), "a stack")
    _check_range(places, len(dictionary.locations), "a location")
    in_stack = lengths[used]
    chosen = places[kernels.ranges((np.cumsum(lengths) - lengths)[used], in_stack)]
    table = location_table(_locations(dictionary))
    yield from chains.of_locations(table, chosen, in_stack, stack_ids)


def _locations(dictionary: DictionaryColumns) -> Iterator[tuple[list[str], str, int]]:
    """Names of functions, dso and address of each."""
    names = [dictionary.text(name) or dictionary.text(of) for name, of in dictionary.functions]
    for mapping, address, lines, attributes in dictionary.locations:
        _check_index(mapping, len(dictionary.files) or 1, "a mapping")
        file, shift = dictionary.files[mapping] if dictionary.files else (0, 0)
        for line in lines:
            _check_index(line, len(names), "a function")
        dso = _dso(dictionary.text(file), dictionary, attributes)
        yield [names[line] for line in lines], dso, address + shift if address else 0


def _dso(file: str, dictionary: DictionaryColumns, attributes: tuple[int, ...]) -> str:
    if file in _KERNEL_FILES and dict(dictionary.said(attributes)).get(_FRAME_TYPE) == "kernel":
        return _KERNEL
    return file or UNKNOWN


def _check_range(numbers: Int64, end: int, what: str) -> None:
    if len(numbers):
        _check_index(int(numbers.min()), end, what)
        _check_index(int(numbers.max()), end, what)


def _check_index(number: int, end: int, what: str) -> None:
    if not 0 <= number < end:
        message = f"{what} numbered {number:,}, where there are {end:,}"
        raise DamagedProfiles(message)
