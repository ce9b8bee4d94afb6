"""Stacks of a dictionary: locations to functions, functions to stack ids."""

import numpy as np
import polars as pl

from perfduck_ingest.function_chains import UNKNOWN, FunctionChains, frame_counts
from perfduck_ingest.otlp.columns import DamagedProfiles, DictionaryColumns
from perfduck_kernels import kernels
from perfduck_model.arrays import Int64
from perfduck_model.batch import Batch

_FRAME_TYPE = "profile.frame.type"
_KERNEL = "[kernel.kallsyms]"
_KERNEL_FILES = ("", "vmlinux", "kernel", "[kernel]")  # what profilers call the kernel itself


def stack_ids(
    dictionary: DictionaryColumns, used: Int64, chains: FunctionChains
) -> tuple[Int64, Batch]:
    """The id of each stack of stack_table that is used, in that order; and stacks and symbols that
    no earlier message had. DamagedProfiles, MessageError, IndexError."""
    functions, starts, counts = _functions(dictionary)
    lengths = np.frombuffer(dictionary.lengths, np.int64)
    places = np.frombuffer(dictionary.places, np.int64)
    _check_range(used, len(lengths), "a stack")
    _check_range(places, len(starts), "a location")
    in_stack = lengths[used]
    chosen = places[kernels.ranges((np.cumsum(lengths) - lengths)[used], in_stack)]
    owner = np.repeat(np.arange(len(used)), in_stack)
    frames = frame_counts(owner, counts[chosen], len(used))
    rows = kernels.ranges(starts[chosen], counts[chosen])
    nameless = np.flatnonzero(frames == 0)  # a stack that is not known
    rows = np.insert(rows, (np.cumsum(frames) - frames)[nameless], len(functions) - 1)
    frames[nameless] = 1
    interned = chains.chains(functions, rows, frames)
    return interned.stack_ids, Batch(stacks=interned.stacks, symbols=interned.symbols)


def _functions(dictionary: DictionaryColumns) -> tuple[pl.DataFrame, Int64, Int64]:
    """Functions of all locations [name, dso, address], the last one not known; where those of each
    location start, and how many there are."""
    names = [dictionary.text(name) or dictionary.text(of) for name, of in dictionary.functions]
    rows: list[tuple[str, str, int | None]] = []
    starts, counts = [], []
    for mapping, address, lines, attributes in dictionary.locations:
        _check_index(mapping, len(dictionary.files) or 1, "a mapping")
        file, shift = dictionary.files[mapping] if dictionary.files else (0, 0)
        dso = _dso(dictionary.text(file), dictionary, attributes)
        starts.append(len(rows))
        counts.append(max(len(lines), 1))
        for line in lines:
            _check_index(line, len(names), "a function")
        rows += [(names[line] or UNKNOWN, dso, None) for line in lines]
        if not lines:
            has_address = dso != UNKNOWN and address
            rows.append((UNKNOWN, dso, _signed(address + shift) if has_address else None))
    rows.append((UNKNOWN, UNKNOWN, None))
    schema = {"name": pl.String, "dso": pl.String, "address": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame, np.array(starts, np.int64), np.array(counts, np.int64)


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
        message = f"{what} of number {number:,}, and {end:,} of them"
        raise DamagedProfiles(message)


def _signed(number: int) -> int:
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
