"""A `perf` that runs the command it is given, as perf does, and hands over recordings that were
made before: tests need no permission to record, and know what was recorded.

Recordings are of a program with the functions `turn` and `deep`. A command that writes `new` into
the file `side` beside it gets one of the new side, in which `deep` takes twice as long.
"""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from made import CHAIN, Recording
from recordings import FIXTURES

from perfduck_symbols.elf import open_elf

SPIN = FIXTURES / "perf_data" / "symfs" / "tmp" / "perfduck-fixture" / "spin"
RECORDINGS = 24  # of each side
SAMPLES = {"base": (300, 60), "new": (300, 120)}  # of `turn` and `deep`
# What says how this machine is set up. Here none of it is there: it takes a second, and differs.
_STATE = (
    "iptables-save", "iptables-legacy-save", "ip6tables-save", "ip6tables-legacy-save", "nft",
    "ip", "bpftool", "crictl", "kubectl", "docker", "podman",
)  # fmt: skip
_ABSENT = "#!/bin/sh\necho 'No such file or directory' >&2; exit 1\n"
_PERIOD = 1_000_000
_YEAR_2096 = 4e9  # the program was not changed since
_SCRIPT = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
case " $* " in *" --all-cgroups "*)
    [ ! -e "$here/no-cgroups" ] || { echo "--all-cgroups: not supported" >&2; exit 129; };; esac
case " $* " in *" --namespaces "*)
    [ ! -e "$here/no-namespaces" ] || { echo "Permission denied" >&2; exit 255; };; esac
case " $* " in *" refused "*) echo "event syntax error: 'refused'" >&2; exit 255;; esac
[ ! -e "$here/refusal" ] || { cat "$here/refusal" >&2; exit 255; }
while [ "$1" != -o ]; do shift; done
out=$2; shift 3
"$@"; status=$?
[ "$*" != true ] || exit 0
[ ! -e "$here/full" ] || { echo "failed to write perf data, error: No space left" >&2; exit 255; }
count=$(cat "$here/count" 2>/dev/null || echo 0)
echo $((count + 1)) > "$here/count"
cp -p "$here/$(cat "$here/side" 2>/dev/null || echo base).$((count % RECORDINGS)).data" "$out"
exit $status
"""


@dataclass(frozen=True)
class FakePerf:
    """Where it is."""

    folder: Path

    def load(self, side: str, work: int = 1200) -> str:
        """A command of a side, that prints how much it got done."""
        path = self.folder / f"load-{side}"
        path.write_text(
            f"#!/bin/sh\necho {side} > {self.folder}/side\n"
            f"echo '  {work} requests in 1.00s, 1MB read'\n"
        )
        path.chmod(0o755)
        return str(path)

    @property
    def calls(self) -> list[str]:
        """What it was called with, the calls with `true` left out, that try whether it records."""
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if not line.endswith(" true")]

    def says(self, name: str, text: str = "") -> None:
        """Have it refuse (`refusal`), run out of disk (`full`), or lack `no-cgroups` or
        `no-namespaces`."""
        (self.folder / name).write_text(text)


def make(folder: Path) -> FakePerf:
    """The program and its recordings in a folder, which is to be the first of PATH."""
    folder.mkdir()
    program = folder / "program"
    shutil.copy(SPIN, program)
    functions = open_elf(SPIN).functions()
    turn, deep = (functions.filter(name=name)["address"][0] for name in ("turn", "deep"))
    random = np.random.default_rng(7)
    for side, (turns, deeps) in SAMPLES.items():
        for number in range(RECORDINGS):
            counts = random.normal((turns, deeps), np.sqrt((turns, deeps)) / 2).astype(int)
            path = folder / f"{side}.{number}.data"
            samples = dict(zip((turn, deep), counts.tolist(), strict=True))
            _recording(program, samples, start=number).write(path)
            os.utime(path, (_YEAR_2096, _YEAR_2096))
    programs = dict.fromkeys(_STATE, _ABSENT)
    programs["perf"] = _SCRIPT.replace("RECORDINGS", str(RECORDINGS))
    for name, script in programs.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return FakePerf(folder)


def _recording(program: Path, samples: dict[int, int], start: int) -> Recording:
    """No two start alike: equal ones would be stored once."""
    made = Recording(CHAIN, hostname=platform.node())
    made.comm("spin")
    made.map(0x400000, 0x100000, 0, str(program))
    time = 10 + start
    for address, count in samples.items():
        for _ in range(count):
            made.sample(time, address + 4, [address + 4], period=_PERIOD)
            time += _PERIOD
    return made
