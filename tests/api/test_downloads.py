"""Given these readers of exports, so much is in memory, and the others are refused."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, Response

from chat.api import chats, downloads
from chat.api.downloads import (
    EXPORT_LIMITS,
    MAX_ANONYMOUS_BYTES,
    MAX_CONCURRENT_RENDERS,
    MIN_PACE_BYTES_PER_S,
    PACE_WINDOW_S,
    PIECE_BYTES,
    RESERVED_EXPORTS,
    Downloads,
    extended,
)
from chat.build import App, open_app
from chat.connections import Connection
from chat.messages import Options
from chat.settings import Settings
from chat.shares import Shares
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


# -- who reads slowly ----------------------------------------------------------------------------


@pytest.fixture
async def public(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """The network of `name-network` is what stands behind the dash."""
    monkeypatch.setattr(Settings, "alone", False)
    monkeypatch.setattr(chats, "network_of", lambda settings, owner, address: owner.partition("-")[2])
    async with serving(monkeypatch) as site:
        yield site


async def test_strangers_of_many_networks_who_read_nothing_do_not_keep_the_operator_waiting(
    public: Site,
) -> None:
    free = EXPORT_LIMITS[0] - RESERVED_EXPORTS
    for number in range(EXPORT_LIMITS[2]):
        await public.export(f"{number}-net{number % 8}")
    await until(lambda: public.places.bytes == min(free, MAX_ANONYMOUS_BYTES // SIZE) * SIZE)
    for person in ("operator", "user"):
        assert (await (await public.export(person)).rest()).endswith(b"x" * SIZE)


@pytest.mark.parametrize("largest", [SIZE, SIZE - 1])
async def test_what_strangers_have_in_memory_leaves_room_for_others(
    public: Site, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    monkeypatch.setattr(downloads, "MAX_DOWNLOAD_BYTES", 2 * largest)
    monkeypatch.setattr(downloads, "MAX_ANONYMOUS_BYTES", largest)
    await public.export("one-net1")
    await until(lambda: public.places.bytes == SIZE)
    assert TOO_MANY in await (await public.export("two-net2")).rest()
    await public.export("operator")
    await until(lambda: public.places.bytes == 2 * SIZE)
    assert TOO_MANY in await (await public.export("user")).rest()


async def test_who_takes_nothing_loses_the_place_long_before_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "chat")
    async with serving(monkeypatch, window_s=0.5) as site:
        slow = await site.export("me")
        await until(lambda: site.places.bytes == SIZE)
        await until(lambda: site.places.bytes == 0)
        assert 0 < len(await slow.rest()) < SIZE
    assert "took less than 25000 bytes a second for 0.5 s" in caplog.text


@pytest.mark.parametrize(
    ("pace", "burst", "lives"),
    [
        (50_000, 1_300_000, True),  # Slow 3G, in the largest bursts that the system makes of it
        (MIN_PACE_BYTES_PER_S, PIECE_BYTES, True),
        (MIN_PACE_BYTES_PER_S // 2, PIECE_BYTES, False),
        (10_000 / 60, 10_000, False),
        (0.001, 1, False),
    ],
)
def test_the_pace_that_a_reader_has_to_keep(pace: float, burst: int, lives: bool) -> None:
    now, until, left = 0.0, PACE_WINDOW_S, 15_000_000
    while left > 0 and now <= until:
        taken = min(burst, left)
        now, left = now + taken / pace, left - taken
        if now <= until:
            until = extended(until, now, taken)
    assert (left <= 0) == lives
    assert lives or until <= 2 * PACE_WINDOW_S


def test_a_quick_beginning_earns_no_rest() -> None:
    until = PACE_WINDOW_S
    for _ in range(1000):
        until = extended(until, 1.0, PIECE_BYTES)
    assert until == 1.0 + PACE_WINDOW_S


@pytest.mark.parametrize("size", [0, 655, PIECE_BYTES])
async def test_a_small_body_holds_no_place(size: int) -> None:
    """However long the connection is taken up by what was sent before."""
    places = Downloads(Shares(1, 1, 1, "Too many."), lambda refused: Response(status_code=429))
    asked, free = Client(), Client()
    asked.blocked.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(asked.get(places, "me", size))
        async with asyncio.timeout(5):
            await asked.answered.wait()
            await free.get(places, "me", size)
        assert free.taken == [(200, size)]
        asked.blocked.set()
    assert asked.taken == [(200, size)]


# -- who leaves ----------------------------------------------------------------------------------


class Client:
    """What an ASGI server tells of a client."""

    def __init__(self) -> None:
        self.left, self.blocked, self.answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.blocked.set()
        self.status, self.taken, self.leaves_after = 0, list[tuple[int, int]](), 0

    async def get(self, places: Downloads, owner: str, size: int) -> None:
        async def make() -> Response:
            return Response(b"x" * size)

        await places.response(owner, "", make)({"type": "http"}, self.receive, self.send)

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.answered.set()
        await self.blocked.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.taken.append((self.status, len(message["body"])))
        if len(self.taken) == self.leaves_after:
            self.left.set()


async def test_who_leaves_the_queue_gives_the_place_back(public: Site) -> None:
    network, near = "net1", EXPORT_LIMITS[2] // 4
    shares = public.places._shares
    lines = [await public.export(f"{number}-{network}") for number in range(near)]
    await until(lambda: shares._from[network] == near)
    assert TOO_MANY in await (await public.export(f"late-{network}")).rest()
    reading = EXPORT_LIMITS[0] // 2
    await until(lambda: public.places.bytes == reading * SIZE)
    for waits in lines[reading:]:
        waits.close()
    await until(lambda: shares._from[network] == reading)
    late = await public.export(f"late-{network}")
    await until(lambda: shares._of[f"late-{network}"] == 1)
    lines[0].close()
    assert len(await late.rest()) > SIZE


async def test_who_leaves_before_the_turn_to_be_made_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, go = list[str](), threading.Event()

    def markdown(chat: Any) -> str:
        made.append(chat.id)
        go.wait(20)
        return "x" * SIZE

    monkeypatch.setattr(chats, "markdown", markdown)
    shares = site.places._shares
    try:
        lines = [await site.export(f"owner-{number}") for number in range(MAX_CONCURRENT_RENDERS + 1)]
        await until(lambda: len(made) == MAX_CONCURRENT_RENDERS and shares._of.total() == len(lines))
        for line in lines:
            line.close()
        await until(lambda: shares._of.total() == MAX_CONCURRENT_RENDERS)
    finally:
        go.set()
    await until(lambda: shares._of.total() == 0)
    assert len(made) == MAX_CONCURRENT_RENDERS
    assert site.places.bytes == 0


async def test_nothing_is_sent_to_who_has_left() -> None:
    places = Downloads(Shares(1, 1, 1, "Too many."), lambda refused: Response(status_code=429))
    leaves = Client()
    leaves.leaves_after = 2
    await leaves.get(places, "me", 100 * PIECE_BYTES)
    assert len(leaves.taken) <= 3
    assert places.bytes == 0


async def test_who_says_no_more_while_much_waits_costs_no_warning(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio closes the connection then, but tells so only when all that waits was taken."""
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        line = await site.export("me")
        await until(lambda: site.unread() > 0)
        line.socket.shutdown(socket.SHUT_WR)
        await until(lambda: site.places.bytes == 0)
        assert len(await line.rest()) < SIZE
    assert caplog.text == ""
