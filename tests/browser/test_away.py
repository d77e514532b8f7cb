"""The server goes away and comes back, or the line to it, under an open page: nothing is lost or doubled."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import ROOT, Opener, Upstream, Watch, app
from tests.proxy import Proxy

REFUSED = ("net::ERR_", "Failed to fetch", "network error")
MENU = "undefined (reading '0')"
"""A list of models that was on its way when the menu was opened (`gradio_fixes`, 16). The menu works on."""
LONG = "up:text-500-100"
"""Five seconds of text, in which each word can be told from the others."""
TOKENS = [f"tok{n}" for n in range(1, 501)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _server(
    folder: Path, port: int, *, environ: Mapping[str, str] = MappingProxyType({}), end: int = signal.SIGTERM
) -> Iterator[str]:
    """The app on a port of our choice, so that it can come back to it. Ended with the block."""
    started = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py")],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", ""),
            "PYTHONPATH": str(ROOT),
            "CHAT_LOCAL": "0",
            "CHAT_DEMO_PACE": "0.5",
            "GRADIO_SERVER_PORT": str(port),
            **environ,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert started.stdout
        line = started.stdout.readline()
        assert str(port) in line, line
        yield f"http://127.0.0.1:{port}"
    finally:
        started.send_signal(end)
        started.communicate(timeout=10)


@pytest.fixture
def forgiving(watch: Watch) -> Iterator[Watch]:
    """A request that finds nobody is what these tests are about. Named first, so that it ends last."""
    yield watch
    watch.complaints[:] = [
        each for each in watch.complaints if not any(word in each for word in (*REFUSED, MENU))
    ]


@pytest.fixture
def proxy(served: str) -> Iterator[Proxy]:
    port = urlsplit(served).port
    assert port
    with Proxy(port) as proxy:
        yield proxy


def test_a_question_that_did_not_arrive_returns_and_is_sent_once(
    forgiving: Watch, open_page: Opener, tmp_path: Path
) -> None:
    port = _free_port()
    with _server(tmp_path, port) as address:
        screen = open_page(address).ask("hello").over(1)
    # The page does not know yet that nobody is there.
    screen.box.fill("Is  anybody\nthere?")
    screen.box.press("Enter")
    hint = screen.page.locator("#hint")
    expect(hint).to_contain_text("Offline")
    expect(hint).to_contain_text("Trying again")
    expect(screen.box).to_have_value("Is  anybody\nthere?")
    expect(screen.page.locator("#chat .sending:visible")).to_have_count(0)
    expect(screen.page.locator("#chat .user-row:visible")).to_have_count(1)
    expect(screen.page.locator(".toast-body:visible")).to_have_count(0)
    expect(screen.send).to_be_visible()
    screen.box.press("Enter")  # nothing goes while it is away
    expect(screen.box).to_have_value("Is  anybody\nthere?")
    expect(screen.page.locator("#chat .user-row:visible")).to_have_count(1)
    with _server(tmp_path, port):
        expect(screen.page.get_by_text("Offline")).to_have_count(0)
        screen.ready().over(1)  # it is all still there
        expect(screen.box).to_have_value("Is  anybody\nthere?")
        screen.box.press("Enter")
        screen.over(2)
        expect(screen.box).to_have_value("")
        expect(screen.asked).to_have_count(2)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(signal.SIGTERM, id="ended", marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, id="killed"),
    ],
)
def test_a_restart_under_an_open_page_loses_nothing(
    forgiving: Watch, open_page: Opener, upstream: Upstream, tmp_path: Path, end: int
) -> None:
    port = _free_port()
    environ = {"CHAT_ENDPOINTS": f"up={upstream.url}/v1", "CHAT_MODEL": LONG}
    with _server(tmp_path, port, environ=environ, end=end) as address:
        screen = open_page(address).ask("go on").writing()
        expect(screen.answer).to_contain_text("tok150 ")
    expect(screen.page.locator("#hint")).to_contain_text("Offline")
    with _server(tmp_path, port, environ=environ):
        screen.over(1)
        expect(screen.asked).to_have_text(["go on"])
        expect(screen.page.get_by_text("Offline")).to_have_count(0)
        assert "interrupted" in screen.footer
        said = screen.answer.inner_text().split()
        assert len(said) > 100
        assert said[:-1] == TOKENS[: len(said) - 1]  # the last one may be half
        assert TOKENS[len(said) - 1].startswith(said[-1])
        screen.choose_model("up:text-5")
        screen.page.get_by_role("button", name="Continue").click()
        expect(screen.page.locator("#chat .seam")).to_contain_text("interrupted")
        screen.over(1)
        expect(screen.answer).to_have_text(re.compile(r"\s*".join(["^", *said, *TOKENS[:5], "$"])))
        expect(screen.page.get_by_role("button", name="Try again")).to_be_visible()


@pytest.mark.parametrize("how", ["cut", pytest.param("refuse", marks=pytest.mark.slow), "stall"])
def test_a_lost_line_comes_back_and_the_answer_goes_on(
    forgiving: Watch, open_page: Opener, proxy: Proxy, how: str
) -> None:
    screen = open_page(proxy.url).choose_model(LONG).ask("go on").writing()
    expect(screen.answer).to_contain_text("tok20 ")
    getattr(proxy, how)()
    if how != "cut":
        expect(screen.page.locator("#hint")).to_contain_text("Offline")
        proxy.go_on()
    screen.page.wait_for_function("() => !document.documentElement.classList.contains('away')")
    screen.ready().over(1)
    expect(screen.asked).to_have_text(["go on"])
    assert screen.answer.inner_text().split() == TOKENS
    expect(screen.page.get_by_text("Offline")).to_have_count(0)


def test_after_a_lost_line_stop_works(forgiving: Watch, open_page: Opener, proxy: Proxy) -> None:
    screen = open_page(proxy.url).choose_model(LONG).ask("go on").writing()
    expect(screen.answer).to_contain_text("tok20 ")
    with screen.page.expect_navigation():  # Gradio is dead by now
        proxy.cut()
    screen.ready().writing()
    screen.stop.click()
    screen.over(1)
    assert screen.footer.endswith("stopped")


def test_a_question_whose_line_was_lost_is_asked_once(
    forgiving: Watch, open_page: Opener, proxy: Proxy, upstream: Upstream
) -> None:
    """It arrived, and nobody told the page: what returns to the box is the same sending."""
    screen = open_page(proxy.url).choose_model("up:wait-2+text-5").ask("first").over(1)
    before = len(upstream.bodies())
    screen.ask("second")
    expect(screen.live).to_be_attached()
    proxy.cut()
    screen.page.wait_for_function("() => !document.documentElement.classList.contains('away')")
    screen.ready().over(2)
    expect(screen.box).to_have_value("")
    expect(screen.asked).to_have_text(["first", "second"])
    assert len(upstream.bodies()) == before + 1


def test_a_restart_between_two_questions_is_not_even_noticed(
    forgiving: Watch, open_page: Opener, tmp_path: Path
) -> None:
    port = _free_port()
    with _server(tmp_path, port) as address:
        screen = open_page(address).ask("hello").over(1)
        chat = screen.chat_id
    with _server(tmp_path, port):
        screen.look()
        screen.ask("and now?").over(2)
        assert screen.chat_id == chat
        screen.page.reload()
        screen.ready().over(2)


def test_what_cannot_be_saved_is_said_while_it_is_so(open_page: Opener, served: str) -> None:
    screen = open_page(served).ask("hello").over(1)
    trouble = "Not saved: the disk is full. Trying again."

    def troubled(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "saved": False, "trouble": trouble})

    screen.page.route("**/state?*", troubled)
    hint = screen.page.locator("#hint")
    expect(screen.look().page.locator("#hint")).to_have_text(trouble)
    screen.ask("it goes on").over(2)
    screen.page.unroute("**/state?*")
    screen.look()
    expect(hint).to_have_text("")


def test_a_closed_tab_stops_a_silent_provider_where_the_settings_say_so(
    forgiving: Watch, open_page: Opener, tmp_path: Path, upstream: Upstream
) -> None:
    """Gradio notices a closed tab when it has something to send, and here there is nothing."""
    silent = "wait-55+text-5"

    def request() -> dict[str, Any]:
        return next((each for each in upstream.requests() if each["body"]["model"] == silent), {})

    def until(told: Callable[[], object], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not told():
            assert time.monotonic() < end

    environ = {
        "CHAT_ENDPOINTS": f"up={upstream.url}/v1",
        "CHAT_MODEL": f"up:{silent}",
        "CHAT_WHEN_LEFT": "stop",
    }
    with app(tmp_path, **environ) as address:
        screen = open_page(address).ask("hello")
        until(request, 10)
        assert request()["left"] is None
        screen.page.close()
        until(lambda: request()["left"] is not None, 2)
