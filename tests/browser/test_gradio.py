"""Contracts of `ui/gradio_fixes.py` that only a browser can hold Gradio to; the number is the entry's."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Opener


def test_5_an_update_from_a_script_alone_changes_a_components_properties(
    open_page: Opener, demo: str
) -> None:
    screen = open_page(demo)
    slider = screen.page.locator("#temperature")
    unset = re.compile(r"\bunset\b")
    expect(slider).to_have_class(unset)
    slider.locator("input[type=range]").fill("0.4")
    expect(slider).not_to_have_class(unset)
    screen.page.locator("#temperature-reset").click()
    expect(slider).to_have_class(unset)
    expect(slider.locator("input[type=range]")).to_have_value("1")


def test_10_the_sanitizer_leaves_the_class_that_names_the_run(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).ask("hello")
    screen.over(1)
    expect(screen.page.locator("#chat .fate").last).to_have_class(re.compile(r"\brun-[\w-]+"))
