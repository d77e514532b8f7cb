"""Clients are shared, late and discreet; a wire ends, fails and is freed as it should."""

import asyncio
import gzip
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from chat import errors
from chat.events import RequestSent
from chat.messages import Request, User
from chat.models import Model
from chat.providers.anthropic_messages import AnthropicMessages
from chat.providers.clients import Clients
from chat.providers.faults import Call
from chat.providers.openai_chat import OpenAIChat
from chat.providers.openai_responses import OpenAIResponses
from chat.providers.payloads import DONE, KEEP_ALIVE, WHOLE
from chat.providers.vendors import Vendor
from chat.providers.wire import open_wire

ONE = Vendor("one", "One", ("openai_chat",), "https://api.one.test/v1", "ONE_API_KEY", "ONE_BASE_URL")
TWO = Vendor("two", "Two", ("openai_chat",), "https://api.two.test/v1", "TWO_API_KEY")
ANTHROPIC = Vendor("a", "A", ("anthropic_messages",), "https://api.a.test", "A_API_KEY")

Answer = Callable[[httpx2.Request], httpx2.Response]


def ask(client: Any) -> Any:
    """A request through either SDK; `open_wire` sends it."""
    create = (
        client.chat.completions if hasattr(client, "chat") else client.messages
    ).with_streaming_response.create
    more = {} if hasattr(client, "chat") else {"max_tokens": 1}
    return create(model="m-1", messages=[], stream=True, **more)


@asynccontextmanager
async def vendor(answer: Answer) -> AsyncIterator[tuple[Clients, list[httpx2.Request]]]:
    asked: list[httpx2.Request] = []

    def answered(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return answer(request)

    clients = Clients(transport=httpx2.MockTransport(answered))
    yield clients, asked
    await clients.aclose()


def stream(*pieces: bytes, **headers: str) -> Answer:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return lambda _: httpx2.Response(
        200, headers={"content-type": "text/event-stream", **headers}, content=body()
    )


async def read(
    clients: Clients, vendor: Vendor = ONE, key: str = "sk-one"
) -> list[tuple[str, dict[str, Any]]]:
    client = await clients.openai(vendor, key)
    async with open_wire(ask(client), Call(vendor, key)) as wire:
        return [payload async for payload in wire]


# -- clients ------------------------------------------------------------------------------------


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, chat.providers.openai_chat as chat; chat.Clients();"
        "print([m for m in ('openai', 'anthropic', 'httpx2', 'httpx') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


async def test_one_client_for_an_address_and_a_key() -> None:
    async with vendor(stream()) as (clients, _):
        first = await clients.openai(ONE, "sk-one")
        assert await clients.openai(ONE, "sk-one") is first
        others = [await clients.openai(ONE, "sk-two"), await clients.openai(TWO, "sk-one")]
        assert first not in others


async def test_clients_asked_for_at_once_are_built_once() -> None:
    async with vendor(stream()) as (clients, _):
        built = await asyncio.gather(*(clients.openai(ONE, "sk-one") for _ in range(5)))
        assert len({id(client) for client in built}) == 1


@pytest.mark.parametrize("key", ["sk-one", ""])
async def test_a_key_and_nothing_else_is_told(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, f"sk-of-{name}")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: secret-header")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-anthropic")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-anthropic")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Mine: secret-header")
    async with vendor(stream(b"data: {}\n\n")) as (clients, asked):
        for client in (await clients.openai(ONE, key), await clients.anthropic(ANTHROPIC, key)):
            async with open_wire(ask(client), Call(ONE, key)) as wire:
                assert [payload async for payload in wire] == [("", {})]
    for request in asked:
        said = str(request.headers.raw)
        assert said.count("sk-") == (1 if key else 0)
        assert "no-key" not in said
        assert "secret" not in said
        assert "token-of" not in said
        assert request.headers.get("authorization", "Bearer ") == f"Bearer {key}"


