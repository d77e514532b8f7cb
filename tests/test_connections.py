"""Given these bytes at this pace, the connection is closed in time, or lives."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chat.connections import BEHIND_S, LEAST, STUCK, Connection, Taken, Unread
from tests.api.served import listening

HEAD = b"POST /%s HTTP/1.1\r\nHost: localhost\r\n"


class Fast(Connection):
    patience = 0.2


class Line:
    """A connection, and what the server says on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def pause(self) -> None:
        """From now on nothing is taken."""
        cast(asyncio.Transport, self._writer.transport).pause_reading()

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def answer(self) -> bytes:
        """Head and body of one answer."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return head + await self._reader.readexactly(int(length.partition(b":")[2]))

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        async with asyncio.timeout(5):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, unless asked not to."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/read":
        while (await receive()).get("more_body"):
            pass
    if scope["path"] == "/begin":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive()).get("more_body"):
            pass
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def line(url: str) -> AsyncIterator[Line]:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with listening(app, http=Fast) as url:
        yield url


async def patience(url: str) -> None:
    """Until a connection is closed on which nothing is said from now on."""
    async with line(url) as silent:
        assert await silent.rest() == b""


@pytest.mark.parametrize("said", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "])
async def test_a_head_that_does_not_come_is_not_waited_for(url: str, said: bytes) -> None:
    async with line(url) as slow:
        await slow.send(said)
        assert await slow.rest() == b""
    async with line(url) as other:
        await other.send(HEAD % b"x" + b"\r\n")
        assert b"200 OK" in await other.answer()


async def test_a_head_that_comes_byte_by_byte_gains_nothing(url: str) -> None:
    async def trickle(slow: Line) -> None:
        while True:
            await slow.send(b"X")
            await asyncio.sleep(Fast.patience / 10)

    async with line(url) as slow:
        await slow.send(HEAD % b"x" + b"X-")
        trickling = asyncio.create_task(trickle(slow))
        assert await slow.rest() == b""
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)


async def test_a_second_head_has_its_own_time(url: str) -> None:
    async with line(url) as slow:
        await slow.send(HEAD % b"x" + b"\r\n")
        assert b"200 OK" in await slow.answer()
        await patience(url)
        await slow.send(HEAD % b"x")
        await slow.send(b"\r\n")
        assert b"200 OK" in await slow.answer()
        await slow.send(b"GET")
        assert await slow.rest() == b""


async def test_a_body_that_is_read_has_the_time_that_its_reader_gives_it(url: str) -> None:
    async with line(url) as slow:
        await slow.send(HEAD % b"read" + b"Content-Length: 2\r\n\r\n")
        await patience(url)
        await slow.send(b"{}")
        assert b"200 OK" in await slow.answer()


async def test_the_rest_of_a_body_that_was_answered_already_has_its_time(url: str) -> None:
    head = HEAD % b"x" + b"Content-Length: 100000\r\n\r\n"
    async with line(url) as quick:
        await quick.send(head)
        assert b"200 OK" in await quick.answer()
        await quick.send(b"x" * 100_000 + HEAD % b"x" + b"\r\n")
        assert b"200 OK" in await quick.answer()  # the same connection, for the next request
    async with line(url) as slow:
        await slow.send(head)
        assert b"200 OK" in await slow.answer()
        await slow.send(b"x")
        assert await slow.rest() == b""


async def test_nonsense_in_the_middle_of_an_answer_closes_and_is_no_traceback(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with line(url) as odd:
        await odd.send(HEAD % b"begin" + b"Transfer-Encoding: chunked\r\n\r\n")
        async with asyncio.timeout(5):
            while b"begun" not in (await odd._reader.read(1000)):
                pass
        await odd.send(b"no length\r\n")
        assert b"HTTP/1.1 400" not in await odd.rest()
    assert "Traceback" not in caplog.text


class Loop:
    """Calls later when it is told that time has passed."""

    def __init__(self) -> None:
        self.now, self._calls = 0.0, []

    def call_later(self, delay: float, call: Any, *args: Any) -> Any:
        handle = SimpleNamespace(cancel=lambda: self._calls.remove(due) if due in self._calls else None)
        due = (self.now + delay, call, args)
        self._calls.append(due)
        return handle

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        for due in [each for each in self._calls if each[0] <= self.now]:
            self._calls.remove(due)
            due[1](*due[2])

    def time(self) -> float:
        return self.now

    def __len__(self) -> int:
        return len(self._calls)


class Writing(Taken):
    """A connection of which so many bytes wait to be taken."""

    def __init__(self, waits: int, clock: Loop | None = None, unread: Unread | None = None) -> None:
        self.waits, self.aborted = waits, False
        self.clock = Loop() if clock is None else clock
        self.unread = unread or Unread()
        self.loop = cast(Any, self.clock)
        self.transport = cast(Any, self)

    def get_write_buffer_size(self) -> int:
        return self.waits

    def abort(self) -> None:
        self.aborted = True


def test_a_reader_that_takes_nothing_for_a_minute_is_let_go() -> None:
    writing = Writing(6_000_000)
    writing.pause_writing()
    writing.clock.pass_(STUCK - 1)
    assert not writing.aborted
    writing.waits -= LEAST - 1  # next to nothing
    writing.clock.pass_(1)
    assert writing.aborted


def test_a_slow_one_is_not() -> None:
    writing = Writing(6_000_000)
    writing.pause_writing()
    for _ in range(100):
        writing.waits -= LEAST
        writing.clock.pass_(STUCK)
    assert not writing.aborted
    writing.resume_writing()
    assert len(writing.clock) == 0
    writing.pause_writing()
    writing.connection_lost(None)
    assert len(writing.clock) == 0


def test_of_too_much_that_waits_what_has_waited_longest_goes() -> None:
    clock, unread = Loop(), Unread(most=1000)
    lines = [Writing(400, clock, unread) for _ in range(5)]
    for line in lines[:3]:
        line.pause_writing()
    assert not any(line.aborted for line in lines)  # they have only just begun to be behind
    clock.pass_(BEHIND_S)
    lines[1].resume_writing()
    lines[3].pause_writing()
    assert [line.aborted for line in lines] == [True, False, False, False, False]
    lines[0].connection_lost(None)
    assert unread.bytes == 800
    lines[1].pause_writing()
    assert [line.aborted for line in lines] == [True, False, True, False, False]
    for line in lines:
        line.connection_lost(None)
    assert unread.bytes == 0


async def test_what_was_to_be_sent_to_it_ends() -> None:
    class Impatient(Fast):
        stuck = 0.1

    left = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(1000):
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            assert (await receive())["type"] == "http.disconnect"
            left.set()

    async with listening(endless, http=Impatient) as url, line(url) as deaf:
        deaf.pause()
        await deaf.send(HEAD.replace(b"POST", b"GET") % b"x" + b"\r\n")
        async with asyncio.timeout(5):
            await left.wait()


async def test_bodies_that_nobody_reads_have_so_many_bytes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bounded(Fast):
        patience = 20.0
        unread = Unread(most=20_000_000)

    async def large(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x" * 12_000_000})

    monkeypatch.setattr("chat.connections.BEHIND_S", 0.0)
    async with listening(large, http=Bounded) as url, AsyncExitStack() as open:
        deaf = [await open.enter_async_context(line(url)) for _ in range(6)]
        for each in deaf:
            each.pause()
            await each.send(HEAD.replace(b"POST", b"GET") % b"x" + b"\r\n")
        other = await open.enter_async_context(line(url))
        await other.send(HEAD.replace(b"POST", b"GET") % b"x" + b"Connection: close\r\n\r\n")
        assert len(await other.rest()) > 12_000_000
        assert 0 < Bounded.unread.bytes <= 20_000_000


async def test_one_address_has_so_many_connections_unless_others_come_through_it() -> None:
    class Few(Fast):
        patience = 20.0
        most = 3

    class Free(Few):
        free = staticmethod(lambda address: address == "127.0.0.1")

    for kind in (Few, Free):
        async with listening(app, http=kind) as url, AsyncExitStack() as open:
            lines = [await open.enter_async_context(line(url)) for _ in range(4)]
            for each in lines[:3]:
                await each.send(HEAD % b"x" + b"\r\n")
                assert b"200 OK" in await each.answer()
            if kind is Few:
                assert await lines[3].rest() == b""
                await lines[0].close()
                async with asyncio.timeout(5):
                    while not await welcome(url):
                        pass
            else:
                await lines[3].send(HEAD % b"x" + b"\r\n")
                assert b"200 OK" in await lines[3].answer()


async def welcome(url: str) -> bool:
    async with line(url) as one:
        try:
            await one.send(HEAD % b"x" + b"\r\n")
            return b"200 OK" in await one.answer()
        except (ConnectionError, asyncio.IncompleteReadError):
            return False
