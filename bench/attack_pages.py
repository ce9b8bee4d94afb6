"""Pages of the server and html reports in Chromium, of stores in which every name is a script.

    python bench/attack_pages.py [--shots DIR]

Names come as recordings and options bring them (perf script text, folded stacks, pprof, labels,
events, units, attachments, names of profiles), and what an importer would refuse (pods, notes,
limitations) is written into the store. Each page is opened, scrolled, hovered, searched, opened out
and clicked through. Right is: no script of a name runs, nothing is asked of another host, the
console is empty, no element comes of a name, and names can be read as text.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from urllib.parse import quote, urlencode

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "server"))

from playwright.sync_api import Browser, Page, sync_playwright
from servers import running

import perfduck
from perfduck_diff.keys import MatrixKey, SeriesKey
from perfduck_model.pprof_schema import Profile
from perfduck_store.duckdb.store import DuckDbStore

RUN = "pwn()"
SCRIPTS = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg/onload={RUN}>",
    f'"><svg onload={RUN}>',
    f"'><img src=http://evil.example/x onerror={RUN}>",
    f'" onmouseover="{RUN}" x="',
    f"' onclick='{RUN}' onfocus='{RUN}' autofocus='",
    f"javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"--><script>{RUN}</script><!--",
    f"]]><script>{RUN}</script>",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"${{{RUN}}}",
    f"`${{{RUN}}}`",
    f"';{RUN};'",
    f'\\";{RUN};//',
    f"\\u003cscript>{RUN}\\u003c/script>",
    "<base href=http://evil.example/>",
    "<meta http-equiv=refresh content=0;url=http://evil.example/>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<style>*{background:url(http://evil.example/x)}</style>",
    "<iframe src=http://evil.example/></iframe>",
    "<form action=http://evil.example/><input name=a></form>",
    "<template><b>x</b></template>",
    "&lt;b&gt;&#60;script&#62;",
    "%3Cscript%3E",
    "url(http://evil.example/x)",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "toString",
)
MARKS = "[src*=evil],link[href*=evil],[action*=evil],[onerror],[onload],[onclick],[onmouseover]"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update"]  # fmt: skip


def text(turn: int, more: int) -> str:
    """perf script text: each script as a comm, a function and a binary."""
    lines = []
    for number, script in enumerate([*SCRIPTS, *[SCRIPTS[turn]] * more] * 12):
        other = SCRIPTS[(number + turn) % len(SCRIPTS)]
        lines += [
            f"{script[:15]} {number % 99 + 1} [{number % 4:03d}] {1 + number / 50:.6f}: 1000000"
            " cpu-clock: ",
            f"\tffffffff81000000 {script}+0x10 (/bin/{other})",
            f"\tffffffff81000100 {other}+0x10 ([{script}])",
            "\tffffffff82000000 nf_hook_slow+0x1 ([kernel.kallsyms])",
            "\tffffffff82000000 net_rx_action+0x1 ([kernel.kallsyms])",
            "",
        ]
    return "\n".join(lines) + "\n"


def pprof(turn: int) -> bytes:
    """A profile whose type, unit, comments, labels, functions and files are scripts."""
    texts = ["", *SCRIPTS, "comm", "cgroup"]
    units = [place for place, text in enumerate(texts) if text and "/" not in text]  # no rates
    profile = Profile(
        string_table=texts,
        sample_type=[{"type": turn + 1, "unit": units[turn]}],
        period_type={"type": turn + 3, "unit": units[turn + 1]},
        comment=[turn + 5],
        mapping=[
            {"id": n, "filename": n, "memory_start": n << 20, "memory_limit": (n + 1) << 20}
            for n in range(1, len(SCRIPTS) + 1)
        ],
        function=[
            {"id": n, "name": n, "filename": n, "system_name": n}
            for n in range(1, len(SCRIPTS) + 1)
        ],
        location=[
            {"id": n, "mapping_id": n, "address": n << 20,
             "line": [{"function_id": n, "line": n}]}
            for n in range(1, len(SCRIPTS) + 1)
        ],
        sample=[
            {"location_id": [n, (n + turn) % len(SCRIPTS) + 1], "value": [1000 + turn],
             "label": [{"key": texts.index("comm"), "str": n},
                       {"key": texts.index("cgroup"), "str": n}]}
            for n in range(1, len(SCRIPTS) + 1)
        ],
    )  # fmt: skip
    raw: bytes = profile.SerializeToString()
    return raw


def build(path: Path, folder: Path) -> None:
    folder.mkdir()
    with perfduck.open(path) as store:
        for number, side in enumerate(("base", "new")):
            for run in range(3):
                file = folder / f"{side}{run}.txt"
                file.write_text(text(number + run, 30 * number + run))
                labels = {
                    "side": side,
                    "commit": f"{run}{SCRIPTS[number]}",
                    "commit_time": f"2026-11-2{run}T0{number}:00:00Z",
                    SCRIPTS[0]: SCRIPTS[4 + run],
                }
                rules = folder / f"{side}{run}.rules"
                rules.write_text(f"*nat\n[1:2] -A X -j {SCRIPTS[run]}\nCOMMIT\n")
                store.ingest(
                    file, name=f"{side}{run}{SCRIPTS[run]}", labels=labels, work=1000.0 + run,
                    unit=SCRIPTS[5], attach=[f"iptables={rules}", f"nft={file}"], lenient=True,
                    on_note=lambda _: None,
                )  # fmt: skip
        for turn in (0, 7, 12):
            file = folder / f"{turn}.pb"
            file.write_bytes(pprof(turn))
            store.ingest(file, name=f"pprof{turn}{SCRIPTS[turn]}", labels={"side": "pprof"},
                         on_note=lambda _: None)  # fmt: skip
        folded = folder / "x.folded"
        folded.write_text("".join(f"{s.replace(';', ',')};{s.replace(';', ',')} 9\n"
                                  for s in SCRIPTS))  # fmt: skip
        store.ingest(folded, name=f"folded{SCRIPTS[0]}", event=f"{SCRIPTS[1]}=us",
                     labels={"side": "folded"}, on_note=lambda _: None)  # fmt: skip
    _write_the_rest(path)


def _write_the_rest(path: Path) -> None:
    """What no importer would store."""
    with DuckDbStore(path, write=True) as store:
        profiles = [profile for (profile,) in store.rows("select profile_id from profile")]
        values = {"a": SCRIPTS[0], "b": SCRIPTS[6], "c": SCRIPTS[8]}
        store.execute("update profile set host = $a, command = $b, source = $c, layout = $b,"
                      " kernel_release = $a", values)  # fmt: skip
        store.execute("update symbol set subsystem = $a, area = $b where name like '%svg%'",
                      {"a": SCRIPTS[2], "b": SCRIPTS[1]})  # fmt: skip
        for number, script in enumerate(SCRIPTS):
            store.execute("update sample set cgroup = $c where pid = $p",
                          {"c": f"/kubepods/{script}", "p": number + 1})  # fmt: skip
        columns = "profile_id, pod_uid, namespace, pod, container_id, container, node"
        for profile in profiles:
            store.execute(f"insert into pod ({columns}) values ($p, $s, $s, $s, $s, $s, $s)",
                          {"p": profile, "s": SCRIPTS[1]})  # fmt: skip


def paths(server: str, ids: list[str], names: list[str]) -> Iterator[str]:
    """The pages, with answers, without, and with scripts typed into each parameter."""
    yield "/"
    yield from (f"/profiles/{each}" for each in ids)
    yield from (f"/profiles/{quote(name, safe='')}" for name in names)
    diff = {"base": "side=base", "new": "side=new"}
    for tree in ("rerooted", "path", "subsystem"):
        yield "/diff?" + urlencode(diff | {"tree": tree})
    for by in get_args(MatrixKey):
        yield "/compare?" + urlencode({"selector": "side=base+side=new", "over": "side", "by": by})
    for by in get_args(SeriesKey):
        yield "/trend?" + urlencode({"selector": "side=base", "over": "commit", "by": by})
    yield "/compare?" + urlencode({"selector": "side=base", "over": SCRIPTS[0]})
    yield from ("/sql", "/login", "/nowhere", "/d/nothing", "/profiles/0000000000000000")
    for script in SCRIPTS:
        typed = quote(script, safe="")
        yield f"/?text={typed}&label={typed}"
        yield f"/profiles/{typed}?comm={typed}&{typed}={typed}"
        yield f"/diff?base={typed}&new={typed}&where={typed}&comm={typed}"
        yield f"/diff?base=side%3Dbase&new=side%3Dnew&comm={typed}"
        yield f"/compare?selector={typed}&over={typed}"
        yield f"/trend?selector={typed}&over={typed}&{typed}"
        yield f"/sql?query={typed}&name={typed}"
        yield f"/login?next={typed}"
        yield f"/{typed}"


class Visitor:
    """Opens pages, and notes what is wrong about them."""

    def __init__(self, browser: Browser, shots: Path | None) -> None:
        self._browser, self._shots = browser, shots
        self.tried, self.failures = 0, list[str]()

    def visit(self, url: str, own: str, shot: str = "") -> None:
        self.tried += 1
        context = self._browser.new_context(viewport={"width": 1366, "height": 900})
        context.add_init_script("window.pwn = () => { window.pwned = location.href }")
        page, said = context.new_page(), list[str]()
        page.on("dialog", lambda dialog: said.append(f"dialog {dialog.message}"))
        page.on("pageerror", lambda error: said.append(f"error {error}"))
        page.on("console", lambda message: said.append(f"console {message.text}"))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(own) else said.append(f"asks {asked.url}"),
        )
        try:
            page.goto(url, wait_until="load")
            self._use(page)
            if self._shots and shot:
                page.screenshot(path=str(self._shots / f"{shot}.png"), full_page=True)
            said += self._wrong(page, url)
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}"[:300])
        context.close()
        said = [each for each in said if not re.search("status of 4|Password forms", each)]
        if said:
            self.failures.append(f"{url[:120]}: {said[:4]}")
            print(f"  FAILED {self.failures[-1]}", flush=True)

    def _use(self, page: Page) -> None:
        """Opens everything out, and hovers and clicks what reacts."""
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        page.mouse.wheel(0, 4000)
        for frame in page.locator("g.frame").all()[:40:8]:
            frame.dispatch_event("mouseover")
        for frame in page.locator("g.frame").all()[-1:]:
            frame.dispatch_event("click")
        for search in page.locator("input[type=search]").all()[:3]:
            if search.is_visible():
                search.fill("script")
        for button in page.locator("button[data-function]").all()[:40:10]:
            button.evaluate("button => button.click()")
        for select in page.locator("circle, rect, tr").all()[:30:10]:
            select.dispatch_event("mouseover")
        page.wait_for_timeout(60)

    @staticmethod
    def _wrong(page: Page, url: str) -> list[str]:
        said = []
        if page.evaluate("window.pwned"):
            said.append(f"a script ran: {page.evaluate('window.pwned')}")
        if count := page.evaluate(f"document.querySelectorAll('{MARKS}').length"):
            said.append(f"{count} elements of names")
        odd = "body img, body iframe, body template, base, meta[http-equiv=refresh]"
        if count := page.evaluate(f"document.querySelectorAll('{odd}').length"):
            said.append(f"{count} odd elements")
        links = "[...document.links].filter(a => !['http:', 'https:', 'file:', 'blob:'].includes("
        if bad := page.evaluate(links + "a.protocol)).map(a => a.href)"):
            said.append(f"links to {bad[:3]}")
        return said


def reports(store: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Files of html, as the commands write them."""
    with perfduck.open(store) as opened:
        yield "diff", _kept(folder, "diff", opened.diff("side=base", "side=new").to_html())
        for by in get_args(SeriesKey):
            html = opened.trend("side=base", "commit", by=by).render("html")
            yield f"trend {by}", _kept(folder, f"trend-{by}", html)
        for side in ("base", "new", "pprof", "folded"):
            file = folder / f"export-{side}.html"
            opened.export(f"side={side}", "html").write(file)
            yield f"export {side}", file


