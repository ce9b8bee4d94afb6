"""The recordings that come with the project, from ingest to answer."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perfduck_cli.screen import screen

if TYPE_CHECKING:
    from perfduck.ingestion import IngestRequest

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
    """Ingest the recordings that come with perfduck; show native networking against docker0.

    Three runs a side of 64-byte UDP packets: between two hosts, and from a container behind
    docker0 with the NAT that Docker sets up. $PERFDUCK_STORE is left alone.
    """
    from perfduck.ingestion import IngestRequest
    from perfduck.manifest import requests
    from perfduck_cli.ingest_commands import store_all
    from perfduck_diff.answer import DiffRequest, compare_profiles, resolve_sides
    from perfduck_diff.filters import Filters
    from perfduck_report import diff_text
    from perfduck_report.names import visible
    from perfduck_store.store import Store

    folder = next(place for place in _PLACES if place.is_dir())
    recordings = requests(folder / "recordings.csv", IngestRequest(source=""))
    _refuse_users_store(store, recordings)
    store_all(store, recordings)
    where = Filters(where=("workload=udp64",))
    request = DiffRequest(base="scenario=native", new="scenario=docker0-nat", filters=where)
    with Store(store) as opened:
        found = compare_profiles(opened, request, resolve_sides(opened, request))
    command = f"perfduck {_DIFF.format('udp64')} --store {shlex.quote(str(store))}"
    sys.stdout.write(
        f"\n$ {visible(command)}\n\n{diff_text.report(found, screen=screen())}\n{_now_try(store)}"
    )


def _refuse_users_store(path: Path, recordings: "list[IngestRequest]") -> None:
    """PerfduckError where the store has recordings that do not come with perfduck."""
    from perfduck_model.errors import PerfduckError
    from perfduck_model.suggestion import listed
    from perfduck_store.store import Store

    if not path.exists():
        return
    with Store(path) as opened:
        others = {each.name for each in opened.profiles.all()} - {each.name for each in recordings}
    if others:
        got = f"one with {listed(sorted(others), 3)}"
        message = f"{path}: expected a new store or one of the demo, got {got} (give --store)"
        raise PerfduckError(message)


def _now_try(store: Path) -> str:
    """Commands that work as they are printed, in the shell that ran the demo."""
    program = Path(sys.argv[0]).absolute()
    is_found = shutil.which("perfduck") is not None
    path = [] if is_found else [f'export PATH={shlex.quote(str(program.parent))}:"$PATH"']
    lines = [*path, f"export PERFDUCK_STORE={shlex.quote(str(store.absolute()))}", *_NEXT]
    return "Now try:\n\n" + "".join(f"  {line}\n" for line in lines)


COMMANDS = (demo,)
