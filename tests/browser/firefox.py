"""Firefox without Playwright, which cannot drive Debian's: WebDriver BiDi over a WebSocket of our own.

    with Firefox.started() as firefox:
        firefox.open(url)
        firefox.click("#question")
        firefox.type("Hello\\n")
        firefox.wait("document.querySelector('.done')")
        firefox.complaints

Blocking, on wsproto and a socket: while Playwright's loop stands, no other can run. As much of the protocol
as a smoke test needs (https://w3c.github.io/webdriver-bidi/).
"""

import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Ping, Request, TextMessage

NAMES = ("firefox-esr", "firefox")
PATIENCE = 20
"""Seconds that any one thing may take."""
ENTER = "\ue007"
ESCAPE = "\ue00c"

OFFLINE = """
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 1);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 1);
user_pref("network.proxy.no_proxies_on", "127.0.0.1");
"""
"""What is not on this machine is asked of a proxy that is not there: Firefox looks for news by itself."""

WAIT = """new Promise((resolve, reject) => {
    const until = performance.now() + %d;
    const look = () => {
        if (%s) resolve(true);
        else if (performance.now() > until) reject(new Error("waited in vain"));
        else setTimeout(look, 20);
    };
    look();
})"""


def installed() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Firefox:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events = self._read()
        self._count = 0
        self.complaints: list[str] = []
        """Errors of the page's scripts and on its console, and requests that left the machine."""
        self._send(self._protocol.send(Request(host=f"127.0.0.1:{port}", target="/session")))
        assert isinstance(next(self._events), AcceptConnection)
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self._context = self.command("browsingContext.getTree")["contexts"][0]["context"]

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """Without a window, in a profile of its own, and without a way out of the machine."""
        path = installed()
        assert path
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            command = [path, "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port=0"]
            environ = {"PATH": "/usr/bin:/bin", "HOME": folder, "MOZ_CRASHREPORTER_DISABLE": "1"}
            (Path(folder) / "user.js").write_text(OFFLINE)
            process = subprocess.Popen(
                command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            with process:
                assert process.stderr
                lines = (
                    re.search(r"BiDi listening on ws://127\.0\.0\.1:(\d+)", line) for line in process.stderr
                )
                port = next(int(found[1]) for found in lines if found)
                rest = threading.Thread(target=process.stderr.read)  # a full pipe would hold it up
                rest.start()
                try:
                    firefox = cls(port)
                    with firefox._socket:
                        yield firefox
                finally:
                    process.terminate()
                    process.wait(PATIENCE)
                    rest.join()

    # -- what a person does -----------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Returns when it has loaded."""
        self.command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def click(self, selector: str) -> None:
        """The middle of it, with the mouse."""
        place = self.evaluate(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        x, y = (round(value) for value in place)
        move = {"type": "pointerMove", "x": x, "y": y}
        press = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._perform({"type": "pointer", "id": "mouse", "actions": [move, *press]})

    def type(self, text: str) -> None:
        """Key by key; a line's end is Enter."""
        keys = [ENTER if character == "\n" else character for character in text]
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._perform({"type": "key", "id": "keyboard", "actions": actions})

    def _perform(self, source: dict[str, Any]) -> None:
        self.command("input.performActions", context=self._context, actions=[source])

    # -- what is on the page ----------------------------------------------------------------------

    def evaluate(self, expression: str) -> Any:
        """Its value, of those that JSON knows."""
        answer = self.command(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))",
            target={"context": self._context},
            awaitPromise=True,
        )
        assert answer["type"] == "success", (expression, answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def wait(self, condition: str) -> None:
        """Until it is so."""
        self.evaluate(WAIT % (1000 * PATIENCE, condition))

    # -- the protocol ----------------------------------------------------------------------------

    def command(self, method: str, **params: Any) -> Any:
        self._count += 1
        message = json.dumps({"id": self._count, "method": method, "params": params})
        self._send(self._protocol.send(TextMessage(message)))
        while True:
            message = self._message()
            if message.get("id") == self._count:
                assert message["type"] == "success", message
                return message["result"]
            self._told(message["method"], message["params"])

    def _told(self, method: str, params: Any) -> None:
        if method == "log.entryAdded" and params["level"] == "error":
            self.complaints.append(params["text"])
        elif method == "network.beforeRequestSent":
            url = urlsplit(params["request"]["url"])
            if url.scheme in ("http", "https") and url.hostname != "127.0.0.1":
                self.complaints.append(f"left the machine: {url.geturl()}")

    def _message(self) -> Any:
        text = ""
        for event in self._events:
            if isinstance(event, Ping):
                self._send(self._protocol.send(event.response()))
            elif isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    return json.loads(text)
        raise AssertionError("Firefox has gone")

    def _send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def _read(self) -> Iterator[Any]:
        while True:
            yield from self._protocol.events()
            data = self._socket.recv(65_536)
            if not data:
                return
            self._protocol.receive_data(data)
