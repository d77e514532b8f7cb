"""A client of raw bytes: it says what no library would, and hears what the server answers to it.

Blocking sockets, one thread: the tests are about one request after the other.
"""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

QUICK = 3.0
"""Seconds for an answer: it takes some milliseconds, on a machine with nothing else to do."""
JSON = "Content-Type: application/json\r\n"


@dataclass
class Answer:
    status: int
    """0: the connection was closed without one."""
    head: str
    body: bytes

    @property
    def sentence(self) -> str:
        error = json.loads(self.body)["error"]
        return error["message"] if isinstance(error, dict) else error

    def header(self, name: str) -> str:
        return next(
            (
                line.partition(":")[2].strip()
                for line in self.head.split("\r\n")
                if line.lower().startswith(name + ":")
            ),
            "",
        )


class Line:
    """A connection from `source`."""

    def __init__(self, site: "Site", source: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection((site.host, site.port), QUICK, (source, 0))
        self._got = b""

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def say(self, data: str | bytes) -> "Line":
        self._socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return self

    def hear(self) -> Answer:
        """The next answer on this connection, within `QUICK`. Of a stream, all of it."""
        until = time.monotonic() + QUICK
        if not self._until(lambda: b"\r\n\r\n" in self._got, until):
            assert not self._got
            return Answer(0, "", b"")
        head, _, rest = self._got.partition(b"\r\n\r\n")
        text = head.decode("latin-1").lower()
        if found := re.search(r"content-length: (\d+)", text):
            length = int(found[1])
            self._until(lambda: len(self._got) - len(head) - 4 >= length, until)
            rest = self._got[len(head) + 4 :]
            body, self._got = rest[:length], rest[length:]
        elif "transfer-encoding: chunked" in text:
            self._until(lambda: self._got.endswith(b"0\r\n\r\n"), until)
            body, self._got = self._got[len(head) + 4 :], b""
        else:
            body, self._got = rest, b""
        return Answer(int(head.split()[1]), head.decode("latin-1"), body)

    def until_closed(self, goodbye: bytes = b"") -> bytes:
        """What is heard until the server closes, or has said `goodbye`. `TimeoutError` after `QUICK`."""
        self._until(lambda: bool(goodbye) and goodbye in self._got, time.monotonic() + QUICK)
        return self._got

    def _until(self, true: Callable[[], bool], until: float) -> bool:
        """False: it was closed before."""
        while not true():
            self._socket.settimeout(max(0.01, until - time.monotonic()))
            try:
                got = self._socket.recv(1 << 16)
            except ConnectionError:
                return False
            if not got:
                return False
            self._got += got
        return True


@dataclass
class Site:
    host: str
    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def address(self) -> str:
        """One that nobody had before."""
        number = next(self._numbers)
        return f"127.1.{number // 250}.{number % 250 + 1}"

    def line(self, source: str = "127.0.0.1") -> Line:
        return Line(self, source)

    def ask(
        self, request: str, headers: str = "", body: str | bytes = "", source: str = "127.0.0.1"
    ) -> Answer:
        """`request`: method and path. A body is JSON unless the headers say otherwise."""
        with self.line(source) as line:
            return line.say(self.head(request, headers, body) + _bytes(body)).hear()

    def head(self, request: str, headers: str = "", body: str | bytes = "") -> bytes:
        if body and "content-type" not in headers.lower():
            headers += JSON
        if body:
            headers += f"Content-Length: {len(_bytes(body))}\r\n"
        host = "" if headers.startswith("Host:") else f"Host: {self.host}:{self.port}\r\n"
        return f"{request} HTTP/1.1\r\n{host}{headers}\r\n".encode("latin-1")

    def cookie(self, who: str) -> str:
        """The header of somebody whose browser opened the page."""
        if who not in self.cookies:
            page = self.ask("GET /")
            self.cookies[who] = f"Cookie: {page.header('set-cookie').partition(';')[0]}\r\n"
        return self.cookies[who]

    def works(self) -> None:
        assert self.ask("GET /healthz").body == b'{"status":"ok"}'


def _bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()
