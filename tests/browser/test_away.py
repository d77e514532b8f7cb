"""The server goes away and comes back, under an open page: nothing that was typed is lost."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import ROOT, Opener, Watch

REFUSED = ("net::ERR_", "Failed to fetch", "network error")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _server(folder: Path, port: int) -> Iterator[str]:
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
        started.send_signal(signal.SIGTERM)
        started.communicate(timeout=10)


def test_a_question_that_did_not_arrive_returns_and_outlives_the_reload(
    open_page: Opener, watch: Watch, tmp_path: Path
) -> None:
    port = _free_port()
    with _server(tmp_path, port) as address:
        screen = open_page(address).ask("hello").over(1)
    # The page does not know yet that nobody is there.
    screen.box.fill("Is  anybody\nthere?")
    screen.box.press("Enter")
    hint = screen.page.locator("#hint")
    expect(hint).to_contain_text("cannot be reached")
    expect(screen.box).to_have_value("Is  anybody\nthere?")
    expect(screen.page.locator("#chat .sending:visible")).to_have_count(0)
    expect(screen.page.locator("#chat .user-row:visible")).to_have_count(1)
    expect(screen.page.locator(".toast-body:visible")).to_have_count(0)
    expect(screen.send).to_be_visible()
    screen.box.press("Enter")  # nothing goes while it is away
    expect(screen.box).to_have_value("Is  anybody\nthere?")
    expect(screen.page.locator("#chat .user-row:visible")).to_have_count(1)
    with _server(tmp_path, port):
        expect(screen.questions).to_have_count(0)  # it has forgotten, and the page was loaded again
        expect(screen.box).to_have_value("Is  anybody\nthere?")
        expect(screen.page.get_by_text("cannot be reached")).to_have_count(0)
        screen.box.press("Enter")
        screen.over(1)
        expect(screen.box).to_have_value("")
    watch.complaints[:] = [each for each in watch.complaints if not any(word in each for word in REFUSED)]
