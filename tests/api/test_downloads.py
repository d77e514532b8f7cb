"""Given these readers of exports, so much is in memory, and the others are refused."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI

from chat.api import chats, downloads
from chat.api.downloads import EXPORT_LIMITS, PIECE_BYTES, Downloads
from chat.build import App, open_app
from chat.connections import Connection
from chat.messages import Options
from chat.settings import Settings
from tests.api.served import listening
from tests.waiting import until

SIZE = 12_000_000
"""Bytes of each export: more than the system takes of what nobody reads."""
TOO_MANY = b"Too many chats are being exported at once. Try again in a moment."


@dataclass
class Site:
    app: App
    port: int
    places: Downloads
    connections: list[Connection]
    lines: AsyncExitStack
    chats: dict[str, str] = field(default_factory=dict)

    async def export(self, owner: str) -> "Line":
        """Asks for a chat of this owner. Nothing is taken of the answer yet."""
        if owner not in self.chats:
            chat = self.app.store.new(owner)
            run = await self.app.runs.ask(chat, "Hello", Options(model="demo:fast"))
            await run.finished()
            self.chats[owner] = chat.id
        line = Line()
        self.lines.callback(line.close)
        await line.loop.sock_connect(line.socket, ("127.0.0.1", self.port))
        cookie = f"{self.app.owners.name}={self.app.owners.cookie(owner)}"
        path = f"/chats/{self.chats[owner]}/export.md"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
        await line.loop.sock_sendall(line.socket, head.encode())
        return line

    def unread(self) -> int:
        """Bytes that wait in the connections."""
        return sum(each.transport.get_write_buffer_size() for each in self.connections)


class Line:
    def __init__(self) -> None:
        self.loop, self.socket = asyncio.get_running_loop(), socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        self.close = self.socket.close

    async def rest(self, piece: int = 100_000) -> bytes:
        """All that comes until the server closes, so many bytes at a time."""
        taken = bytearray()
        async with asyncio.timeout(30):
            while more := await self.loop.sock_recv(self.socket, piece):
                taken += more
        return bytes(taken)


@asynccontextmanager
async def serving(monkeypatch: pytest.MonkeyPatch, **more: Any) -> AsyncIterator[Site]:
    made: list[Downloads] = []
    connections: list[Connection] = []

    class Seen(Connection):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            connections.append(self)

    def places(*given: Any) -> Downloads:
        made.append(Downloads(*given, **more))
        return made[-1]

    monkeypatch.setattr(chats, "Downloads", places)
    monkeypatch.setattr(chats, "markdown", lambda chat: "x" * SIZE)
    environ = {"CHAT_LOCAL": "0", "CHAT_DEMO_PACE": "0", "CHAT_DATABASE": ":memory:"}
    async with open_app(Settings.read(environ)) as app:
        parent = FastAPI()
        chats.route(parent, app)
        async with listening(parent, http=Seen) as url, AsyncExitStack() as lines:
            yield Site(app, int(url.rpartition(":")[2]), made[0], connections, lines)


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    async with serving(monkeypatch) as site:
        yield site


async def test_of_exports_that_nobody_reads_one_is_in_memory_and_the_others_are_refused(site: Site) -> None:
    each = EXPORT_LIMITS[1]
    lines = [await site.export("me") for _ in range(3 * each)]
    for refused in lines[each:]:
        answer = await refused.rest()
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nretry-after: 1\r\n" in answer
        assert TOO_MANY in answer
    await until(lambda: site.places.bytes > 0)
    assert site.places.bytes == SIZE
    assert site.unread() <= 3 * PIECE_BYTES
    for line in lines[:each]:  # who leaves gives the place to the next one
        line.close()
    await until(lambda: site.places.bytes == 0)
    assert (await (await site.export("me")).rest()).endswith(b"x" * SIZE)


async def test_of_many_owners_so_many_are_in_memory(site: Site) -> None:
    total = EXPORT_LIMITS[0]
    lines = [await site.export(f"owner-{n}") for n in range(total + 4)]
    await until(lambda: site.places.bytes == total * SIZE)
    assert site.unread() <= 3 * PIECE_BYTES * total
    lines[0].close()
    for waited in lines[total:]:
        assert len(await waited.rest()) > SIZE  # each in its turn


async def test_so_many_bytes_are_in_memory_unless_one_alone_has_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MAX_DOWNLOAD_BYTES", SIZE - 1)
    first = await site.export("me")
    await until(lambda: site.places.bytes == SIZE)
    second = await (await site.export("you")).rest()
    assert second.startswith(b"HTTP/1.1 429 ")
    assert TOO_MANY in second
    assert len(await first.rest()) > SIZE
    assert site.places.bytes == 0
    assert len(await (await site.export("you")).rest()) > SIZE


async def test_who_reads_slowly_gets_everything(site: Site) -> None:
    slow = await site.export("me")
    await until(lambda: site.places.bytes == SIZE)
    head, _, body = (await slow.rest(4096)).partition(b"\r\n\r\n")
    assert b"content-length: %d" % SIZE in head
    assert body == b"x" * SIZE


async def test_who_takes_too_long_is_let_go_and_finds_the_file_too_short(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "chat")
    async with serving(monkeypatch, longest_s=0.1) as site:
        slow = await site.export("me")
        await until(lambda: site.places.bytes == SIZE)
        await until(lambda: site.places.bytes == 0)
        assert 0 < len(await slow.rest()) < SIZE
    assert "its client did not read it within 0.1 s" in caplog.text
