"""Pages of a store in which every name is hostile: Chromium runs no script and asks no network."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hostile import build
from terminal import PROGRAM

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = {
    "diff": ("diff", "side=base", "side=new"),
    "export": ("export", "side=new"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    build(folder / "store.duckdb", folder, 0)
    return folder / "store.duckdb"


@pytest.mark.parametrize("page", PAGES)
def test_no_name_is_run_or_drawn_as_markup(
    page: str, chromium: Any, store: Path, tmp_path: Path
) -> None:
    command = [*PROGRAM, *PAGES[page], "--format", "html", "--store", str(store)]
    file = tmp_path / "page.html"
    file.write_bytes(subprocess.run(command, capture_output=True).stdout)
    opened = chromium.new_page()
    said: list[str] = []
    opened.on("dialog", lambda dialog: said.append(dialog.message))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("request", lambda asked: said.append(asked.url))
    opened.goto(file.as_uri())
    opened.wait_for_selector("g.frame")
    opened.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    for frame in opened.locator("g.frame").all()[:60:6]:
        frame.hover(force=True)
    assert said == [file.as_uri()]
    assert opened.evaluate("document.querySelectorAll('body img, body a[href*=evil]').length") == 0
    assert (
        opened.evaluate("[...document.querySelectorAll('b')].map(b => b.innerText)").count(
            "alert(1)"
        )
        == 0
    )
    assert opened.evaluate("document.querySelectorAll('script').length") == file.read_text().count(
        "</script>"
    )
    assert "<script>alert(1)</script>" in opened.evaluate("document.body.innerText") or (
        opened.locator("g.frame[name='<script>alert(1)</script>']").count()
    )
    opened.close()
