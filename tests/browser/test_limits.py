"""Who has asked enough is told so on the page in a line, and has the question back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener, app


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[str]:
    with app(tmp_path, CHAT_RATE="2/hour", CHAT_DEMO_PACE="0") as address:
        yield address


def test_a_question_too_many_comes_back_with_the_reason(limited: str, open_page: Opener) -> None:
    screen = open_page(limited).ask("first").over(1)
    open_page(limited).ask("second").over(1)  # a browser of its own, at the same address
    screen.box.fill("third")
    screen.box.press("Enter")
    line = screen.page.locator("#chat .remark")
    expect(line).to_have_text(
        "From your network 2 questions an hour may be asked here. Ask again in 60 minutes."
    )
    expect(screen.box).to_have_value("third")
    expect(screen.asked.first).to_have_text("first")
    expect(screen.live).to_have_count(0)
    expect(screen.send).to_be_visible()

    copy = screen.page.locator("#chat .message-buttons-left button")  # with the answer still
    expect(copy).to_be_visible()
    top = "e => { const {top, height} = e.getBoundingClientRect(); return top + height / 2 }"
    at = copy.evaluate(top)
    assert abs(at - screen.page.get_by_role("button", name="Try again").evaluate(top)) < 4
    assert at < line.evaluate(top) - 20
    screen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copy.click()
    expect(screen.page.get_by_role("button", name="Copied message")).to_be_visible()
    copied = screen.evaluate("() => navigator.clipboard.readText()")
    assert copied.startswith("“first” is")
    assert "<" not in copied
