"""Who is let in: given these headers, this answer."""

import asyncio
from typing import Any

import pytest

from chat.api.gate import LARGEST_BODY, Gate

OWN = {"host": "127.0.0.1:7860"}
POST = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"localhost")]}


async def status(
    path: str = "/gradio_api/queue/join",
    method: str = "POST",
    local: bool = True,
    hosts: tuple[str, ...] = (),
    client: str = "127.0.0.1",
    **headers: str,
) -> int:
    """200 where the app was reached."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read before it is let in")

    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in {**OWN, **headers}.items() if v]
    scope = {"type": "http", "method": method, "path": path, "headers": pairs, "client": (client, 5)}
    await Gate(app, local=local, hosts=hosts)(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1:7860",
            "localhost:7860",
            "[::1]:7860",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "127.0.0.1:",
        ),
        *("[0:0:0:0:0:0:0:1]", "[::0001]:7860", "127.0.0.1."),
    ],
)
async def test_this_machines_own_names(host: str) -> None:
    assert await status(host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "127.0.0.1.evil.example",
            "",
            "localhost.evil:7860",
            "localhost..",
            ".",
        ),
        *("0.0.0.0", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::]", "127.0.0.2"),
    ],
)
async def test_another_name_for_this_machine(host: str) -> None:
    assert await status("/", "GET", host=host) == 403
    assert await status("/", "GET", host=host, local=False) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("a@127.0.0.1", "evil.example@localhost", "a:b@127.0.0.1:7860", "@localhost", "localhost@"),
        *(
            "127.0.0.1/x",
            "localhost/",
            "localhost?x",
            "localhost#x",
            "localhost\\x",
            "//localhost",
            "x/@localhost",
        ),
        *(
            "localhost x",
            " localhost",
            "localhost ",
            "local\thost",
            "localhost\0",
            "localhost\n",
            "[",
            "]",
            "[]",
        ),
        *("[::1", "::1", "::1]", "[::1%lo]", "[::1%25lo]", "[::1]x", "[::1]@x", "[127.0.0.1]", "[localhost]"),
        *("localhost:7860:1", "localhost:x", "localhost:-1", "localhost:123456", ":7860", "local%68ost"),
        *("löcalhost", "１２７.0.0.1", "localhost,evil.example", "a" * 256, "localhost;", "'localhost'"),
    ],
)
async def test_a_host_that_is_none(host: str) -> None:
    for local in (True, False):
        for hosts in ((), ("*",), ("localhost",)):
            for path, method in (("/", "GET"), ("/chat/stream", "POST")):
                assert await status(path, method, local, hosts, host=host) == 400
        assert not await opens(host=host)


async def test_two_hosts_are_none() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("reached")

    for second in (b"localhost", b"evil.example", b""):
        answer, send = keeping()
        await Gate(app, local=True)({**POST, "headers": [*POST["headers"], (b"host", second)]}, None, send)
        assert answer[0]["status"] == 400


@pytest.mark.parametrize("path", ["http://localhost/", "*", "", "localhost:443", "x", "\\x"])
async def test_an_address_begins_with_a_slash(path: str) -> None:
    assert await status(path, "OPTIONS") == 400


CHANGING = ("POST", "PUT", "PATCH", "DELETE")


FROM = pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://[evil"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:7860"}, 403),
        ({"sec_fetch_site": "same-origin", "origin": "http://evil.example"}, 403),
        ({"origin": "https://evil.example", "x_forwarded_host": "evil.example"}, 403),
        ({"origin": "HTTP://LocalHost:7860", "host": "localhost:7860"}, 200),
    ],
)


@FROM
@pytest.mark.parametrize("method", CHANGING)
async def test_another_sites_page(method: str, headers: dict[str, Any], expected: int) -> None:
    for path in ("/gradio_api/queue/join", "/chats/abc", "/runs/abc/thumb"):
        assert await status(path, method, **headers) == expected


@FROM
async def test_another_sites_page_opens_no_socket(headers: dict[str, str], expected: int) -> None:
    assert await opens(**headers) is (expected == 200)


async def test_a_socket_by_another_name_for_this_machine() -> None:
    assert not await opens(host="evil.example")


async def opens(path: str = "/chat/ws", **headers: str) -> bool:
    """Whether the app is reached by a WebSocket."""
    reached = False

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal reached
        reached = True

    async def send(message: Any) -> None:
        assert message["type"] == "websocket.close"

    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in {**OWN, **headers}.items()]
    await Gate(app, local=True)({"type": "websocket", "path": path, "headers": pairs}, None, send)
    return reached


@pytest.mark.parametrize("path", ["/", "/ws", "/chat/ws/", "/gradio_api/queue/join"])
async def test_no_other_address_has_a_socket(path: str) -> None:
    assert not await opens(path)


@pytest.mark.parametrize("path", ["/chats", "/chats/abc/export.md", "/state", "/"])
async def test_what_only_reads_may_be_followed_from_elsewhere(path: str) -> None:
    assert await status(path, "GET", sec_fetch_site="cross-site") == 200


@pytest.mark.parametrize("method", CHANGING)
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("text/plain", 415),
        ("text/plain; application/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonp", 415),
        ("", 415),
    ],
)
async def test_a_body_is_json(method: str, kind: str, expected: int) -> None:
    assert await status("/chats/abc", method, content_type=kind, content_length="2") == expected
    assert await status("/chats/abc", method, content_type=kind, transfer_encoding="chunked") == expected


async def test_a_form_is_for_the_login_alone() -> None:
    form: dict[str, Any] = {"content_type": "application/x-www-form-urlencoded", "content_length": "2"}
    assert await status("/login", **form) == 200
    assert await status("/login", **form, origin="http://evil.example") == 403
    assert await status("/login", **form, origin="null") == 403
    assert await status("/login", **form, sec_fetch_site="same-site") == 403
    assert await status("/login", content_type="text/plain", content_length="2") == 415
    for path in ("/login/", "/login/me", "/logout", "/chat/stream", "/"):
        assert await status(path, **form) == 415


@pytest.mark.parametrize("method", CHANGING)
async def test_no_body_needs_no_type(method: str) -> None:
    assert await status("/chats/abc", method) == 200
    assert await status("/chats/abc", method, content_length="0") == 200


@pytest.mark.parametrize("method", CHANGING)
@pytest.mark.parametrize("length", [str(LARGEST_BODY + 1), "-1", "many", "9" * 400])
async def test_a_body_that_is_too_large(method: str, length: str) -> None:
    kind = "application/json"
    assert await status("/chats/abc", method, content_type=kind, content_length=length) == 413
    assert await status("/chats/abc", method, content_type=kind, content_length="200000") == 200


async def test_a_body_without_a_length_is_cut() -> None:
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            got.append(message)
        got.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"x" * 400_000, "more_body": True}

    answer, send = keeping()
    await Gate(app, local=True)(POST, receive, send)
    assert [message["type"] for message in got] == ["http.request"] * 2 + ["http.disconnect"]
    assert answer[0]["status"] == 413
    assert (b"connection", b"close") in answer[0]["headers"]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_body_that_does_not_come_is_not_waited_for(fails: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == {"type": "http.disconnect"}
        if fails:
            raise ConnectionError("gone")
        await send({"type": "http.response.start", "status": 400, "headers": []})

    async def receive() -> Any:
        await asyncio.Event().wait()

    answer, send = keeping()
    await Gate(app, local=True, patience=0)(POST, receive, send)
    assert [message.get("status") for message in answer] == [408, None]


async def test_what_an_app_does_wrong_is_not_hidden() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise ZeroDivisionError

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}"}

    with pytest.raises(ZeroDivisionError):
        await Gate(app, local=True)(POST, receive, keeping()[1])


async def test_after_its_body_a_request_may_last() -> None:
    """The patience is for the body alone: who reads a stream says nothing for as long as it lasts."""
    given = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        given.set()

    messages = iter([{"type": "http.request", "body": b"{}"}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        await asyncio.sleep(0)
        return next(messages)

    answer, send = keeping()
    await Gate(app, local=True, patience=60)(POST, receive, send)
    assert given.is_set()
    assert answer == []


def keeping() -> tuple[list[Any], Any]:
    """A list, and a `send` that keeps in it what is sent."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    return sent, send