async def test_no_redirect_is_followed() -> None:
    def elsewhere(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(307, headers={"location": "https://evil.test/v1"})

    async with vendor(elsewhere) as (clients, asked):
        with pytest.raises(errors.Config, match="another address"):
            await read(clients)
        assert len(asked) == 1


async def test_nothing_is_tried_twice() -> None:
    async with vendor(lambda _: httpx2.Response(503, headers={"retry-after": "0"})) as (clients, asked):
        with pytest.raises(errors.Overloaded) as fault:
            await read(clients)
        assert fault.value.retry_after == 0
        assert len(asked) == 1


async def test_no_cookie_is_kept() -> None:
    async with vendor(stream(b"data: {}\n\n", **{"set-cookie": "who=me"})) as (clients, asked):
        await read(clients)
        await read(clients)
        assert "cookie" not in asked[1].headers


@pytest.mark.parametrize(
    ("url", "key", "words"), [("htp://x", "sk-one", "address"), ("https://x", "sk-ü", "ONE_API_KEY")]
)
async def test_what_cannot_be_sent_is_named(url: str, key: str, words: str) -> None:
    clients = Clients()
    with pytest.raises(errors.Config) as caught:
        await read(clients, Vendor("one", "One", ("openai_chat",), url, "ONE_API_KEY"), key)
    assert words in caught.value.whole
    await clients.aclose()


# -- the wire -----------------------------------------------------------------------------------


async def test_payloads_by_name() -> None:
    text = b': hi\n\nevent: one\ndata: {"a": 1}\n\ndata:\n\ndata: null\n\ndata: {}\n\ndata: [DONE]\n\n'
    async with vendor(stream(text)) as (clients, _):
        quiet = (KEEP_ALIVE, {})
        assert await read(clients) == [quiet, ("one", {"a": 1}), quiet, quiet, ("", {}), (DONE, {})]


@pytest.mark.parametrize("mime", ["application/json", "text/event-stream", ""])
@pytest.mark.parametrize("size", [1, 1000])
async def test_one_json_object_is_one_payload(mime: str, size: int) -> None:
    text = b' \n{"a": "\\ud83d\\udeb2 \\ud83d"}'
    pieces = (text[i : i + size] for i in range(0, len(text), size))
    async with vendor(stream(*pieces, **{"content-type": mime})) as (clients, _):
        assert await read(clients) == [(WHOLE, {"a": "🚲 \ufffd"})]


async def test_a_compressed_stream() -> None:
    packed = gzip.compress(b"data: {}\n\n")
    async with vendor(stream(packed[:9], packed[9:], **{"content-encoding": "gzip"})) as (clients, _):
        assert await read(clients) == [("", {})]


async def test_what_came_before_a_broken_event_is_given() -> None:
    async with vendor(stream(b'data: {"a": 1}\n\ndata: {"a\n\ndata: {"a": 2}\n\n')) as (clients, _):
        client = await clients.openai(ONE)
        async with open_wire(ask(client), Call(ONE)) as wire:
            assert await anext(wire) == ("", {"a": 1})
            with pytest.raises(errors.Malformed, match="not JSON"):
                await anext(wire)


@pytest.mark.parametrize("start", [b"", b"data: "])
@pytest.mark.parametrize(
    "broken", [b'{"a', b'{"a":' * 100_000, b'{"a": "\xff"}', b'{"a": ' + b"9" * 5000 + b"}"]
)
async def test_json_that_cannot_be_read(start: bytes, broken: bytes) -> None:
    async with vendor(stream(start + broken + b"\n\n")) as (clients, _):
        with pytest.raises(errors.Malformed):
            await read(clients)


async def test_a_large_json_body_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.providers.wire.LARGEST_BODY", 1000)
    async with vendor(stream(b"[", *[b"1," * 300] * 9)) as (clients, _):
        with pytest.raises(errors.TooLarge):
            await read(clients)


# -- over a real socket, on loopback ----------------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[tuple[Vendor, list[asyncio.StreamWriter]]]:
    """A vendor on this machine; `serve` is called once for each connection, after its first request."""
    connections: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        try:
            await request(reader)
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        yield Vendor("here", "Here", ("openai_chat",), url, local=True), connections


async def request(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))


