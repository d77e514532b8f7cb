"""What only a laid out page can show: scrolling, widths, a phone."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener

SCROLLER = "document.querySelector('#chat [role=log]')"


def test_the_page_follows_the_text_until_the_reader_scrolls_up(open_page: Opener, served: str) -> None:
    screen = open_page(served, height=500).choose_model("up:prose-1500-300").ask("go on").writing()
    far = f"() => {SCROLLER}.scrollHeight - {SCROLLER}.clientHeight - {SCROLLER}.scrollTop"
    screen.page.wait_for_function(f"() => {SCROLLER}.scrollTop > 400")  # it follows by itself
    screen.chat.hover()
    screen.page.mouse.wheel(0, -600)
    screen.page.wait_for_function(f"{far.replace('() =>', '() => 200 <', 1)}")
    at = screen.evaluate(f"() => {SCROLLER}.scrollTop")
    height = screen.evaluate(f"() => {SCROLLER}.scrollHeight")
    screen.page.wait_for_function(f"() => {SCROLLER}.scrollHeight > {height} + 300")  # the text goes on below
    assert abs(screen.evaluate(f"() => {SCROLLER}.scrollTop") - at) < 5
    screen.stop.click()
    screen.over(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_at_any_width(open_page: Opener, demo: str, scheme: str) -> None:
    screen = open_page(demo, color_scheme=scheme).choose_model("demo:fast")
    screen.ask("Show me Markdown: a table, code and maths").over(1)
    assert screen.evaluate("() => document.body.classList.contains('dark')") == (scheme == "dark")
    for width in (1440, 820, 390):
        screen.page.set_viewport_size({"width": width, "height": 800})
        screen.page.wait_for_function(f"() => document.documentElement.scrollWidth <= {width}")
        box = screen.box.bounding_box()
        assert box
        assert box["y"] + box["height"] <= 800


def test_on_a_phone_the_sidebar_starts_closed_and_targets_are_large(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, width=390, height=800, has_touch=True, is_mobile=True)
    expect(screen.page.locator("#model input")).not_to_be_in_viewport()
    for button in (screen.send, screen.page.locator("#chat .example").first):
        size = button.bounding_box()
        assert size
        assert size["height"] >= 44
    screen.box.tap()
    screen.ask("hello").over(1)
    expect(screen.answer).to_be_in_viewport()
    screen.page.locator("#sidebar .toggle-button, .sidebar .toggle-button").first.click()
    expect(screen.page.locator("#model input")).to_be_in_viewport()
