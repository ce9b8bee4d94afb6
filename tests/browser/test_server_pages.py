"""The pages of a server in Chromium: nothing is asked of another host, nothing is an error."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
from hostile import build
from recordings import FIXTURES
from servers import HTTP, Server, copied, running
from terminal import PROGRAM

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DIFF = "/diff?base=scenario%3Dnative&new=scenario%3Ddocker0-nat&where=workload%3Dudp64"
COMPARE = "/compare?selector=workload%3Dudp64&over=scenario"
DEMO = FIXTURES / "demo"
DESKTOP = {"width": 1366, "height": 900}
PHONE = {"width": 390, "height": 844}
SETTLES_MS = 200


@pytest.fixture(scope="module")
def server(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with copied(demo_store, tmp_path_factory.mktemp("served")) as started:
        yield started


@contextmanager
def opened(chromium: Any, server: Server, *, phone: bool = False) -> Iterator[Any]:
    """A page that is checked at its end: no error, no message, no request to another host."""
    context = chromium.new_context(
        viewport=PHONE if phone else DESKTOP, is_mobile=phone, has_touch=phone,
        reduced_motion="reduce", base_url=server.url,
    )  # fmt: skip
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(server.url) else troubles.append(asked.url),
    )
    try:
        yield page
    finally:
        context.close()
    # A page of an error is one, which Chromium says
    assert [
        each for each in troubles if not ("status of 4" in each or "Password forms" in each)
    ] == []


@pytest.fixture
def page(chromium: Any, server: Server) -> Iterator[Any]:
    with opened(chromium, server) as checked:
        yield checked


def id_of(server: Server, name: str) -> str:
    rows = HTTP.request("GET", f"{server.url}/api/v1/profiles?selector={name}").json()
    return str(rows[0]["id"])


def settled(page: Any) -> None:
    page.wait_for_timeout(SETTLES_MS)


def test_no_page_is_wider_than_a_phone(chromium: Any, server: Server) -> None:
    profile = f"/profiles/{id_of(server, 'native.crr.1')}"
    with opened(chromium, server, phone=True) as page:
        for path in ("/", profile, DIFF, COMPARE, "/sql", "/diff?base=nativ&new=x", "/compare"):
            page.goto(path)
            settled(page)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert (path, wide) == (path, PHONE["width"])


def test_recordings_are_filtered_by_label_and_text_in_the_address(page: Any) -> None:
    page.goto("/")
    rows = page.locator("tbody tr")
    assert rows.count() == 18
    page.click("dd >> text=docker0-nat")
    page.wait_for_url("**/?label=scenario%3Ddocker0-nat")
    assert rows.count() == 6
    page.fill("[name=text]", "UDP64")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?label=scenario%3Ddocker0-nat&text=UDP64")
    assert rows.count() == 3
    page.go_back()
    assert rows.count() == 6
    page.goto("/?text=nothing+like+it")
    assert page.locator("tbody").inner_text().startswith("No recording has that.")


def test_two_groups_are_ticked_and_compared(page: Any) -> None:
    page.goto("/?label=workload%3Dcrr")
    for side, name in (("base", "native.crr"), ("new", "docker0-nat.crr")):
        for run in (1, 2, 3):
            page.check(f'input[data-side={side}][data-selector="{name}.{run}"]')
    assert page.input_value("#pick-new").count("+") == 2
    page.click("#pick button")
    page.wait_for_selector("g.frame")
    assert page.locator(".badge").inner_text().lower() in ("regression", "inconclusive", "pass")
    assert page.locator("h1").first.inner_text().startswith("native")


def test_a_function_of_a_diff_is_seen_in_both_sides_and_back_closes_it(page: Any) -> None:
    page.goto(DIFF)
    page.wait_for_selector("g.frame")
    page.locator(
        "button[data-function=nf_hook_slow], button[data-function=ip_forward]"
    ).first.click()
    page.wait_for_selector("#sandwich-callees g.frame")
    name = page.locator("#sandwich-name").inner_text()
    assert f"function={name}" in page.evaluate("location.hash")
    said = page.locator("#sandwich-middle").inner_text()
    assert said.startswith(f"{name}: 0 → ")
    assert "ns/packet" in said
    page.locator("#sandwich-callers g.frame").nth(1).click()
    settled(page)
    other = page.locator("#sandwich-name").inner_text()
    assert other != name
    page.go_back()
    settled(page)
    assert page.locator("#sandwich-name").inner_text() == name
    page.go_back()
    assert page.locator("#sandwich").is_hidden()
    page.locator('#flame g.frame[name="br_handle_frame"]').first.click()
    page.click("#details button[data-function]")
    page.wait_for_selector("#sandwich-callees g.frame")
    assert page.locator("#sandwich-name").inner_text() == "br_handle_frame"


def test_callers_and_callees_are_reached_by_keys(page: Any) -> None:
    page.goto(f"{DIFF}#function=ip_forward")
    page.wait_for_selector("#sandwich-callees g.frame")
    for part, deeper in (("callers", "ArrowUp"), ("callees", "ArrowDown")):
        page.focus(f"#sandwich-{part}")
        page.keyboard.press(deeper)
        said = page.locator("#sandwich-said").inner_text()
        assert "ns/packet" in said
        assert not said.startswith("ip_forward:")
        assert page.locator(f"#sandwich-{part} g.frame.cursor").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_function(
        "name => document.getElementById('sandwich-name').textContent === name",
        arg=said.partition(": ")[0],
    )


def test_a_span_of_the_heat_map_becomes_filters(page: Any, server: Server) -> None:
    path = f"/profiles/{id_of(server, 'docker0-nat.crr.1')}"
    page.goto(f"{path}?comm=nginx")
    settled(page)
    whole = page.locator(".figures dd").first.inner_text()
    page.locator("#heat").scroll_into_view_if_needed()
    box = page.locator("#heat").bounding_box()
    page.mouse.move(box["x"] + 34 + 2, box["y"] + 198)
    page.mouse.down()
    page.mouse.move(box["x"] + 34 + 2, box["y"] + 2, steps=3)
    page.mouse.up()
    page.wait_for_url(lambda url: url.endswith("?comm=nginx&until=1s"))
    assert page.locator("[name=until]").input_value() == "1s"
    assert "comm nginx until 1s" in page.locator("header.head").inner_text()
    page.locator("#heat").focus()
    for key in ("ArrowRight", "ArrowUp", "Enter", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url(lambda url: "skip=1.02s&until=2.04s" in url)
    assert page.locator(".figures dd").first.inner_text() != whole


def test_a_query_is_run_saved_and_found_again(page: Any) -> None:
    page.goto("/sql")
    page.locator(".queries .link").first.click()
    page.wait_for_selector("#rows tbody tr")
    assert page.locator("#rows tbody tr").count() == 20
    assert page.locator("#chart rect").count() == 20
    page.fill("#query", "select comm, count(*) as n from hit group by comm order by n desc limit 3")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#sql-said:has-text('3 rows')")
    assert page.locator("#rows tbody tr").count() == 3
    page.fill("#save-name", "busiest programs")
    page.click("#save button")
    page.wait_for_selector("#saved li")
    page.fill("#query", "selec 1")
    page.click("#run")
    page.wait_for_selector("#sql-error:not([hidden])")
    assert "syntax error" in page.locator("#sql-error").inner_text().lower()
    page.goto("/sql")
    page.click("text=busiest programs")
    page.wait_for_selector("#rows tbody tr")
    assert page.locator("#rows tbody tr").count() == 3
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("[data-forget]")
    page.wait_for_selector("#none-saved:not([hidden])")


def test_a_query_after_one_that_runs_stops_it_without_a_word(page: Any) -> None:
    page.goto("/sql")
    page.fill(
        "#query", "select count(*) from hit a, hit b, hit c where a.weight + b.weight > c.weight"
    )
    page.click("#run")
    page.wait_for_selector("#stop:enabled")
    page.locator(".queries .link").first.click()
    page.wait_for_selector("#rows tbody tr")
    settled(page)
    assert page.locator("#sql-error").is_hidden()
    assert page.locator("#stop").is_disabled()


def test_cells_and_names_of_bars_are_whole(page: Any) -> None:
    page.goto("/sql")
    page.fill("#query", "select labels, function from hit limit 5")
    page.click("#run")
    page.wait_for_selector("#rows tbody tr")
    for cell in page.locator("#rows tbody td").all():
        assert cell.bounding_box()["height"] < 40
    page.fill("#query", "select repeat('W', n::int) as name, n from range(30, 33) as r(n)")
    page.click("#run")
    page.wait_for_selector("#chart rect")
    starts = page.locator("#chart text").evaluate_all("all => all.map((text) => text.getBBox().x)")
    assert min(starts) >= 0


def test_a_chart_says_what_it_draws_and_what_it_leaves_out(page: Any) -> None:
    page.goto("/sql")
    page.fill("#query", "select 'row ' || n as name, n as height from range(1, 41) as r(n)")
    page.click("#run")
    page.wait_for_selector("#chart rect")
    assert page.locator("#chart rect").count() == 30
    assert page.locator("#chart p").inner_text() == "height, 30 of 40 rows"


def test_work_is_a_number_and_never_ignored(page: Any) -> None:
    page.goto("/")
    page.locator("[data-edit]").first.click()
    for typed, line in (("", "work: it can be changed, not removed"),
                        ("1,000", "work: expected a number above 0, got 1,000")):  # fmt: skip
        page.fill("#edit-form [name=work]", typed)
        page.click("#edit-save")
        assert page.locator("#edit-error").inner_text() == line


def test_a_recording_is_edited_on_a_phone(chromium: Any, server: Server) -> None:
    with opened(chromium, server, phone=True) as page:
        page.goto("/")
        box = page.locator("[data-edit]").first.bounding_box()
        assert box["x"] + box["width"] <= PHONE["width"]


def test_what_is_typed_wrong_is_the_line_of_the_command(page: Any) -> None:
    page.goto("/diff?base=nativ.*&new=scenario=docker0-nat")
    assert "did you mean native." in page.locator(".card.failure").inner_text()
    assert page.input_value("[name=base]") == "nativ.*"
    page.goto("/diff?base=native.crr.1&new=docker0-nat.crr.1&comm=ngin")
    assert "did you mean nginx" in page.locator(".card.failure").inner_text()
    page.goto("/compare?selector=*&over=scenari")
    assert "did you mean scenario" in page.locator(".card.failure").inner_text()
    page.goto("/?lable=x")
    assert "did you mean label" in page.locator(".card.failure").inner_text()


def test_groups_are_compared(page: Any) -> None:
    page.goto("/compare")
    page.fill("[name=selector]", "workload=crr")
    page.fill("[name=over]", "scenario")
    page.click(".primary")
    page.wait_for_selector(".matrix")
    heads = page.locator(".matrix thead th").all_inner_texts()
    assert heads == ["Subsystem", "native", "docker0-nat", "flannel-vxlan"]
    assert page.locator(".matrix .part").first.bounding_box()["width"] > 20


def test_names_of_recordings_are_text_and_nothing_else(chromium: Any, tmp_path: Path) -> None:
    build(tmp_path / "store.duckdb", tmp_path, 0)
    with running(tmp_path / "store.duckdb") as server, opened(chromium, server) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        rows = HTTP.request("GET", f"{server.url}/api/v1/profiles").json()
        paths = [f"/profiles/{row['id']}" for row in rows[:2]]
        for path in (
            "/",
            *paths,
            "/diff?base=side%3Dbase&new=side%3Dnew",
            "/compare?selector=*&over=side",
        ):
            page.goto(path)
            settled(page)
            page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
            text = page.evaluate("document.body.innerText")
            assert not set("\u202e\u200b\x1b\x07") & set(text), path
            assert page.evaluate("document.querySelectorAll('body img, body iframe').length") == 0
            assert page.evaluate(
                "[...document.links].every(link => link.origin === location.origin)"
            )
            assert page.evaluate(
                "[...document.scripts].every(s => s.src || s.type === 'application/json')"
            )
        page.goto(paths[0])
        buttons = page.locator("button[data-function]")
        for place in range(0, buttons.count(), 25):
            buttons.nth(place).evaluate("button => button.click()")
            page.wait_for_selector("#sandwich-said:not(:has-text('Asking'))", state="attached")
            assert page.locator("#sandwich-said").inner_text() == ""


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[Server]:
    """A server that a test may change: two recordings of each of two sides."""
    with running(tmp_path / "store.duckdb") as started:
        for side, leaf, samples in (("a", "udp_sendmsg", 800), ("b", "nf_nat_inet_fn", 1600)):
            for run in (1, 2):
                asked = f"label.side={side}&label.run={run}&work=1000&unit=packet&wait=60"
                body = recording(leaf, samples + run)
                url = f"{started.url}/api/v1/recordings/{side}{run}.txt?{asked}"
                assert urllib3.request("PUT", url, body=body, timeout=60).status == 201
        yield started


DROP = """(target, [name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    for (const kind of ["dragover", "drop"])
        target.dispatchEvent(new DragEvent(kind,
            { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


def recording(leaf: str, samples: int) -> str:
    """perf script text, a sample each millisecond."""
    return "".join(
        f"client 7 [000] {1 + 0.001 * at:.6f}: 1000000 cpu-clock: \n"
        f"\tff {leaf}+0x1 ([kernel.kallsyms])\n\tff do_syscall_64+0x1 ([kernel.kallsyms])\n\n"
        for at in range(samples)
    )


def push(page: Any, name: str, text: str, labels: str) -> str:
    """What the page says of a dropped file."""
    page.goto("/")
    page.fill("#push-labels", labels)
    page.fill("#push-work", "1000")
    page.fill("#push-unit", "packet")
    page.locator("#drop").evaluate(DROP, [name, text])
    page.wait_for_selector("#pushed .good, #pushed .bad", timeout=60_000)
    return str(page.locator("#pushed .good, #pushed .bad").inner_text())


def test_the_empty_page_has_the_line_of_curl_and_takes_dropped_files(
    chromium: Any, tmp_path: Path
) -> None:
    with running(tmp_path / "s.duckdb") as empty, opened(chromium, empty) as page:
        page.goto("/")
        assert page.locator("#drop-title").inner_text() == "No recordings yet"
        line = f"curl -T run.txt.xz '{empty.url}/api/v1/recordings?label.scenario=native'"
        assert page.locator(".line").inner_text() == line
        for run in (1, 2):
            said = push(
                page, f"a{run}.txt", recording("udp_sendmsg", 800 + run), f"side=a run={run}"
            )
            assert f"{800 + run}" in said
            push(page, f"b{run}.txt", recording("nf_nat_inet_fn", 1600 + run), f"side=b run={run}")
        page.click("text=Show it in the list")
        page.wait_for_load_state()
        assert page.locator("tbody tr").count() == 4
        assert page.locator("tbody tr .tag >> text=side=a").count() >= 2
        said = push(page, "c.txt", recording("udp_sendmsg", 800), "side=c native")
        assert "native: expected key=value" in said
        said = push(page, "notes.txt", "this is no profile\n" * 50, "")
        assert "notes.txt" in said
        assert "expected" in said
        push(page, "a1.txt", recording("udp_sendmsg", 801), "side=a run=1")
        page.click("text=look at it")
        page.wait_for_url("**/profiles/*")
        assert "a1" in page.locator("h1").inner_text()


def test_files_beside_a_recording_are_pushed_with_it(chromium: Any, tmp_path: Path) -> None:
    kallsyms, run = tmp_path / "kallsyms", tmp_path / "run.txt"
    kallsyms.write_text(
        "ffffffff81000000 T _text\n"
        "ffffffff81000000 T udp_sendmsg\n"
        "ffffffff81000100 T do_syscall_64\n"
    )
    run.write_text(recording("udp_sendmsg", 900))
    with running(tmp_path / "s.duckdb") as empty, opened(chromium, empty) as page:
        page.goto("/")
        page.click("text=Files beside it")
        page.set_input_files("#push-work-file", DEMO / "native.udp64.1.iperf3.json")
        page.set_input_files("#push-kallsyms-file", kallsyms)
        page.set_input_files("#files", run)
        page.wait_for_selector("#pushed .good", timeout=60_000)
        assert "kallsyms kept" in page.locator("#pushed .good").inner_text()
        [row] = HTTP.request("GET", f"{empty.url}/api/v1/profiles").json()
        assert (row["name"], row["work_unit"]) == ("run", "packet")


def test_a_permalink_says_tomorrow_what_it_said_today(chromium: Any, changing: Server) -> None:
    with opened(chromium, changing) as page:
        page.goto("/diff?base=side%3Da&new=side%3Db")
        page.wait_for_selector("g.frame")
        live = page.locator(".sentence").inner_text()
        page.click("text=Make a permalink")
        page.wait_for_url("**/d/*")
        address = page.url
        files = {
            format: HTTP.request("GET", f"{address}?format={format}").data
            for format in ("json", "markdown", "junit", "html")
        }
        page.wait_for_selector("g.frame")
        shown = page.locator("main").inner_text()
        assert page.locator(".sentence").inner_text() == live
        push(page, "a4.txt", recording("udp_sendmsg", 3000), "side=a run=4")
        page.goto("/?text=a1")
        page.click("[data-edit]")
        page.fill("#edit-form [name=name]", "another name")
        page.fill("#edit-form [name=labels]", "side=z\nrun=1")
        page.click("#edit-save")
        page.wait_for_url("**/?text=a1")
        page.wait_for_selector("text=No recording has that.")
        page.goto(address)
        page.wait_for_selector("g.frame")
        assert page.locator("main").inner_text() == shown
        for format, before in files.items():
            assert HTTP.request("GET", f"{address}?format={format}").data == before
        page.locator("#functions tbody button[data-function]").first.click()
        page.wait_for_selector("#sandwich-callers g.frame")
        page.click("text=The same selectors now")
        page.wait_for_selector("g.frame")
        assert page.locator(".sentence").inner_text() != live


def test_recordings_of_a_permalink_that_are_gone_are_said(chromium: Any, changing: Server) -> None:
    with opened(chromium, changing) as page:
        page.goto("/diff?base=side%3Da&new=side%3Db")
        page.click("text=Make a permalink")
        page.wait_for_url("**/d/*")
        address, before = page.url, page.locator(".sentence").inner_text()
        page.goto("/?text=b2")
        page.on("dialog", lambda dialog: dialog.accept())
        page.click("[data-edit]")
        page.click("#edit-delete")
        page.wait_for_selector("text=No recording has that.")
        page.goto(address)
        gone = page.locator(".pinned [role=alert]").inner_text()
        assert gone.startswith("1 recording of new is no longer stored: b2")
        assert page.locator(".sentence").inner_text() == before
        assert page.locator("#sandwich").count() == 0
        page.goto("/d/0123456789ab")
        assert "a link that was made here" in page.locator(".card.failure").inner_text()


def test_a_token_leads_to_the_page_that_was_asked_for_and_out_again(
    chromium: Any, demo_store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "store.duckdb"
    shutil.copy(demo_store, path)
    words = [*PROGRAM, "token", "add", "eve", "--scope", "read", "--store", str(path)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    [secret] = re.findall(r"pdk_\S+", printed)
    with running(path) as server, opened(chromium, server) as page:
        page.goto(COMPARE)
        assert "/login?next=" in page.url
        page.fill("#token", "pdk_wrong")
        page.click("button")
        assert "not known" in page.locator("[role=alert]").inner_text()
        page.fill("#token", secret)
        page.click("button")
        page.wait_for_selector(".matrix")
        assert "eve" in page.locator(".who").inner_text()
        page.goto("/")
        assert page.locator("[data-edit], #drop").count() == 0
        page.click("text=Log out")
        page.wait_for_url("**/login")
        page.goto("/")
        assert "/login" in page.url


def test_a_form_sends_what_was_typed_and_nothing_else(page: Any) -> None:
    page.goto("/diff")
    page.fill("[name=base]", "native.crr.*")
    page.fill("[name=new]", "docker0-nat.crr.*")
    page.click(".filters summary")
    page.fill("[name=comm]", "nginx")
    page.check("[name=paired]")
    page.click(".primary")
    page.wait_for_selector("g.frame")
    query = page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
    asked = {"base": "native.crr.*", "new": "docker0-nat.crr.*", "comm": "nginx", "paired": "true"}
    assert query == asked
    page.locator("[name=comm]").nth(1).fill("wrk")
    page.select_option("[name=tree]", "path")
    page.click(".primary")
    page.wait_for_selector("g.frame")
    assert page.evaluate("new URLSearchParams(location.search).getAll('comm')") == ["nginx", "wrk"]
    assert "tree=path" in page.url
    assert "comm nginx comm wrk" in page.locator("header.head").inner_text()
