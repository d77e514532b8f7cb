"""A real browser, and the app as a person starts it.

Processes live as long as the session: the app with nothing but the demo, another one with the
loopback upstream as a vendor, and the upstream itself, each started when first asked for. The
browser is Playwright's own, else one on the path, else the tests skip and say how to get one;
with RUNNEL_REQUIRE_BROWSER=1 they fail instead. Every page is watched: a request that leaves the
machine, and an error on the console that is not Gradio's own, fail the test.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.browser.screen import Screen

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 15_000
"""Milliseconds that any one thing on the page may take: much, for a machine with other things to do."""

expect.set_options(timeout=PATIENCE)

GRADIO_S_OWN = (
    "AbortError",  # a stream that a reload cuts, in Gradio's client
    "Connection errored out",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "ERR_NETWORK_CHANGED",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the browser's tests and puts them last: while Playwright's loop stands, no other can run."""

    def here(item: pytest.Item) -> bool:
        return Path(__file__).parent in item.path.parents

    for item in filter(here, items):
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.slow)  # a page takes seconds to open
    items.sort(key=here)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = [path for name in NAMES if (path := shutil.which(name))]
        why = ""
        for path in (None, *found):
            try:
                browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            except Error as error:
                why = why or error.message.splitlines()[0]
                continue
            yield browser
            browser.close()
            return
    say = f"no browser ({why}). Get one with: python -m playwright install chromium"
    if os.environ.get("RUNNEL_REQUIRE_BROWSER") == "1":
        pytest.fail(say)
    pytest.skip(say)


# -- processes ---------------------------------------------------------------------------------


@contextmanager
def process(*command: str, **environ: str) -> Iterator[str]:
    """What it prints first. Ended with the block."""
    started = subprocess.Popen(
        [sys.executable, *command],
        cwd=environ.pop("cwd", ROOT),
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", ""),
            "PYTHONPATH": str(ROOT),
            **environ,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert started.stdout
        yield started.stdout.readline()
    finally:
        started.terminate()
        started.communicate(timeout=10)


@dataclass
class Upstream:
    url: str

    def requests(self) -> list[dict[str, Any]]:
        """All replies asked for so far, as `tests.upstream.Recorded` has them."""
        with urllib.request.urlopen(f"{self.url}/_log", timeout=5) as answer:
            log = json.load(answer)
        return [each for each in log["requests"] if each["path"].endswith("/chat/completions")]

    def bodies(self) -> list[dict[str, Any]]:
        return [each["body"] for each in self.requests()]


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with process("-m", "tests.upstream") as line:
        yield Upstream(f"http://127.0.0.1:{int(line)}")


@contextmanager
def keyed_app(folder: Path, **environ: str) -> Iterator[str]:
    """The address of an app in a folder of its own, with the key that makes a browser its owner."""
    settings = {"CHAT_LOCAL": "0", "GRADIO_SERVER_PORT": "0", "cwd": str(folder), **environ}
    with process(str(ROOT / "app.py"), **settings) as line:
        assert "http://" in line, line
        yield line[line.index("http://") :].split()[0]


@contextmanager
def app(folder: Path, **environ: str) -> Iterator[str]:
    """As `keyed_app`, but the address is everybody's: who comes with it is a stranger."""
    with keyed_app(folder, **environ) as address:
        yield address.partition("/?")[0]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """No key, no vendor: what a newcomer starts."""
    with app(tmp_path_factory.mktemp("demo"), CHAT_DEMO_PACE="0.5") as address:
        yield address


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[str]:
    """With the upstream as the vendor `up`; short deadlines, so that silence is soon noticed."""
    with app(
        tmp_path_factory.mktemp("served"),
        CHAT_ENDPOINTS=f"up={upstream.url}/v1",
        CHAT_DEMO_PACE="0",
        CHAT_MODEL="up:text-5",
        CHAT_FIRST_EVENT_TIMEOUT="1.5",
        CHAT_IDLE_TIMEOUT="1",
    ) as address:
        yield address


# -- pages -------------------------------------------------------------------------------------


@dataclass
class Watch:
    """What a browser did while a test ran."""

    complaints: list[str] = field(default_factory=list)

    def page(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error.stack or error}"))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(known in message.text for known in GRADIO_S_OWN):
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            self.complaints.append(f"left the machine: {url}")


@dataclass
class Opener:
    """Opens pages, each in a browser of its own unless `beside` another."""

    browser: Browser
    watch: Watch
    stack: ExitStack

    def __call__(
        self,
        address: str,
        *,
        width: int = 1440,
        height: int = 900,
        beside: Screen | None = None,
        **options: Any,
    ) -> Screen:
        if beside is None:
            context = self.browser.new_context(viewport={"width": width, "height": height}, **options)
            self.stack.callback(context.close)
        else:
            context = beside.page.context
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        self.watch.page(page)
        page.goto(address)
        return Screen(page).ready()


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert not watch.complaints, "\n".join(watch.complaints)


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[Opener]:
    with ExitStack() as stack:
        yield Opener(browser, watch, stack)


@pytest.fixture(scope="module")
def shared_page(browser: Browser) -> Iterator[Callable[[str], Screen]]:
    """A page of an address, with an empty chat, for the tests of a module that leave nothing else behind.

    A page takes longer to open than most tests take to run.
    """
    watch, screens = Watch(), dict[str, Screen]()
    with ExitStack() as stack:
        opener = Opener(browser, watch, stack)

        def page(address: str) -> Screen:
            if address not in screens:
                screens[address] = opener(address)
            return screens[address].new_chat()

        yield page
    assert not watch.complaints, "\n".join(watch.complaints)


@pytest.fixture
def on_demo(shared_page: Callable[[str], Screen], demo: str) -> Screen:
    return shared_page(demo)


@pytest.fixture
def on_served(shared_page: Callable[[str], Screen], served: str) -> Screen:
    return shared_page(served)
