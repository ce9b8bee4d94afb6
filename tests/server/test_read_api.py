"""The questions over HTTP: what the command prints, for every option; nothing typed is ignored."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
import urllib3
from rows import mostly_slow
from servers import HTTP, Server
from typer.testing import CliRunner

import perfduck
from perfduck_cli.main import app
from perfduck_server.read_api import QUESTIONS, SERVED

pytestmark = pytest.mark.slow

NATIVE, NAT = "scenario=native", "scenario=docker0-nat"
# The words of the command, and the URL that asks the same.
SAME = [
    ("profiles", "profiles"),
    ("profiles native.*", "profiles?selector=native.*"),
    (f"top {NATIVE}", "top?selector=scenario%3Dnative"),
    ("top native.udp64.1 --by comm --limit 4", "top?selector=native.udp64.1&by=comm&limit=4"),
    ("top * --where workload=crr --where run=1", "top?selector=*&where=workload=crr&where=run=1"),
    (
        "top docker0-nat.crr.1 --comm nginx --comm wrk --cpu 0 --skip 500ms --until 2s --by path",
        "top?selector=docker0-nat.crr.1&comm=nginx&comm=wrk&cpu=0&skip=500ms&until=2s&by=path",
    ),
    (
        "top docker0-nat.crr.1 --not-comm wrk --dso libc.so* --event cpu-clock --by dso",
        "top?selector=docker0-nat.crr.1&not_comm=wrk&dso=libc.so*&event=cpu-clock&by=dso",
    ),
    ("top native.crr.1 --not-pod softirq", "top?selector=native.crr.1&not_pod=softirq"),
    (
        "top docker0-nat.udp64.* nf_hook_slow --by callers",
        "top?selector=docker0-nat.udp64.*&function=nf_hook_slow&by=callers",
    ),
    (
        "top docker0-nat.udp64.* nf_hook_slow --by callees",
        "calls?selector=docker0-nat.udp64.*&function=nf_hook_slow&side=callees",
    ),
    (
        f"diff {NATIVE} {NAT} --where workload=udp64",
        f"diff?base={NATIVE}&new={NAT}&where=workload=udp64",
    ),
    (
        f"diff {NATIVE} {NAT} --where workload=crr --tree path --per cpu-second --paired"
        " --least-growth 10 --tolerance 3% --allow-kernel-change --subsystem nat",
        f"diff?base={NATIVE}&new={NAT}&where=workload=crr&tree=path&per=cpu-second&paired=true"
        "&least_growth=10&tolerance=3%25&allow_kernel_change=true&subsystem=nat",
    ),
    (
        f"diff native.udp64.3 --base-from {NATIVE} --last 2",
        f"diff?base={NATIVE}&new=native.udp64.3&last=2",
    ),
    (
        "compare workload=udp64 --over scenario --order native,docker0-nat,flannel-vxlan",
        "compare?selector=workload=udp64&over=scenario&order=native,docker0-nat,flannel-vxlan",
    ),
    ("compare workload=crr --over scenario", "compare?selector=workload=crr&over=scenario"),
]  # fmt: skip
REFUSED = [
    ("top", 422, "selector: expected a value, got none"),
    ("top?selector=*&lmit=3", 422, "unknown parameter lmit; did you mean limit?"),
    ("top?selector=*&limit=0", 422, "limit: expected a whole number from 1 to 1,000,000,000"),
    ("top?selector=*&limit=3&limit=4", 422, "limit: expected it once, got it 2 times"),
    ("top?selector=*&by=functoin", 422, "got functoin. Did you mean function?"),
    ("top?selector=*&by=callers", 422, "function: expected a function for by=callers"),
    ("top?selector=*&function=x", 422, "expected by=callers or by=callees with a function"),
    ("top?selector=*&comm=", 422, "comm: expected a name or a glob, got nothing"),
    ("top?selector=*&pid=x", 422, "pid: expected a whole number"),
    ("top?selector=*&until=1e300s", 422, "until 1e300s: expected a time like 1s"),
    ("timeline?selector=*&bucket=1e300", 422, "bucket 1e300: expected a time like 1s"),
    ("top?selector=nativ.*", 404, "did you mean native"),
    ("top?selector=id:0000000000000000", 404, "no profile has this id"),
    ("diff?base=native.*&new=docker0-nat.*&paired=yes", 422, "paired: expected true or false"),
    ("diff?base=native.*&new=docker0-nat.*&tolerance=x", 422, "tolerance x: expected a perc"),
    ("diff?base=native.*&new=docker0-nat.*&by=path", 422, "by=path: expected text, markdown"),
    ("diff?base=native.*&new=docker0-nat.*&explain=1", 422, "explain: expected format=text"),
    ("diff?base=native.*&new=docker0-nat.*&budget=total", 422, "budget: expected a budget file"),
    ("compare?selector=*&over=scenari", 422, "did you mean scenario"),
    ("export?selector=native.crr.1&format=gprof", 422, "format: expected folded, pprof, "),
    ("export?selector=native.crr.1&format=html&base=docker0-nat.*", 422, "base: expected "),
]


def ask(server: Server, path: str) -> urllib3.BaseHTTPResponse:
    return HTTP.request("GET", f"{server.url}/api/v1/{path}", retries=False)


@pytest.mark.parametrize(("command", "path"), mostly_slow(SAME, 4), ids=[path for _, path in SAME])
def test_json_is_what_the_command_prints(
    server: Server, demo_store: Path, command: str, path: str
) -> None:
    words = [*command.split(), "--format", "json", "--store", str(demo_store)]
    printed = CliRunner().invoke(app, words)
    answer = ask(server, path)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.data.decode() == printed.stdout
    assert json.loads(answer.data)


def test_every_option_of_the_library_is_asked_for() -> None:
    """The list above has all, so an option that is new is compared too."""
    asked = " ".join(path for _, path in SAME)
    names = {
        name
        for question, known in QUESTIONS.items()
        if question not in ("export", "sandwich", "timeline")  # the command has none of them
        for name in known.options
    }
    others = {"budget", "explain", "format"}  # below
    others |= {"pid", "cgroup", "pod", "netns", "not_netns"}  # not in the demo
    assert {name for name in names - others if f"{name}=" not in asked} == set()


@pytest.mark.parametrize("format", ["text", "markdown", "junit", "html"])
def test_a_diff_in_other_formats(server: Server, demo_store: Path, format: str) -> None:
    store = perfduck.open(demo_store)
    found = store.diff("native.crr.*", "docker0-nat.crr.*")
    answer = ask(server, f"diff?base=native.crr.*&new=docker0-nat.crr.*&format={format}")
    assert answer.data.decode() == getattr(found, f"to_{format}")()
    kept = {"attachment; filename=perfduck.html"} if format == "html" else {None}
    assert {answer.headers.get("content-disposition")} == kept


def test_a_budget_is_the_text_of_its_file(server: Server, tmp_path: Path, demo_store: Path) -> None:
    text = '[budget]\ntotal = "20 %"\n[budget.path]\n"br_handle_frame" = "0 ns"\n'
    file = tmp_path / "budget.toml"
    file.write_text(text)
    found = perfduck.open(demo_store).diff(NATIVE, NAT, where="workload=udp64", budget=file)
    asked = {"base": NATIVE, "new": NAT, "where": "workload=udp64", "budget": text}
    assert ask(server, f"diff?{urlencode(asked)}").data.decode() == found.to_json()


def test_folded_stacks_and_a_page_are_those_of_the_command(
    server: Server, demo_store: Path
) -> None:
    store = perfduck.open(demo_store)
    for format in ("folded", "html"):
        answer = ask(server, f"export?selector=native.crr.1&format={format}&comm=nginx")
        assert answer.data.decode() == store.export("native.crr.1", format, comm="nginx").text


def test_it_is_known_how_every_format_is_sent() -> None:
    formats = {each for asked in QUESTIONS.values() for each in asked.options["format"].choices}
    assert formats <= set(SERVED)


def test_files_for_other_tools_are_those_of_the_command(server: Server, demo_store: Path) -> None:
    store = perfduck.open(demo_store)
    of_two = {"base": "docker0-nat.crr.1"}
    for format, name, options in (
        ("pprof", "perfduck.pb.gz", of_two),
        ("speedscope", "perfduck.speedscope.json", of_two),
        ("firefox", "perfduck.firefox.json", {}),
    ):
        asked = urlencode({"selector": "native.crr.1", "format": format, **options})
        answer = ask(server, f"export?{asked}")
        export = store.export("native.crr.1", format, **options)
        assert answer.data == b"".join(export.parts())
        assert answer.headers["content-disposition"] == f"attachment; filename={name}"
        assert answer.headers["perfduck-note"] == export.notes[-1].text


def test_what_json_has_no_place_for_is_in_a_header(server: Server) -> None:
    notes = ask(server, "top?selector=*").headers.getlist("perfduck-note")
    assert any(note.startswith("not per unit of work") for note in notes)
    assert any(note.startswith("30 of ") for note in notes)
    assert ask(server, "top?selector=native.crr.1&limit=3").headers.getlist("perfduck-note") == []


@pytest.mark.parametrize(("path", "status", "line"), REFUSED, ids=[path for path, *_ in REFUSED])
def test_what_is_typed_wrong_is_a_line(server: Server, path: str, status: int, line: str) -> None:
    answer = ask(server, path)
    assert answer.status == status
    [(key, said)] = answer.json().items()
    assert key == "error"
    assert line in said
    assert "\n" not in said


def test_the_description_has_every_parameter(server: Server) -> None:
    paths = HTTP.request("GET", f"{server.url}/openapi.json").json()["paths"]
    for name, question in QUESTIONS.items():
        described = paths[f"/api/v1/{name}"]["get"]["parameters"]
        assert [each["name"] for each in described] == list(question.options)
    by = next(p for p in paths["/api/v1/top"]["get"]["parameters"] if p["name"] == "by")
    assert "callers" in by["schema"]["enum"]


def test_a_refusal_speaks_of_parameters(server: Server) -> None:
    asked = "/api/v1/diff?base=native.*&new=docker0-nat.*&where=run=1&paired=true"
    answer = HTTP.request("GET", server.url + asked)
    assert answer.status == 422
    assert answer.json()["error"].startswith("paired: expected the same runs")
    page = HTTP.request("GET", server.url + asked.replace("/api/v1", "")).data.decode()
    assert "paired: expected the same runs" in page
    assert "--paired" not in page
