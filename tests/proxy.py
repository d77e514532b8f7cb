"""A TCP proxy on loopback that can be killed: between a browser and the app, or the app and a vendor.

    with Proxy(port) as proxy:
        page.goto(proxy.url)
        proxy.cut()        # every connection is reset now; new ones are let in
        proxy.refuse()     # ... and new ones are refused, until `go_on`
        proxy.stall()      # a dead line: connections stand, not a byte passes, until `go_on`

It runs on a loop and in a thread of its own, so a test may call it from anywhere, a loop or none.
Each method returns when what it says is so. Knows no HTTP.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self

CHUNK = 65_536
"""Bytes that are carried at a time."""


class Proxy:
    """Carries connections to 127.0.0.1:`target`. It may be set anew: the next connection goes there."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.target, self.port = target, port
        self.accepted = 0
        """Connections so far."""
        self._lines: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """Connections that stand now."""
        return len(self._tasks)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Resets every connection, at both ends."""
        self._do(self._cut())

    def refuse(self) -> None:
        """Resets every connection and lets no new one in."""
        self._do(self._refuse())

    def stall(self) -> None:
        """Not a byte passes any more, and nobody is told."""
        self._do(self._stall())

    def go_on(self) -> None:
        """New connections are let in, and what was held back passes."""
        self._do(self._go_on())

    # -- on the loop -----------------------------------------------------------------------------

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _begin(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        for line in tuple(self._lines):
            _reset(line)
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _stall(self) -> None:
        self._flowing.clear()

    async def _go_on(self) -> None:
        self._flowing.set()
        if self._server is None:
            await self._listen()

    async def _close(self) -> None:
        await self._refuse()
        await asyncio.sleep(0)  # the transports close their sockets in a step of their own

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.accepted += 1
        self._tasks.add(task)
        self._lines.add(writer)
        further = None
        try:
            there, further = await asyncio.open_connection("127.0.0.1", self.target)
            self._lines.add(further)
            both = (
                asyncio.create_task(self._pump(reader, further)),
                asyncio.create_task(self._pump(there, writer)),
            )
            try:
                await asyncio.gather(*both)
            finally:
                for each in both:
                    each.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            _reset(writer)  # only `_cut` cancels; a cancelled handler would be reported as an error
            if further is not None:
                _reset(further)
        finally:
            for line in (writer, further):
                if line is not None:
                    line.close()
                    self._lines.discard(line)
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        await self._flowing.wait()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()


def _reset(line: asyncio.StreamWriter) -> None:
    """RST instead of FIN: the other end learns of it at once, in the middle of whatever it reads."""
    sock = line.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.transport.abort()
