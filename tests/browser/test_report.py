"""What people do with the page: `pytest -m browser`. Skipped where there is no Chromium."""

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def frame(page: Any, name: str) -> Any:
    return page.locator(f'g.frame[name="{name}"]').first


def width(page: Any, name: str) -> float:
    # not the bounding box: that has the stroke in it
    return float(frame(page, name).locator("rect").get_attribute("width"))


def settled(page: Any) -> None:
    """Even without motion d3 sets widths in a timer."""
    page.wait_for_timeout(150)


def test_the_page_fits_the_screen(page: Any) -> None:
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= page.viewport_size["width"]


def test_a_click_on_a_frame_zooms_and_on_its_caller_goes_back(page: Any) -> None:
    whole = width(page, "all")
    before = width(page, "br_handle_frame")
    frame(page, "br_handle_frame").click()
    settled(page)
    assert before < width(page, "br_handle_frame") == pytest.approx(whole, abs=1)
    assert page.locator("#details code").inner_text() == "br_handle_frame"
    assert page.locator("#reset").is_enabled()
    page.locator("#reset").click()
    settled(page)
    assert width(page, "br_handle_frame") == pytest.approx(before, abs=1)


def test_search_highlights_and_says_how_much_it_found(page: Any) -> None:
    page.fill("#search", "nf_nat")
    assert page.locator("g.frame.hit").count() == 1
    assert page.locator("g.frame.miss").count() > 5
    assert page.locator("#matches").inner_text().startswith("1 frame: 0 → ")
    page.fill("#search", "nothing like it")
    assert page.locator("#matches").inner_text() == "No frame matches."
    page.fill("#search", "/^ip_(rcv|output)$/")
    assert page.locator("g.frame.hit").count() == 2
    page.fill("#search", "/(/")
    assert page.locator("#matches").inner_text() == "No frame matches."
    page.fill("#search", "")
    assert page.locator("g.frame.miss").count() == 0


def test_enter_in_the_search_goes_from_match_to_match(page: Any) -> None:
    page.fill("#search", "ip_")
    seen = []
    for _ in range(3):
        page.press("#search", "Enter")
        seen.append(page.locator("#details code").inner_text())
    assert seen == ["ip_rcv", "ip_output", "ip_rcv"]


def test_colour_goes_from_growth_to_subsystem_and_back(page: Any) -> None:
    def fill() -> str:
        return str(frame(page, "br_handle_frame").locator("rect").get_attribute("fill"))

    grown = fill()
    assert "--grow" in grown
    assert "--shrink" in str(frame(page, "legacy_rx").locator("rect").get_attribute("fill"))
    page.click("[data-value=subsystem]")
    assert fill().startswith("var(--s")
    assert page.locator("#legend button", has_text="bridge").count() == 1
    page.click("[data-value=growth]")
    assert fill() == grown


def test_a_colour_is_a_colour_in_the_browser(page: Any) -> None:
    painted = frame(page, "br_handle_frame").locator("rect")
    paint = painted.evaluate("rect => getComputedStyle(rect).fill")
    assert paint not in ("rgb(0, 0, 0)", "none")


def test_side_by_side_has_one_scale_and_zooms_together(page: Any) -> None:
    page.click("[data-value=both]")
    settled(page)
    base, new = page.locator(".panel").all()

    def wide(panel: Any, name: str) -> float:
        return float(panel.locator(f'g.frame[name="{name}"] rect').bounding_box()["width"])

    per_ns = wide(base, "udp_sendmsg") / wide(new, "udp_sendmsg")
    assert per_ns == pytest.approx(1, abs=0.05)
    assert wide(base, "vfs_read") > 2 * wide(new, "vfs_read")
    new.locator('g.frame[name="br_handle_frame"]').click()
    settled(page)
    assert base.locator(".absent").is_visible()
    assert base.locator(".absent").inner_text() == "Not in base."
    page.click("#reset")
    settled(page)
    assert base.locator('g.frame[name="legacy_rx"]').is_visible()


def test_base_has_what_vanished_and_new_what_came(page: Any) -> None:
    page.click("[data-value=base]")
    assert frame(page, "legacy_rx").count() == 1
    assert page.locator('g.frame[name="br_handle_frame"]').count() == 0
    page.click("[data-value=new]")
    assert page.locator('g.frame[name="legacy_rx"]').count() == 0
    assert frame(page, "br_handle_frame").count() == 1


