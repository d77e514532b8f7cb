"""A web server that answers each question as a test says, byte by byte if it likes: between page and client.

    with FakeServer() as server:
        server.say(stream(b'data: {"content": "Hi"}\\n\\n'), refuse(429, "Slowly.", retry_after=7))
        page.goto(server.url)      # an empty page with the client in it
        server.asked               # headers and bodies of the questions so far

Knows nothing of the app: the client's file is all that it serves of it.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

CLIENT = Path(__file__).parents[2] / "chat/api/static/streaming-chat.js"
PAGE = b'<!doctype html><link rel="icon" href="data:,"><script src="/streaming-chat.js"></script>'

Answer = Callable[["Handler"], None]


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: Any


def stream(
    *pieces: bytes,
    media: str = "text/event-stream",
    cut: int | None = None,
    until: threading.Event | None = None,
    **headers: str,
) -> Answer:
    """A body in these pieces, each on the wire by itself, the last not before `until`. `cut`: the connection
    is lost after them, once the page has asked `/seen` so often. (A browser throws away what a page has not
    read when the connection breaks.)"""

    def answer(handler: "Handler") -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", media)
        handler.send_header("Transfer-Encoding", "chunked")
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        for piece in pieces:
            if until is not None and piece is pieces[-1]:
                assert until.wait(10)
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if cut is not None:
            handler.fake.wait(cut)
        else:
            handler.wfile.write(b"0\r\n\r\n")

    return answer


def refuse(status: int, body: Any = b"", media: str = "application/json", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(handler: "Handler") -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", media)
        if status != 204:
            handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def cut(handler: "Handler") -> None:
    """The connection is closed before a word."""


class FakeServer:
    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: deque[Answer] = deque()
        self._seen, self._told = 0, threading.Condition()
        handler = type("Bound", (Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def say(self, *answers: Answer) -> None:
        """These, one for each question; what was asked before is forgotten."""
        self.asked.clear()
        self.answers = deque(answers)
        self._seen = 0

    def wait(self, seen: int) -> None:
        with self._told:
            assert self._told.wait_for(lambda: self._seen >= seen, 10)

    def tell(self) -> None:
        with self._told:
            self._seen += 1
            self._told.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: FakeServer

    def do_GET(self) -> None:
        if self.path == "/streaming-chat.js":
            refuse(200, CLIENT.read_bytes(), "text/javascript")(self)
        elif self.path == "/seen":
            self.fake.tell()
            refuse(200)(self)
        else:
            refuse(200, PAGE, "text/html")(self)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.fake.asked.append(Asked(self.path, headers, json.loads(body) if body else None))
        with suppress(ConnectionError):  # the page may have given up on this one
            self.fake.answers.popleft()(self)
        self.close_connection = True

    def end_headers(self) -> None:
        # A browser asks again by itself, when a connection that was used before is closed on it.
        self.send_header("Connection", "close")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass
