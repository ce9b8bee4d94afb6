"""A real browser, where there is one: Chromium, driven by playwright."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_runs import answer, noisy

from perfduck_diff.engine.flame import flame
from perfduck_report.html import render

_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
DESKTOP = {"width": 1366, "height": 900}
PHONE = {"width": 390, "height": 844}

EVIL = "</script><script>document.title='evil'</script><b>evil</b>"
HITS = {
    "do_syscall_64;socket/sock_write_iter;udp/udp_sendmsg": (4000, 4000),
    "do_syscall_64;socket/sock_write_iter;udp/udp_sendmsg;ipv4/ip_output": (1000, 1000),
    "do_syscall_64;vfs/vfs_read": (900, 300),
    "handle_softirqs;napi_backlog/net_rx_action;ipv4/ip_rcv": (2000, 2100),
    "handle_softirqs;napi_backlog/net_rx_action;bridge/br_handle_frame": (0, 500),
    "handle_softirqs;napi_backlog/net_rx_action;bridge/br_handle_frame;nat/nf_nat_inet_fn": (
        0,
        900,
    ),
    "handle_softirqs;napi_backlog/net_rx_action;old/legacy_rx": (600, 0),
    f"handle_softirqs;evil{EVIL.replace('/', '')}": (200, 200),
}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[dev]'")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import numpy as np

    runs = noisy(HITS, 3)
    path = tmp_path_factory.mktemp("report") / "report.html"
    drawn = flame(runs, np.arange(3), np.arange(3, 6))
    path.write_text(render(answer(runs, 3), drawn), encoding="utf-8")
    return path


@pytest.fixture(params=["desktop", "phone"])
def page(request: pytest.FixtureRequest, chromium: Any, report: Path) -> Iterator[Any]:
    """The report, open; whatever it asks of the network or prints as an error fails the test."""
    phone = request.param == "phone"
    context = chromium.new_context(
        viewport=PHONE if phone else DESKTOP, is_mobile=phone, has_touch=phone,
        reduced_motion="reduce",
    )  # fmt: skip
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("console", lambda message: troubles.append(message.text))
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("request", lambda asked: troubles.append(asked.url))
    opened.goto(report.as_uri())
    opened.wait_for_selector("g.frame")
    troubles.remove(report.as_uri())
    yield opened
    context.close()
    assert troubles == []
