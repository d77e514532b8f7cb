"""What the server does not take never leaves a dead page: static/place.js, hint.js, interface, embed.js."""

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Opener, Watch

TOO_LONG = "Your question has 1,500,000 characters, and 100,000 fit: shorten it."


def test_a_question_that_is_too_long_is_refused_before_it_is_sent(open_page: Opener, demo: str) -> None:
    screen = open_page(demo)
    hint = screen.page.locator("#hint")
    for length in ("150,000", "1,500,000"):
        text = "word " * (int(length.replace(",", "")) // 5)
        screen.box.fill(text)
        screen.send.click()
        expect(hint).to_have_text(f"Your question has {length} characters, and 100,000 fit: shorten it.")
        assert screen.box.input_value() == text
    expect(screen.questions).to_have_count(0)
    screen.box.fill("hello")
    expect(hint).to_have_text("")
    screen.ask("hello").over(1)


def test_a_system_prompt_that_is_too_long_is_said_to_be(open_page: Opener, demo: str) -> None:
    screen = open_page(demo).more()
    system = screen.page.locator("#system textarea")
    system.fill("word " * 300_000)
    screen.box.fill("hello")
    screen.box.press("Enter")
    expect(screen.page.locator("#hint")).to_have_text(
        "The system prompt has 1,500,000 characters, and 100,000 fit: shorten it."
    )
    expect(screen.box).to_have_value("hello")
    system.fill("")
    screen.ask("hello").over(1)


def test_a_question_that_is_too_long_is_refused_in_the_embedded_page(open_page: Opener, demo: str) -> None:
    page = open_page(demo).page
    page.goto(f"{demo}/embed")
    expect(page.locator("#send")).to_be_enabled()
    page.locator("#question").fill("word " * 300_000)
    page.locator("#send").click()
    expect(page.locator("#said")).to_have_text(TOO_LONG)
    assert len(page.locator("#question").input_value()) == 1_500_000
    page.locator("#question").fill("hello")
    page.locator("#send").click()
    expect(page.locator("[data-role=assistant][data-state=complete]")).to_have_count(1)


@pytest.mark.parametrize("status", [403, 413, 429, 500, 502])
def test_a_refusal_of_the_server_or_of_a_proxy_leaves_the_page_alive(
    open_page: Opener, demo: str, watch: Watch, status: int
) -> None:
    screen = open_page(demo)

    def refuse(route: Route) -> None:
        route.fulfill(status=status, content_type="text/html", body="<h1>No</h1>")

    screen.page.route("**/queue/join**", refuse, times=1)
    screen.box.fill("hello")
    screen.box.press("Enter")
    expect(screen.page.locator("#hint")).to_contain_text("did not take this")
    expect(screen.box).to_have_value("hello")
    expect(screen.live).to_have_count(0)
    screen.box.press("Enter")
    screen.over(1)
    watch.complaints[:] = []  # the refusal itself
