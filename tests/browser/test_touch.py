"""Screens that are touched, and what is heard of an answer: static/page.js, small.css, activity.js."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener

PHONE: dict[str, Any] = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}


def test_return_makes_a_new_line_and_send_sends(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, **PHONE)
    screen.page.tap("#question textarea")
    screen.page.keyboard.type("one")
    screen.page.keyboard.press("Enter")
    screen.page.keyboard.type("two")
    expect(screen.box).to_have_value("one\ntwo")
    expect(screen.questions).to_have_count(0)
    screen.send.tap()
    screen.over(1)
    assert screen.asked.inner_text() == "one\ntwo"


def test_a_real_keyboard_at_a_screen_that_nobody_touched_sends(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, **PHONE)
    screen.box.fill("one")
    screen.box.press("Enter")
    screen.over(1)
    screen.page.goto(f"{demo}/embed")
    expect(screen.page.locator("#send")).to_be_enabled()
    screen.page.locator("#question").fill("two")
    screen.page.locator("#question").press("Enter")
    expect(screen.page.locator("[data-role=user]")).to_have_text("two")


def test_return_makes_a_new_line_in_the_embedded_page_too(open_page: Opener, demo: str) -> None:
    page = open_page(demo, **PHONE).page
    page.goto(f"{demo}/embed")
    expect(page.locator("#send")).to_be_enabled()
    page.tap("#question")
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    expect(page.locator("#question")).to_have_value("one\ntwo")
    page.tap("#send")
    expect(page.locator("[data-role=user]")).to_have_text("one\ntwo")


def test_no_field_is_so_small_that_a_phone_zooms(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, **PHONE)
    small = """() => [...document.querySelectorAll("input, textarea, select")]
      .filter((field) => parseFloat(getComputedStyle(field).fontSize) < 16).map((field) => field.outerHTML)"""
    assert screen.evaluate(small) == []
    assert "interactive-widget=resizes-content" in screen.evaluate(
        "() => document.querySelector('meta[name=viewport]').content"
    )
    screen.page.goto(f"{demo}/embed")
    assert screen.evaluate(small) == []


@pytest.mark.parametrize("tab", ["Activity", "Chats"])
def test_it_is_heard_how_an_answer_stands_whichever_tab_is_open(
    open_page: Opener, demo: str, tab: str
) -> None:
    screen = open_page(demo)
    screen.page.get_by_role("tab", name=tab).click()
    heard = screen.page.locator("#heard")
    expect(heard).to_have_text("")
    screen.ask("hello").over(1)
    expect(heard).to_have_text("Done")
    assert heard.evaluate("node => node.checkVisibility() && node.closest('[aria-live=off]') === null")


def test_it_is_heard_on_a_phone(open_page: Opener, demo: str) -> None:
    screen = open_page(demo, **PHONE).ask("hello").over(1)
    expect(screen.page.locator("#heard")).to_have_text("Done")
