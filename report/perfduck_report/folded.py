"""Folded stacks, as stackcollapse-perf.pl writes them: comm;root;...;leaf and the weight.

iperf3;[libc.so.6];entry_SYSCALL_64_after_hwframe;udp_sendmsg 1001001
iperf3;...;udp_sendmsg 412                   per unit of work, in ps/packet
iperf3;...;udp_sendmsg 1001001 2002002       base and new: what difffolded.pl writes

Call chains are text once, and not for each command.
"""

from collections import defaultdict
from collections.abc import Iterator

from perfduck_diff.export_input import ExportInput, ExportSide
from perfduck_report.export_frames import ChainTable
from perfduck_report.fine_units import FineUnit, Rounder, fine_unit
from perfduck_report.names import folded as folded_name
from perfduck_report.names import folded_binary

Line = tuple[str, int]  # the command and its `;`, and the rank of the chain among the sorted ones
_LINES_AT_ONCE = 10_000
_NO_COMM = "[none]"


def fine_unit_of(data: ExportInput) -> FineUnit | None:
    """The unit of weights that are per unit of work."""
    if data.work_unit is None or not data.per_work:
        return None
    return fine_unit(data.work_unit, data.largest())


def folded(data: ExportInput) -> Iterator[bytes]:
    """The lines, by stack; a column for each side."""
    fine = fine_unit_of(data)
    chains = _Chains(data)
    sides = [_weights(data, side, chains, fine) for side in data.sides]
    lines = sorted(set().union(*sides))  # a `;` is in no command: the order of the text
    for start in range(0, len(lines), _LINES_AT_ONCE):
        part = []
        for comm, rank in lines[start : start + _LINES_AT_ONCE]:
            weights = " ".join(str(side.get((comm, rank), 0)) for side in sides)
            part.append(f"{comm}{chains.texts[rank]} {weights}\n")
        yield "".join(part).encode()


class _Chains:
    """The texts of call chains, sorted; those of the same names are one."""

    def __init__(self, data: ExportInput) -> None:
        self.table = ChainTable(data)
        names = self.table.names(folded_name, folded_binary)
        texts = [
            ";".join([names[row] for row in reversed(self.table.leaf_first(place))])
            for place in range(len(self.table))
        ]
        self.texts = sorted(set(texts))
        ranks = {text: rank for rank, text in enumerate(self.texts)}
        self.ranks = [ranks[text] for text in texts]


def _weights(
    data: ExportInput, side: ExportSide, chains: _Chains, fine: FineUnit | None
) -> dict[Line, int]:
    weights: dict[Line, int] = defaultdict(int)
    rows = data.weights(*side.runs)
    places = chains.table.places([row.stack_id for row in rows]).tolist()
    for place, row in zip(places, rows, strict=True):
        comm = row.comm if row.comm == _NO_COMM else folded_name(row.comm)
        weights[f"{comm};", chains.ranks[place]] += row.weight
    if fine is None:
        return weights
    rounder = Rounder()
    scale = fine.factor / side.amount.divisor
    return {line: rounder.whole(weights[line] * scale) for line in sorted(weights)}
