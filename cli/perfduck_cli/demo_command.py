"""The recordings that come with the project, from ingest to answer."""

import sys
from pathlib import Path

from perfduck_cli.options import StorePath
from perfduck_cli.screen import screen

# In the wheel, and in a checkout.
_PLACES = (Path(__file__).parent / "demo", Path(__file__).parents[2] / "fixtures" / "demo")


def demo(store: StorePath = Path("perfduck-demo.duckdb")) -> None:
    """Ingest the recordings that come with perfduck; show native networking against docker0.

    Three runs a side of 64-byte UDP packets: between two hosts, and from a container behind
    docker0 with the NAT that Docker sets up.
    """
    from perfduck_cli.ingest_commands import store_all
    from perfduck_diff.answer import Request, answer, asked
    from perfduck_diff.filters import Filters
    from perfduck_ingest.ingest import Request as Recording
    from perfduck_ingest.manifest import requests
    from perfduck_report import diff_text
    from perfduck_store.store import Store

    folder = next(place for place in _PLACES if place.is_dir())
    store_all(store, requests(folder / "recordings.csv", Recording(source="")))
    where = Filters(where=("workload=udp64",))
    request = Request(base="scenario=native", new="scenario=docker0-nat", filters=where)
    with Store(store) as opened:
        found = answer(opened, request, asked(opened, request))
    sys.stdout.write(
        f"\n$ perfduck diff scenario=native scenario=docker0-nat --where workload=udp64"
        f" --store {store}\n\n{diff_text.report(found, screen=screen())}"
    )


COMMANDS = (demo,)
