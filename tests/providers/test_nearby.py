"""Servers on this machine: found by one plain request, and nothing else that listens on such a port."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from chat.catalogue import Catalogue
from chat.errors import Fault
from chat.providers import nearby
from chat.providers.clients import Clients
from chat.providers.openai_chat import OpenAIChat
from chat.providers.vendors import VENDORS
from chat.settings import Settings

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LLAMA = next(vendor for vendor in VENDORS if vendor.name == "llamacpp")


@asynccontextmanager
async def listening(serve: Serve, port: int = 0) -> AsyncIterator[int]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", port) as server:
        yield server.sockets[0].getsockname()[1]


def answers(body: bytes, status: str = "200 OK", kind: str = "application/json") -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"connection: close" in head.lower()
        assert b"authorization" not in head.lower()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        writer.write(body)

    return serve


def listed(*ids: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": id, "object": "model"} for id in ids]}).encode()


@asynccontextmanager
async def looking(port: int) -> AsyncIterator[Catalogue]:
    clients = Clients()
    settings = Settings()
    vendor = replace(LLAMA, url=f"http://127.0.0.1:{port}/v1")
    found = Catalogue(settings, {"llamacpp": OpenAIChat(vendor, "", clients)})
    try:
        yield found
    finally:
        await found.aclose()
        await clients.aclose()


async def look(found: Catalogue) -> list[str]:
    found._looked = float("-inf")
    task = found.look()
    assert task is not None
    await task
    return found.of("").names()


async def test_a_server_is_found_and_is_gone_again_and_comes_back() -> None:
    async with listening(answers(listed("/models/Small-Q4_K_M.gguf"))) as port, looking(port) as found:
        assert await look(found) == ["llamacpp:/models/Small-Q4_K_M.gguf"]
        assert found.gone == frozenset()
        version = found.version
        assert await look(found) == ["llamacpp:/models/Small-Q4_K_M.gguf"]
        assert found.version == version  # nobody's menu is drawn again for nothing
        assert found.look() is None  # and nobody is asked again at once
    async with looking(port) as found:
        assert await look(found) == []
        async with listening(answers(listed("a")), port):
            assert await look(found) == ["llamacpp:a"]
        assert await look(found) == []
        assert found.gone == {"llamacpp"}
        async with listening(answers(listed("a", "b")), port):
            assert await look(found) == ["llamacpp:a", "llamacpp:b"]
        assert found.gone == frozenset()


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hangs_after_a_while(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    await reader.read()


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pass


async def says_ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await reader.read()


FOREIGN = {
    "hangs": hangs,
    "hangs after a while": hangs_after_a_while,
    "closes": closes,
    "no HTTP": says_ssh,
    "HTML": answers(b"<!doctype html><html></html>", kind="text/html"),
    "404": answers(b'{"error": "no"}', "404 Not Found"),
    "401": answers(b'{"error": "no"}', "401 Unauthorized"),
    "500": answers(b"", "500 Oops"),
    "elsewhere": answers(b"", "302 Found\r\nLocation: http://far.test/"),
    "empty": answers(b""),
    "no JSON": answers(b"{"),
    "deep": answers(b"[" * 100_000),
    "text": answers(b'"models"'),
    "number": answers(b"7"),
    "null": answers(b"null"),
    "another kind": answers(b'{"data": [{"id": "user-1", "name": "Ann"}], "total": 1}'),
    "users": answers(b'[{"id": "user-1"}]'),
    "odd": answers(b'{"data": {"id": "a"}, "models": 3}'),
    "an error": answers(b'{"object": "list", "error": {"message": "no"}, "data": null}'),
    "Runnel": answers(
        json.dumps(
            {"object": "list", "data": [{"id": "demo:tour", "object": "model", "owned_by": "demo"}]}
        ).encode()
    ),
    "far too long": answers(b'{"object": "list", "data": [' + b"1," * 1_100_000 + b"1]}"),
}


@pytest.mark.parametrize("serve", FOREIGN.values(), ids=FOREIGN)
async def test_what_else_listens_there_is_not_listed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(nearby, "ANSWER_TIMEOUT_S", 0.3)
    async with listening(serve) as port, looking(port) as found:
        assert await look(found) == []
        assert found.of("").keyless
        assert not found.faults
    assert not caplog.records


async def test_a_server_without_a_model_leaves_the_demo_alone() -> None:
    async with listening(answers(b'{"object": "list", "data": null}')) as port, looking(port) as found:
        assert await look(found) == []
        assert found.of("").keyless


async def test_a_busy_server_has_another_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby, "ANSWER_TIMEOUT_S", 0.2)
    busy = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (hangs if busy else answers(listed("a")))(reader, writer)

    async with listening(serve) as port, looking(port) as found:
        assert await look(found) == ["llamacpp:a"]
        busy = True
        assert await look(found) == ["llamacpp:a"]
        assert await look(found) == []


async def test_all_ports_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the others to be asked before it answers."""
    asked, all_asked = 0, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            all_asked.set()
        await all_asked.wait()
        await answers(listed("a"))(reader, writer)

    clients = Clients()
    async with listening(serve) as one, listening(serve) as two, listening(serve) as three:
        found = Catalogue(
            Settings(),
            {
                name: OpenAIChat(replace(LLAMA, name=name, url=f"http://127.0.0.1:{port}/v1"), "", clients)
                for name, port in (("a", one), ("b", two), ("c", three))
            },
        )
        assert await look(found) == ["a:a", "b:a", "c:a"]
        await found.aclose()
    await clients.aclose()


def test_no_sdk_is_imported_for_a_look() -> None:
    code = """
import asyncio, sys
from dataclasses import replace
from chat.providers.clients import Clients
from chat.providers.openai_chat import OpenAIChat
from chat.providers.vendors import VENDORS
from chat.errors import Fault

async def main():
    vendor = replace(next(v for v in VENDORS if v.name == "llamacpp"), url="http://127.0.0.1:9/v1")
    clients = Clients()
    try:
        await OpenAIChat(vendor, "", clients).models()
    except Fault as fault:
        print(fault.kind, [name for name in ("openai", "anthropic") if name in sys.modules])
    await clients.aclose()

asyncio.run(main())
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "unreachable []"


# -- what has to be loaded first -------------------------------------------------------------------


async def test_whoever_stops_waiting_throws_no_half_built_client_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go, built = threading.Event(), []

    def slow(*_: object) -> object:
        go.wait(10)
        built.append(object())
        return built[-1]

    monkeypatch.setattr("chat.providers.clients._openai", slow)
    clients = Clients()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await clients.openai(LLAMA)
    go.set()
    assert await clients.openai(LLAMA) is built[0]
    assert len(built) == 1
    await clients.aclose()


async def test_a_client_that_cannot_be_built_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise Fault("no")

    clients = Clients()
    with monkeypatch.context() as patched:
        patched.setattr("chat.providers.clients._openai", broken)
        with pytest.raises(Fault):
            await clients.openai(LLAMA)
    assert await clients.openai(LLAMA)
    await clients.aclose()