HOSTS = ("chat.example", "*.chat.example")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("chat.example", 200),
        ("CHAT.example:8443", 200),
        ("chat.example.", 200),
        ("a.b.chat.example", 200),
        ("evil.example", 403),
        ("evilchat.example", 403),
        ("chat.example.evil.example", 403),
        (".chat.example", 403),
        ("chat.example@evil.example", 400),
        ("evil.example@chat.example", 400),
        ("evil.example/chat.example", 400),
        ("chat.example/", 400),
        ("[", 400),
        ("", 403),
    ],
)
async def test_names_that_were_named(host: str, expected: int) -> None:
    for local in (False, True):
        for path, method in (("/", "GET"), ("/chat/stream", "POST")):
            assert await status(path, method, local, HOSTS, "192.0.2.1", host=host) == expected


async def test_this_machine_is_answered_by_its_own_names_too() -> None:
    for host in ("localhost", "127.0.0.1:7860", "[::1]"):
        for client, expected in (("127.0.0.1", 200), ("::1", 200), ("192.0.2.1", 403), ("", 403)):
            assert await status("/healthz", "GET", False, HOSTS, client, host=host) == expected
    assert await status("/healthz", "GET", False, ("*",), "192.0.2.1", host="any.example") == 200


async def test_a_head_that_is_too_long() -> None:
    assert await status(x="y" * 64_000) == 431
    assert await status("/" + "a" * 64_000, "GET") == 431
    assert await status(x="y" * 60_000) == 200


async def test_two_lengths_are_none() -> None:
    assert await status(content_length="2", transfer_encoding="chunked") == 400