def test_the_keyboard_reaches_every_frame(page: Any) -> None:
    page.locator(".graph").focus()
    page.keyboard.press("ArrowDown")
    first = page.locator("#details code").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator("#details code").inner_text() != first
    page.keyboard.press("ArrowLeft")
    assert page.locator("#details code").inner_text() == first
    assert page.locator("g.frame.cursor").get_attribute("name") == first
    page.keyboard.press("Enter")
    settled(page)
    assert width(page, first) == pytest.approx(width(page, "all"), abs=1)
    page.keyboard.press("Escape")
    assert page.locator("#reset").is_disabled()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"


def test_a_tooltip_says_base_new_and_delta(page: Any) -> None:
    """A finger does not hover: there a tap has it in the line below the graph."""
    has_hover = not page.evaluate("matchMedia('(hover: none)').matches")
    if has_hover:
        frame(page, "vfs_read").hover()
    else:
        frame(page, "vfs_read").tap()
    said = page.locator("#tip" if has_hover else "#details")
    text = said.inner_text()
    assert [word in text for word in ("vfs_read", "base", "new", "delta", "ns/packet")] == [
        True
    ] * 5
    box = said.bounding_box()
    assert box["x"] + box["width"] <= page.viewport_size["width"]


def test_a_claim_opens_and_leads_to_its_frame(page: Any) -> None:
    claim = page.locator(".claim", has_text="br_handle_frame").first
    claim.locator("summary").click()
    assert "net_rx_action" in claim.locator(".path").inner_text()
    claim.locator("button[data-node]").click()
    settled(page)
    assert page.locator("#details code").inner_text() == claim.locator("summary code").inner_text()


def test_a_subsystem_of_the_table_is_found_in_the_graph(page: Any) -> None:
    page.locator("td .chip", has_text="nat").first.click()
    assert page.input_value("#search") == "subsystem:nat"
    assert page.locator("g.frame.hit").count() == 1


def test_tables_sort_both_ways(page: Any) -> None:
    table = page.locator("table.sortable").first
    heading = table.locator("th", has_text="Base").first
    heading.locator("button").click()

    def bases() -> list[float]:
        cells = table.locator("tbody tr td:nth-child(3)").all()
        return [float(cell.get_attribute("data-v")) for cell in cells]

    assert heading.get_attribute("aria-sort") == "descending"
    assert bases() == sorted(bases(), reverse=True)
    heading.locator("button").click()
    assert bases() == sorted(bases())


def test_functions_are_filtered(page: Any) -> None:
    page.fill("[data-filter=functions]", "nf_nat")
    assert page.locator("#functions tbody tr:visible").count() == 1


def test_a_name_that_is_a_script_is_only_a_name(page: Any) -> None:
    page.click("[data-value=new]")
    assert "evil" not in page.title()
    assert page.locator("b", has_text="evil").count() == 0
    assert page.locator("g.frame[name*='script']").count() == 1


def test_the_flame_graph_is_drawn_again_when_the_window_changes(page: Any) -> None:
    page.set_viewport_size({"width": 700, "height": 700})
    settled(page)
    assert 600 < width(page, "all") < 700


def test_dark_and_print_have_their_own_colours(page: Any) -> None:
    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = ground()
    page.emulate_media(color_scheme="dark")
    dark = ground()
    page.emulate_media(color_scheme="dark", media="print")
    assert (light != dark, ground()) == (True, "rgb(255, 255, 255)")
    assert page.locator(".tools").first.is_hidden()


def test_what_is_looked_at_is_in_the_address_and_back_returns_to_it(page: Any) -> None:
    def fragment() -> str:
        return str(page.evaluate("location.hash"))

    whole = width(page, "all")
    frame(page, "br_handle_frame").click()
    settled(page)
    page.fill("#search", "nf_nat")
    assert fragment().endswith("br_handle_frame&search=nf_nat")
    other = page.context.new_page()
    other.goto(page.evaluate("location.href"))
    other.wait_for_selector("g.frame")
    settled(other)
    assert width(other, "br_handle_frame") == pytest.approx(whole, abs=1)
    assert other.input_value("#search") == "nf_nat"
    other.close()
    page.go_back()
    settled(page)
    assert page.locator("#reset").is_disabled()
    assert fragment() == ""