@pytest.mark.parametrize("together", [True, False])
async def test_a_connection_serves_again(together: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(HEAD + chunk(b"data: [DONE]\n\n") + (b"0\r\n\r\n" if together else b""))
            await writer.drain()
            if not together:
                await asyncio.sleep(0.002)
                writer.write(b"0\r\n\r\n")
            await request(reader)

    async with server(serve) as (here, connections):
        clients = Clients()
        client = await clients.openai(here)
        for _ in range(3):
            async with open_wire(ask(client), Call(here)) as wire:
                assert await anext(wire) == (DONE, {})
                await wire.drain()
        assert len(connections) == 1
        await clients.aclose()


@pytest.mark.parametrize("how", ["leave", "cancel"])
async def test_the_server_sees_its_socket_closed_at_once(how: str) -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b"data: {}\n\n"))
        assert await reader.read() == b""
        closed.set()

    async def follow(here: Vendor, begun: asyncio.Event) -> None:
        client = await clients.openai(here)
        async with open_wire(ask(client), Call(here)) as wire:
            async for _ in wire:
                begun.set()
                if how == "leave":
                    return

    async with server(serve) as (here, _):
        clients, begun = Clients(), asyncio.Event()
        following = asyncio.create_task(follow(here, begun))
        await begun.wait()
        if how == "cancel":
            following.cancel()
        async with asyncio.timeout(0.1):
            await closed.wait()
        await asyncio.gather(following, return_exceptions=True)
        await clients.aclose()


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"", errors.Unreachable),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", errors.Empty),
        (HEAD, errors.CutOff),
        (HEAD + chunk(b"data: {}\n\n"), errors.CutOff),
        (HEAD + b"5\r\nda", errors.CutOff),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", errors.CutOff),
        (b"SSH-2.0-OpenSSH_9.2\r\n", errors.Unreachable),
    ],
)
async def test_a_line_that_breaks(sent: bytes, kind: type[errors.Fault]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    async with server(serve) as (here, _):
        clients = Clients()
        with pytest.raises(kind, match="Here"):
            await read(clients, here)
        await clients.aclose()


async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(lambda *_: asyncio.sleep(0)) as (here, _):
        pass
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # not asked for what is on this machine
    clients = Clients()
    with pytest.raises(errors.Unreachable, match="Is Here running"):
        await read(clients, here)
    with pytest.raises(errors.Unreachable, match="no such host") as caught:
        await read(clients)
    assert "at api.one.test (ONE_BASE_URL)" in caught.value.hint
    await clients.aclose()


@pytest.mark.parametrize("protocol", [OpenAIChat, OpenAIResponses, AnthropicMessages])
async def test_a_failure_names_a_setting_to_its_owner_alone(protocol: Any):
    clients = Clients(transport=httpx2.MockTransport(lambda request: httpx2.Response(401)))
    request = Request(Model("one", "m"), (User("?"),), max_tokens=9)
    async with aclosing(protocol(ONE, "sk-one", clients).stream(request)) as events:
        await anext(events)
        with pytest.raises(errors.Auth) as caught:
            await anext(events)
    assert "ONE_API_KEY" not in caught.value.told(operator=False).message
    assert "ONE_API_KEY" in caught.value.told(operator=True).message
    await clients.aclose()


@pytest.mark.parametrize("protocol", [OpenAIChat, OpenAIResponses, AnthropicMessages])
async def test_the_password_in_an_address_is_in_no_event(protocol: Any):
    own = replace(ONE, url="http://user:p@ss@h.test:81/v1")
    async with vendor(stream()) as (clients, _):
        provider = protocol(own, "", clients)
        async with aclosing(provider.stream(Request(Model("one", "m"), (User("?"),)))) as events:
            sent = await anext(events)
    assert isinstance(sent, RequestSent)
    assert sent.url.startswith("http://h.test:81/v1/")


@pytest.mark.parametrize("url", ["https://h/v1", "http://127.0.0.1:1/a@b", "http://[::1]:8/v1"])
def test_an_address_without_a_password_stays(url: str):
    assert Call(replace(ONE, url=url)).address("/x") == f"{url}/x"
