"""Folded stacks, as stackcollapse-perf.pl writes them: comm;root;...;leaf and the weight.

iperf3;[libc.so.6];entry_SYSCALL_64_after_hwframe;udp_sendmsg 1001001
iperf3;...;udp_sendmsg 412                   per unit of work, in ps/packet
iperf3;...;udp_sendmsg 1001001 2002002       base and new: what difffolded.pl writes
"""

from collections.abc import Iterator, Sequence

from perfduck_diff.export_input import ExportInput, ExportSide
from perfduck_report.fine_units import FineUnit, Rounder, fine_unit
from perfduck_report.names import folded as folded_name

Weights = dict[str, int]
_LINES_AT_ONCE = 10_000


def fine_unit_of(data: ExportInput) -> FineUnit | None:
    """The unit of weights that are per unit of work."""
    if data.work_unit is None or not data.per_work:
        return None
    return fine_unit(data.work_unit, data.largest())


def folded(data: ExportInput) -> Iterator[bytes]:
    """The lines, by stack; a column for each side."""
    fine = fine_unit_of(data)
    sides = [_weights(data, side, fine) for side in data.sides]
    paths = sorted(set().union(*sides)) if len(sides) > 1 else list(sides[0])
    for start in range(0, len(paths), _LINES_AT_ONCE):
        lines = (_line(path, sides) for path in paths[start : start + _LINES_AT_ONCE])
        yield "".join(lines).encode()


def _line(path: str, sides: Sequence[Weights]) -> str:
    return f"{path} {' '.join(str(side.get(path, 0)) for side in sides)}\n"


def _weights(data: ExportInput, side: ExportSide, fine: FineUnit | None) -> Weights:
    rounder = Rounder()
    scale = fine.factor / side.amount.divisor if fine else 1.0
    weights: Weights = {}
    for each in data.folded(side):
        path = ";".join(map(folded_name, each.path))
        weight = rounder.whole(each.weight * scale) if fine else each.weight
        weights[path] = weights.get(path, 0) + weight
    return weights
