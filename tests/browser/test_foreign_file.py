"""A foreign site's page cannot be had from our own address, where its scripts would be the owner's.

The app is started so that Gradio takes this machine's addresses for public ones: the foreign site is here.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import ROOT, Opener, process

START = f"""
import sys, safehttpx
sys.argv, sys.path[0] = [{str(ROOT / "app.py")!r}], {str(ROOT)!r}
async def public(host): return host
safehttpx.async_validate_url = public
import app
app.main()
"""
STEALS = b"""<html><body><script>
fetch("/chats").then(answer => answer.text()).then(text => document.title = "stolen " + text)
</script>"""
SETTINGS = {
    "local": {},
    "public": {"CHAT_PUBLIC": "1"},
    "login": {"CHAT_USERS": "ada:correct horse"},
}


class Foreign(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(STEALS)

    def log_message(self, format: str, *_: object) -> None:
        pass


@pytest.fixture
def foreign() -> Iterator[tuple[str, list[str]]]:
    """The address of a site that steals, and what it was asked for."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Ours", (Foreign,), {"asked": asked}))
    serving = Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_foreign_page_is_not_served_from_here(
    browser: Browser, open_page: Opener, foreign: tuple[str, list[str]], tmp_path: Path, setting: str
) -> None:
    site, asked = foreign
    environ = {"CHAT_LOCAL": "0", "CHAT_DEMO_PACE": "0", "GRADIO_SERVER_PORT": "0", "cwd": str(tmp_path)}
    with process("-c", START, **environ, **SETTINGS[setting]) as line:
        printed = line[line.index("http://") :].split()[0]
        address = printed.partition("/?")[0]
        screen = open_page(printed)  # the owner
        screen.ask("canary question").over(1)
        for way in (f"file={site}/x.png", f"file={site}/", f"proxy={site}/x.png", f"file/{site}/x.png"):
            page = screen.page.context.new_page()  # not watched: what is refused is an error on its console
            page.goto(f"{address}/gradio_api/{way}")
            page.wait_for_load_state("networkidle")
            assert page.title() == ""
            assert page.locator("body").inner_text() == "There is nothing at this address."
            page.close()
        joined = sends(screen.page.context.cookies(), address, f"{site}/x.png")
        assert joined == [400] * 2
        assert not asked
        # And the owner's page goes on.
        screen.ask("Hello?").over(2)
        screen.page.reload()
        screen.ready().over(2)


def sends(cookies: list, address: str, url: str) -> list[int]:  # type: ignore[type-arg]
    """The answers to files in a listener's input, as the owner would send them."""
    file = {"path": url, "url": url, "meta": {"_type": "gradio.FileData"}}
    header = "; ".join(f"{each['name']}={each['value']}" for each in cookies)
    config = json.load(urllib.request.urlopen(asking(f"{address}/config", header), timeout=10))
    found = []
    for name, route in (("act", "queue/join"), ("settings", "run/predict")):
        number = next(each["id"] for each in config["dependencies"] if each["api_name"] == name)
        body = json.dumps({"data": [{"values": [file]}], "fn_index": number, "session_hash": "s"})
        try:
            request = asking(f"{address}/gradio_api/{route}", header, body.encode())
            found.append(urllib.request.urlopen(request, timeout=10).status)
        except urllib.error.HTTPError as error:
            found.append(error.code)
    return found


def asking(address: str, cookie: str, body: bytes | None = None) -> urllib.request.Request:
    return urllib.request.Request(address, body, {"Cookie": cookie, "Content-Type": "application/json"})
