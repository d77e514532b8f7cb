"""A chat of many messages: its end is drawn at once, the rest when it is asked for, above the reader."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from chat.owners import LOCAL
from tests.browser.conftest import Opener, keyed_app, process
from tests.browser.screen import Screen

SEED = f"""
import asyncio, pathlib, sys
from tests.bench.seed import long_chat
print(asyncio.run(long_chat(pathlib.Path(sys.argv[1]), {LOCAL!r}, 1000))[0])
"""
LIST = "document.querySelector('#chat .bubble-wrap')"
OPEN = """
chat => new Promise((shown) => {
  const began = performance.now();
  addEventListener("runnel-opened", () =>
    requestAnimationFrame(() => setTimeout(() => shown(performance.now() - began))), {once: true});
  dispatchEvent(new CustomEvent("runnel-open", {detail: {chat}}));
})
"""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of an app, and the id of a chat of 1,000 messages there."""
    folder = tmp_path_factory.mktemp("long")
    database = folder / "chat.db"
    with process("-c", SEED, str(database)) as line:
        chat = line.strip()
    assert chat
    with keyed_app(folder, CHAT_DATABASE=str(database)) as address:
        yield address, chat


def _top(screen: Screen) -> tuple[str, float]:
    """The first row in sight that has text of its own: its name and where it stands."""
    return tuple(
        screen.evaluate(
            """() => {
              const edge = document.querySelector("#chat .bubble-wrap").getBoundingClientRect().top;
              const row = [...document.querySelectorAll("#chat .asked")]
                .find((each) => each.getBoundingClientRect().top >= edge);
              return [row.textContent, row.getBoundingClientRect().top];
            }"""
        )
    )


def test_the_end_of_a_long_chat_is_there_within_a_second_and_the_rest_comes_above(
    open_page: Opener, long: tuple[str, str]
) -> None:
    address, chat = long
    screen = open_page(address)
    screen.new_chat()
    took = []
    for _ in range(3):
        took.append(screen.page.evaluate(OPEN, chat))
        expect(screen.asked).to_have_count(30)
        screen.new_chat()
    assert min(took) < 1000
    screen.open_chat(chat)
    expect(screen.asked.last).to_have_text("Question 499: and then?")
    screen.page.wait_for_function(f"() => {LIST}.scrollTop > 1000")  # at its end
    for drawn in (60, 90):
        screen.chat.hover()
        while screen.evaluate(f"() => {LIST}.scrollTop") > 0:
            screen.page.mouse.wheel(0, -100_000)
        earlier = screen.page.get_by_role("button", name="Show earlier messages")
        earlier.scroll_into_view_if_needed()
        name, at = _top(screen)
        earlier.click()
        expect(screen.asked).to_have_count(drawn)
        screen.page.wait_for_function(
            "([name, at]) => [...document.querySelectorAll('#chat .asked')].some((each) =>"
            " each.textContent === name && Math.abs(each.getBoundingClientRect().top - at) < 4)",
            arg=[name, at],
        )
    assert name == "Question 440: and then?"
