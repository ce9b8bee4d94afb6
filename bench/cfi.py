"""Compares the callers that perfduck_native finds by the unwind tables of a file with what the
tables say by pyelftools, for each row of each function.

    python bench/cfi.py libc.so.6...        ELF files of x86-64 or aarch64, of any machine

All words of a made-up stack, and all registers, are different addresses in the file, so that the
caller tells where it was read. Rows of expressions are counted and passed over.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from perfduck_kernels import native
from perfduck_symbols.elf import open_elf

_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
# DWARF's number of each register that perf records, in perf's order; 99 the instruction pointer.
_ORDER = {
    "x86_64": [0, 3, 2, 1, 4, 5, 6, 7, 99, *range(8, 16)],
    "aarch64": [*range(32), 99],
}
_MASKS = {"x86_64": 0xFF01FF, "aarch64": (1 << 33) - 1}
_STACK_POINTER = {"x86_64": 7, "aarch64": 31}
_BASE, _STACK = 1 << 40, 1 << 44  # where the file is mapped, and the stack is
_WORDS = 1 << 14
_BELOW = 1 << 10  # words below those that registers point to


def rows(path: Path) -> Iterator[tuple[int, Any, dict[int, Any], int]]:
    """Address, rule of the CFA, rules of registers and the return address's register."""
    with path.open("rb") as file:
        for entry in ELFFile(file).get_dwarf_info().EH_CFI_entries():
            if isinstance(entry, FDE):
                for row in entry.get_decoded().table:
                    rules = {key: rule for key, rule in row.items() if isinstance(key, int)}
                    yield row["pc"], row["cfa"], rules, entry.cie["return_address_register"]


def expected(
    cfa: Any, rule: Any, register: int, registers: dict[int, int], words: np.ndarray[Any, Any]
) -> int | None:
    """The return address of a row; 0 for none, None for an expression."""
    if cfa.expr is not None or (rule is not None and rule.type not in ("OFFSET", "UNDEFINED")):
        return None
    if rule is None:
        return registers.get(register, 0)
    if rule.type == "UNDEFINED":
        return 0
    place = registers[cfa.reg] + cfa.offset + rule.arg - _STACK
    return int(words[place // 8]) if place % 8 == 0 and 0 <= place < 8 * _WORDS else None


def compare(path: Path) -> Counter[str]:
    """How many rows are the same, other, or expressions."""
    with path.open("rb") as file:
        architecture = _MACHINES[ELFFile(file)["e_machine"]]
    elf = open_elf(path)
    unwinder = native.unwinder(architecture, 2)
    assert unwinder is not None, "perfduck_native is not installed"
    segments = [(one.offset, one.stored, one.address) for one in elf.header.segments]
    eh_frame, text, got = (elf.find(name) for name in (".eh_frame", ".text", ".got"))
    assert eh_frame is not None
    assert text is not None
    bases = (eh_frame.address, text.address, got.address if got else 0)
    tables = (elf.section(".eh_frame"), elf.section(".debug_frame"))
    unwinder.add_file(0, segments, bases, *tables)
    order, pointer = _ORDER[architecture], _STACK_POINTER[architecture]
    first = _BASE + text.address  # code of the file: any is a caller
    words = (first + 1 + np.arange(_WORDS) % (text.size - 1)).astype(np.uint64)
    counts = Counter[str]()
    for pc, cfa, rules, return_register in rows(path):
        values = {number: _STACK + 8 * (_BELOW + 8 * number) for number in order}
        values[pointer] = _STACK
        for number in values:
            if cfa.expr is None and number not in (cfa.reg, pointer):
                values[number] = first + 0x100 + 4 * number
        values[99] = _BASE + pc
        wanted = expected(cfa, rules.get(return_register), return_register, values, words)
        if wanted is None:
            counts["expressions"] += 1
            continue
        block = np.array([*(values[number] for number in order), *words.tolist()], np.uint64)
        addresses, _, _, _ = unwinder.unwind(
            block, np.array([0]), _MASKS[architecture], np.array([len(order)]),
            np.array([8 * _WORDS]), np.array([0]), np.array([0, 1]),
            np.array([_BASE], np.uint64), np.array([_BASE + (1 << 32)], np.uint64),
            np.array([(-_BASE) % (1 << 64)], np.uint64), np.array([0], np.uint64),
        )  # fmt: skip
        found = int(addresses[1]) + 1 if len(addresses) > 1 else 0
        is_same = found == wanted
        counts["same" if is_same else "other"] += 1
        if not is_same and counts["other"] <= 5:
            rule = rules.get(return_register)
            print(hex(pc), cfa, rule, hex(wanted), hex(found), file=sys.stderr)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=Path)
    print("| file | rows | same | other | expressions |")
    print("|---|---:|---:|---:|---:|")
    for path in parser.parse_args().files:
        counts = compare(path)
        numbers = (counts.total(), counts["same"], counts["other"], counts["expressions"])
        print(f"| {path.name} |", " | ".join(f"{one:,}" for one in numbers), "|", flush=True)


if __name__ == "__main__":
    main()