def _kept(folder: Path, name: str, html: str) -> Path:
    path = folder / f"{name}.html"
    path.write_text(html, encoding="utf-8")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=Path, help="folder for pictures of the pages")
    given = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        store = folder / "store.duckdb"
        build(store, folder / "recordings")
        browser = driver.chromium.launch(executable_path=program, args=_FLAGS)
        visitor = Visitor(browser, given.shots)
        for number, (what, file) in enumerate(reports(store, folder)):
            visitor.visit(file.as_uri(), file.as_uri(), f"report-{number}-{what}")
        with running(store) as server:
            rows = json.loads(_asked(f"{server.url}/api/v1/profiles"))
            ids, names = [row["id"] for row in rows], [row["name"] for row in rows]
            for number, path in enumerate(paths(server.url, ids, names)):
                visitor.visit(
                    server.url + path, server.url, f"page-{number}" if number < 40 else ""
                )
    print("| attack | tried | failed |\n| --- | ---: | ---: |")
    print(f"| scripts in names, pages in Chromium | {visitor.tried} | {len(visitor.failures)} |")
    return 1 if visitor.failures else 0


def _asked(url: str) -> bytes:
    import urllib3

    data: bytes = urllib3.request("GET", url).data
    return data


if __name__ == "__main__":
    sys.exit(main())
