"""Hybrid CPUs: the events of each core PMU are events of their own.

No such machine was at hand. Layout: the type of the PMU in the upper half of config
(linux/perf_event.h, PERF_PMU_TYPE_SHIFT), u32 count, {u32 type, string} of HEADER_PMU_MAPPINGS
(tools/perf/Documentation/perf.data-file-format.txt).
"""

import struct
from pathlib import Path

import oracle
import pytest
from made import FIELDS, Recording, padded

from perfduck_ingest.perf_data import features, records

CORE, ATOM = 4, 10  # types of PMUs, as on Alder Lake
PMUS = struct.pack("<I", 3) + b"".join(
    struct.pack("<I", number) + padded(name)
    for number, name in ((CORE, "cpu_core"), (1, "software"), (ATOM, "cpu_atom"))
)
PROGRAM = "/opt/app/bin/progs"


def hybrid(samples: dict[int, int], name: str = "cycles:P") -> Recording:
    """Samples of each PMU, whose events have one name, as of an older `perf record -e cycles`."""
    made = Recording(FIELDS | records.SAMPLE_IDENTIFIER, features={features.PMU_MAPPINGS: PMUS})
    made.events = [(0, pmu << 32, 70 + pmu, name) for pmu in samples]
    made.comm("prog")
    made.map(0x401000, 0x78000, 0x1000, PROGRAM)
    time = 10
    for pmu, count in samples.items():
        for _ in range(count):
            made.sample(time, 0x401620 + pmu, period=1000 * pmu, number=70 + pmu)
            time += 1
    return made


@pytest.mark.parametrize("is_described", [True, False])
def test_events_of_one_name_are_kept_apart_by_their_pmu(
    tmp_path: Path, *, is_described: bool
) -> None:
    made = hybrid({CORE: 3, ATOM: 2}, "cycles:P" if is_described else "")
    batches = oracle.batches_of(made.write(tmp_path / "perf.data"))
    modifiers = "P" if is_described else ""
    assert oracle.frame_of(batches)["event"].value_counts().sort("event").rows() == [
        (f"cpu_atom/cycles/{modifiers}", 2),
        (f"cpu_core/cycles/{modifiers}", 3),
    ]


def test_a_pmu_without_a_name_is_a_number(tmp_path: Path) -> None:
    made = hybrid({CORE: 1, ATOM: 1})
    made.features.clear()
    batches = oracle.batches_of(made.write(tmp_path / "perf.data"))
    assert set(oracle.frame_of(batches)["event"]) == {"pmu_4/cycles/P", "pmu_10/cycles/P"}
