"""Stacks of a Firefox profile: rows of the stack table of any version to stack ids."""

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from perfduck_ingest.firefox.schema import MappedBinary, ProfileTables
from perfduck_ingest.function_chains import UNKNOWN, FunctionChains, InternedChains
from perfduck_model.arrays import Int64
from perfduck_model.limits import limits
from perfduck_model.words import unnamed_code

_KERNEL = "[kernel.kallsyms]"
_KERNEL_NAMES = ("vmlinux", "kernel", "[kernel]", _KERNEL)
_ADDRESS = re.compile(r"0x[0-9a-f]+")  # what a function is called before it has a name
# Flags of frames and functions (src/profile-logic/data-structures.ts).
_HAS_ADDRESS, _HAS_RESOURCE = 2, 4
_MOST_ADDRESS = (1 << 63) - 1


class DamagedTables(ValueError):
    """Tables whose rows lead nowhere."""


class StackIds:
    """The stack ids of the rows of one stack table, which many threads may share."""

    def __init__(
        self,
        tables: ProfileTables,
        texts: Sequence[str],
        libs: Sequence[MappedBinary],
        chains: FunctionChains,
    ) -> None:
        """`texts`: what names are numbers of. DamagedTables for numbers that lead nowhere."""
        self._frame = _column(tables.stack_table.frame)
        self._caller = _callers(tables)
        self._chains = chains
        self._ids = chains.ids(_functions(tables, texts, libs))
        _check(self._frame, len(self._ids) - 1, "a frame")

    def of(self, stacks: Sequence[int | None]) -> tuple[Int64, InternedChains]:
        """The place of each stack among the chains that follow; one without frames is not known."""
        distinct, places = np.unique(_column(stacks), return_inverse=True)
        _check(distinct, len(self._frame), "a stack", least=-1)
        frames, lengths = self._frames_of(distinct)
        return places, self._chains.chains(self._ids, frames, lengths)

    def _frames_of(self, rows: Int64) -> tuple[Int64, Int64]:
        """The frames of some stacks, leaf first, one behind the other; and how many each has."""
        unknown = len(self._ids) - 1
        owners, frames = [np.flatnonzero(rows < 0)], [np.full((rows < 0).sum(), unknown)]
        owner, row, total = np.flatnonzero(rows >= 0), rows[rows >= 0], 0
        while len(row):
            total += len(row)
            if len(owners) > limits.most_stack_frames or total > limits.most_message_numbers:
                message = f"more than {limits.most_stack_frames:,} frames of a stack"
                if total > limits.most_message_numbers:
                    message = f"more than {limits.most_message_numbers:,} frames of stacks"
                raise DamagedTables(message)
            owners.append(owner)
            frames.append(self._frame[row])
            row = self._caller[row]
            owner, row = owner[row >= 0], row[row >= 0]
        whose = np.concatenate(owners)
        order = np.argsort(whose, kind="stable")
        return np.concatenate(frames)[order], np.bincount(whose, minlength=len(rows))


def _column(numbers: Sequence[int | None]) -> Int64:
    """-1 for null. OverflowError for numbers of more than 64 bits."""
    return np.array([-1 if number is None else number for number in numbers], np.int64)


def _callers(tables: ProfileTables) -> Int64:
    """The row of each stack's caller, -1 without one."""
    stacks = tables.stack_table
    rows = np.arange(len(stacks.frame))
    if stacks.prefix_offset is not None:
        offset = _column(stacks.prefix_offset)
        callers = np.where(offset == 0, -1, rows[: len(offset)] - offset)
    else:
        callers = _column(stacks.prefix or [])
    if len(callers) != len(rows) or (callers >= rows).any() or (callers < -1).any():
        message = "a stack whose caller is not before it"
        raise DamagedTables(message)
    return callers


def _check(numbers: Int64, end: int, what: str, least: int = 0) -> None:
    if len(numbers) and not (least <= numbers.min() and numbers.max() < end):
        message = f"{what} numbered {numbers.max():,}, where there are {end:,}"
        raise DamagedTables(message)


def _functions(
    tables: ProfileTables, texts: Sequence[str], libs: Sequence[MappedBinary]
) -> pl.DataFrame:
    """[name, dso, address] of each frame, and one that is not known."""
    frames, names = tables.frame_table, _names(tables, texts)
    binaries = [_dso(each) for each in libs]
    of_function = _places(tables, texts, libs)
    _check(_column(frames.func), len(names), "a function")
    own = frames.lib or [None] * len(frames.func)
    flags = frames.flags or [_HAS_ADDRESS] * len(frames.func)
    rows = []
    for func, address, lib, flag in zip(frames.func, frames.address, own, flags, strict=True):
        dso = of_function[func]
        has_address = flag & _HAS_ADDRESS and address is not None and address >= 0
        if frames.lib is not None and has_address and lib is not None and lib >= 0:
            dso = binaries[lib]
        rows.append(_function(names[func], dso, address if has_address else None))
    rows.append((UNKNOWN, UNKNOWN, None))
    schema = {"name": pl.String, "dso": pl.String, "address": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _names(tables: ProfileTables, texts: Sequence[str]) -> list[str]:
    _check(_column(tables.func_table.name), len(texts), "a text")
    return [texts[name] for name in tables.func_table.name]


def _places(tables: ProfileTables, texts: Sequence[str], libs: Sequence[MappedBinary]) -> list[str]:
    """The binary of each function, or what else it comes from. From version 70 on a resource has no
    binary but its name."""
    functions, resources = tables.func_table, tables.resource_table
    by_name = {each.name: _dso(each) for each in libs}
    of_resource = []
    for name, lib in zip(
        resources.name, resources.lib or [None] * len(resources.name), strict=True
    ):
        if lib is not None and lib >= 0:
            of_resource.append(_dso(libs[lib]))
        elif name is not None and name >= 0:
            of_resource.append(by_name.get(texts[name], texts[name]))
        else:
            of_resource.append(UNKNOWN)
    flags = functions.flags or [_HAS_RESOURCE] * len(functions.name)
    _check(_column(functions.resource), len(of_resource), "a resource", least=-1)
    return [
        of_resource[row] if flag & _HAS_RESOURCE and row is not None and row >= 0 else UNKNOWN
        for row, flag in zip(functions.resource, flags, strict=True)
    ]


def _dso(lib: MappedBinary) -> str:
    path = lib.path or lib.name or UNKNOWN
    return _KERNEL if path in _KERNEL_NAMES else path


def _function(name: str, dso: str, address: int | None) -> tuple[str, str, int | None]:
    """A function; without a name its address, which is in the binary. That of the kernel is not
    kept: it is counted from where this kernel begins, and nobody says where that is."""
    if not (name == unnamed_code(dso) or _ADDRESS.fullmatch(name) or not name):
        return name, dso, None
    is_kept = dso not in (UNKNOWN, _KERNEL) and address is not None and address <= _MOST_ADDRESS
    return UNKNOWN, dso, address if is_kept else None
