"""The recordings that come with the project, from ingest to answer."""

import csv
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

import perfduck
from perfduck import PerfduckError, visible
from perfduck.typed import listed
from perfduck_cli import process
from perfduck_cli.ingest_commands import Watch
from perfduck_cli.standard_streams import has_color, width

# In the wheel, and in a checkout.
_PLACES = (Path(__file__).parent / "demo", Path(__file__).parents[2] / "fixtures" / "demo")
_DIFF = "diff scenario=native scenario=docker0-nat --where workload={}"
_NEXT = (
    "perfduck top 'docker0-nat.crr.*' --by subsystem",
    "perfduck top scenario=docker0-nat,workload=udp64 nf_hook_slow --by callers",
    "perfduck compare workload=udp64 --over scenario",
    f"perfduck {_DIFF.format('crr')} --format html > report.html",
    "perfduck explain nf_conntrack_in",
)


def demo(
    store: Annotated[Path, typer.Option(help="The store to make, a DuckDB file.")] = Path(
        "perfduck-demo.duckdb"
    ),
) -> None:
    """Ingest the recordings that come with perfduck; compare native networking with docker0.

    Three runs a side of 64-byte UDP packets: between two hosts, and from a container behind
    docker0 with the NAT that Docker sets up. $PERFDUCK_STORE is left alone.
    """
    folder = next(place for place in _PLACES if place.is_dir())
    manifest = folder / "recordings.csv"
    process.return_freed_memory()
    with perfduck.open(store) as opened, Watch() as watch:
        _refuse_users_store(opened, manifest)
        opened.ingest(
            manifest=manifest,
            on_start=watch.started,
            progress=watch.progress,
            on_stored=watch.stored,
        )
        result = opened.diff("scenario=native", "scenario=docker0-nat", where="workload=udp64")
    command = f"perfduck {_DIFF.format('udp64')} --store {shlex.quote(str(store))}"
    text = result.to_text(width=width(), color=has_color())
    sys.stdout.write(f"\n$ {visible(command)}\n\n{text}\n{_now_try(store)}")


def _refuse_users_store(store: "perfduck.ProfileStore", manifest: Path) -> None:
    """PerfduckError where the store has recordings that do not come with perfduck."""
    if not Path(store.url).exists():
        return
    with manifest.open(newline="") as lines:
        ours = {row["name"] for row in csv.DictReader(lines)}
    if others := [name for name in store.names() if name not in ours]:
        got = f"one with {listed(others, 3)}"
        raise PerfduckError.at(
            store.url, expected="a new store or one of the demo", got=f"{got} (give --store)"
        )


def _now_try(store: Path) -> str:
    """Commands that work as they are printed, in the shell that ran the demo."""
    program = Path(sys.argv[0]).absolute()
    is_found = shutil.which("perfduck") is not None
    path = [] if is_found else [f'export PATH={shlex.quote(str(program.parent))}:"$PATH"']
    lines = [*path, f"export PERFDUCK_STORE={shlex.quote(str(store.absolute()))}", *_NEXT]
    return "Now try:\n\n" + "".join(f"  {line}\n" for line in lines)
