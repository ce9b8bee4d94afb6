"""The page of a history in Chromium: a real one, with its rule change."""

from collections.abc import Iterator
from typing import Any

import pytest
from recordings import FIXTURES
from servers import Server, running
from test_server_pages import opened, settled

import perfduck

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TREND = "/trend?selector=*&over=commit&comm=iperf3"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("history") / "store.duckdb"
    with perfduck.open(path) as store:
        store.ingest(manifest=FIXTURES / "trend" / "recordings.csv")
    with running(path) as started:
        yield started


@pytest.fixture
def page(chromium: Any, history: Server) -> Iterator[Any]:
    with opened(chromium, history) as checked:
        yield checked


def test_a_change_leads_to_the_diff_of_before_and_after(page: Any) -> None:
    page.goto(TREND)
    change = page.locator(".change", has=page.locator("td code", has_text="iptables"))
    assert "iptables" in change.locator("ul.context").inner_text()  # the rules that came
    change.get_by_role("link", name="Diff before and after").click()
    page.wait_for_url("**/diff?**")
    assert "commit=" in page.input_value("input[name=base]")
    assert page.input_value("input[name=comm]") == "iperf3"
    assert page.locator("text=ipt_do_table").count() > 0


def test_each_point_is_drawn_and_says_what_it_is(page: Any) -> None:
    page.goto(TREND)
    chart = page.locator("svg.trend").first
    points = chart.locator("circle")
    assert points.count() == 14
    assert all("/packet" in text for text in points.locator("title").all_text_contents())
    boxes = [points.nth(place).bounding_box() for place in range(points.count())]
    lefts = [box["x"] for box in boxes]
    assert lefts == sorted(lefts)
    whole = chart.bounding_box()
    assert all(whole["x"] <= left <= whole["x"] + whole["width"] for left in lefts)


def test_the_form_asks_by_another_key_and_keeps_what_was_typed(page: Any) -> None:
    page.goto(TREND)
    page.select_option("select[name=by]", "class")
    page.click("button.primary")
    settled(page)
    assert "by=class" in page.url
    assert "comm=iperf3" in page.url
    assert page.input_value("input[name=selector]") == "*"
    assert page.locator("td code", has_text="skb").count() > 0


def test_a_label_that_is_not_there_is_the_line_of_the_command(page: Any) -> None:
    page.goto("/trend?selector=*&over=comit")
    assert (
        "expected recordings with label comit, got none: did you mean commit?"
        in page.inner_text("body")
    )


def test_it_is_no_wider_than_a_phone(chromium: Any, history: Server) -> None:
    with opened(chromium, history, phone=True) as page:
        page.goto(TREND)
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
