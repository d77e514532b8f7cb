"""A model on this machine that starts while a page is open appears in its menu, and says when it is gone."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Opener, app

MODEL = "/models/Small-Q4_K_M.gguf"
LABEL = "ollama:Small-Q4_K_M"
CHOSEN = re.compile(r"^ollama:(/models/)?Small-Q4_K_M(\.gguf)?$")
"""Gradio (6.31) may show what is asked for in the place of its label, where the list grew while it was
open."""


class _List(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(port: int) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", port), _List)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_it_appears_in_the_open_menu_and_says_when_it_is_gone(open_page: Opener, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with app(tmp_path, CHAT_LOCAL="1", OLLAMA_HOST=f":{port}", CHAT_DEMO_PACE="0") as address:
        screen = open_page(address)
        page = screen.page
        welcome = page.locator("#chat .placeholder")
        expect(welcome).to_contain_text("start a model on this machine")
        menu = page.locator("#model input")
        page.wait_for_load_state("networkidle")
        menu.click()
        expect(page.get_by_role("option").first).to_be_visible()
        with serving(port):
            found = page.get_by_role("option", name=LABEL)
            expect(found).to_be_visible()  # the menu was never closed
            expect(welcome).not_to_contain_text("start a model on this machine")
            found.click()
            expect(menu).to_have_value(CHOSEN)
        menu.blur()
        offered = page.request.get(f"{address}/state").json()["offered"]
        # Who has just looked is not asked again at once: the menu is open until the server is missed.
        with page.expect_response(
            lambda answer: "choosing=1" in answer.url and answer.json()["offered"] < offered
        ):
            menu.click()
        menu.blur()
        expect(page.locator("#model")).to_contain_text("Ollama does not answer any more. Is it running?")
        expect(menu).to_have_value(CHOSEN)
        screen.ask("Are you there?")
        expect(page.locator("#chat .failure")).to_contain_text("Is Ollama running?")
        page.close()
