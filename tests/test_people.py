"""Browsers of several people and one real server: the printed key, and whose is what.

Plain HTTP clients with cookies, as browsers send them. What each route answers is tested where it lives.
"""

import http.client
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.test_app import keyed_address, started

SECRET_QUESTION = "canary question"


class Browser:
    def __init__(self, address: str) -> None:
        self.address, self.jar = address, CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )

    def __call__(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, str, str]:
        """Status, text, and the address where it ended."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"} if data else {}, method=method
        )
        try:
            with self._opener.open(request, timeout=20) as answer:
                return answer.status, answer.read().decode(), answer.url
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.url

    def ask(self) -> str:
        """The run that answers."""
        _, text, _ = self("/chat/stream", "POST", {"message": SECRET_QUESTION, "model": "demo:fast"})
        return (
            next(line for line in text.splitlines() if line.startswith("id: ")).split()[1].partition("/")[0]
        )

    def chats(self) -> list[str]:
        return [chat["id"] for chat in json.loads(self("/chats")[1])["chats"]]

    @property
    def cookie(self) -> str:
        (cookie,) = self.jar
        return cookie.value or ""


class Place:
    def __init__(self, printed: str) -> None:
        self.address, _, self.key = printed.partition("/?key=")
        self.people: list[Browser] = []

    def browser(self, path: str = "/") -> Browser:
        browser = Browser(self.address)
        self.people.append(browser)
        assert browser(path)[0] == 200
        return browser


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server; at its end, nothing of anybody may stand in what it said."""
    with started(tmp_path_factory.mktemp("place"), CHAT_DEMO_PACE="0") as process:
        place = Place(keyed_address(process))
        yield place
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert err.count('"outcome"') > 0
    for private in (place.key, SECRET_QUESTION, *(browser.cookie for browser in place.people)):
        assert private not in out + err
        assert private.partition(".")[0] == "local" or private.partition(".")[0] not in out + err


def test_the_printed_address_makes_one_browser_the_owner(place: Place) -> None:
    connection = http.client.HTTPConnection(place.address.removeprefix("http://"), timeout=10)
    connection.request("HEAD", f"/?key={place.key}")  # it leaves the key good
    assert connection.getresponse().getheader("set-cookie") is None
    connection.close()

    mine = place.browser()
    run = mine.ask()
    (chat,) = mine.chats()
    stranger = mine.cookie
    status, _, at = mine(f"/?chat={chat}&key={place.key}")
    assert (status, at) == (200, f"{place.address}/?chat={chat}")
    assert mine.cookie.startswith("local.")
    assert mine.cookie != stranger
    assert mine.chats() == [chat]
    assert mine(f"/runs/{run}/stop", "POST")[0] == 200

    other = place.browser(f"/?key={place.key}")  # it was good once
    assert not other.cookie.startswith("local.")
    assert other.chats() == []
    assert mine(f"/?key={place.key}")[2] == f"{place.address}/"
    assert mine.chats() == [chat]


def test_another_ones_ids_are_ids_of_nothing(place: Place) -> None:
    mine, other = place.browser(), place.browser()
    run = mine.ask()
    other.ask()
    (chat,) = mine.chats()
    assert chat not in other.chats()
    for path, method, body in (
        ("/chats/{}/export.md", "GET", None),
        ("/chats/{}/export.json", "GET", None),
        ("/chats/{}", "PATCH", {"title": "Mine now"}),
        ("/chats/{}", "DELETE", None),
        ("/chats/{}/restore", "POST", None),
    ):
        foreign = other(path.format(chat), method, body)
        unknown = other(path.format("unknown"), method, body)
        assert foreign[:2] == unknown[:2]
        assert foreign[0] == 404
    for path, method, body in (
        ("/runs/{}/events", "GET", None),
        ("/runs/{}/stop", "POST", None),
        ("/runs/{}/thumb", "PUT", {"thumb": 1}),
    ):
        foreign = other(path.format(run), method, body)
        unknown = other(path.format("unknown"), method, body)
        assert foreign[:2] == unknown[:2]
        assert foreign[0] == 404
    assert mine.chats() == [chat]
