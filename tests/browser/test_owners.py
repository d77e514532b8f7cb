"""Whose page it is: the printed key, the terminal's chats, and one's place in the queue."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import ROOT, Opener, Upstream, Watch, keyed_app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("owned")


@pytest.fixture(scope="module")
def owned(folder: Path, upstream: Upstream) -> Iterator[str]:
    """One answer at a time for each person."""
    vendor = f"up={upstream.url}/v1"
    with keyed_app(folder, CHAT_ENDPOINTS=vendor, CHAT_MODEL="up:asked", CHAT_RUNS_EACH="1") as address:
        yield address


def test_the_printed_address_shows_what_the_terminal_asked(
    open_page: Opener, owned: str, folder: Path
) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "chat", "--model", "demo:fast", "From the terminal"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), "CHAT_LOCAL": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert asked.returncode == 0, asked.stderr
    plain = owned.partition("/?")[0]
    stranger = open_page(plain).ask("text-5").over(1)
    screen = open_page(owned)
    assert "key" not in screen.page.url
    expect(screen.page.get_by_text("From the terminal").first).to_be_visible()
    stranger.page.reload()
    stranger.ready().over(1)
    expect(stranger.page.get_by_text("From the terminal")).to_have_count(0)
    late = open_page(owned)  # the key was good once
    assert "key" not in late.page.url
    expect(late.page.get_by_text("From the terminal")).to_have_count(0)


def test_who_waits_sees_how_many_are_before(open_page: Opener, owned: str) -> None:
    plain = owned.partition("/?")[0]
    first = open_page(plain).ask("text-5000-50").writing()
    # At the address of no chat a question begins a new one.
    second = open_page(f"{plain}/?chat=none", beside=first).ask("text-5")
    expect(second.live).to_contain_text("Queued")
    third = open_page(f"{plain}/?chat=none", beside=first).ask("text-5")
    expect(third.live).to_contain_text("Queued, 1 before you")
    second.stop.click()
    second.over(1)
    assert second.footer == "stopped"
    expect(third.live).not_to_contain_text("before you")
    expect(third.live).to_contain_text("Queued")
    first.stop.click()
    first.over(1)
    third.over(1)
    assert not third.footer.endswith("stopped")


def test_without_a_cookie_the_page_says_so_and_gives_the_question_back(
    open_page: Opener, watch: Watch, owned: str
) -> None:
    screen = open_page(owned.partition("/?")[0])

    def without_cookie(route: Route) -> None:
        """As a browser that takes none: pages give one, and nothing else does."""
        if route.request.resource_type != "document":
            route.continue_()
            return
        response = route.fetch()
        screen.page.context.clear_cookies()
        kept = {name: value for name, value in response.headers.items() if name != "set-cookie"}
        route.fulfill(response=response, headers=kept)

    screen.page.context.clear_cookies()
    screen.page.route("**/*", without_cookie)
    screen.page.reload()
    screen.ready()
    assert screen.page.context.cookies() == []
    screen.box.fill("hello")
    screen.box.press("Enter")
    expect(screen.page.get_by_text("Allow cookies for this address")).to_be_visible()
    expect(screen.box).to_have_value("hello")
    expect(screen.send).to_be_visible()
    # The browser's own line about what nobody without a cookie has.
    watch.complaints[:] = [each for each in watch.complaints if "/keys" not in each]
