"""A connection over HTTP/1.1 or a WebSocket, for as long as something comes of it.

uvicorn (0.54) waits for ever for a request's head that comes byte by byte, for the rest of a body that
was answered already, and for a reader that takes nothing of its answer: whoever opens many such connections
has them all, until the system has no more (Slowloris). Here each has some seconds, and one address so many
connections. How long a body may take that is being read is `chat.api.gate`'s business; a connection that
rests between two requests uvicorn itself closes. Used by `chat.server`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from chat.limits import network

PATIENCE = 20.0
"""Seconds for the head of a request, from its first byte or the opening of the connection, and for the rest
of a body that nobody waits for any more."""


STUCK = 60.0
"""Seconds in which a reader for whom something waits takes at least …"""
LEAST = 10_000
"""… bytes. A tenth of what the slowest phone manages."""


UNREAD_BYTES = 100_000_000
"""Unread bytes of all connections together. Above this, the connections that were slow the longest are
closed."""
BEHIND_S = 10.0
"""Seconds that a connection may be slow in any case: many pages, 280 kB each, may be opened at once."""


class Unread:
    """The write buffers of all connections with a slow reader, the oldest first."""

    def __init__(self, most: int = UNREAD_BYTES) -> None:
        self._most = most
        self._waits: dict[Taken, tuple[float, int]] = {}
        """For each connection: the time since when it waits, and its bytes."""
        self.bytes = 0

    def add(self, line: "Taken", now: float, size: int) -> None:
        self.remove(line)
        self._waits[line] = now, size
        self.bytes += size
        while self.bytes > self._most:
            oldest = next(iter(self._waits))
            if now - self._waits[oldest][0] < BEHIND_S:
                return
            self.remove(oldest)
            oldest.transport.abort()

    def remove(self, line: "Taken") -> None:
        self.bytes -= self._waits.pop(line, (0.0, 0))[1]


class Taken(asyncio.Protocol):
    """Ends a connection whose reader takes nothing. What waits is in memory, and its run counts as read."""

    stuck = STUCK
    unread = Unread()
    """Shared by all connections of the process."""
    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    _stuck: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread.add(self, self.loop.time(), self.transport.get_write_buffer_size())
        self._look_again()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.unread.remove(self)
        self._taken()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.unread.remove(self)
        self._taken()

    def _look_again(self) -> None:
        self._taken()
        self._stuck = self.loop.call_later(self.stuck, self._look, self.transport.get_write_buffer_size())

    def _look(self, before: int) -> None:
        if self.transport.get_write_buffer_size() > before - LEAST:
            self.transport.abort()
        else:
            self._look_again()

    def _taken(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None


class Line(Taken, WSProtocol):
    near = ""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.near = near(self.client)


class Connection(Taken, H11Protocol):
    patience = PATIENCE
    near = ""
    most = 0
    """Connections from one network, unless it is `free`; 0 for any number."""
    free: Callable[[str], bool] = staticmethod(lambda address: False)
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.near = near(self.client)
        if self._one_too_many(self.connections):
            transport.abort()
        else:
            self._watch()

    def _one_too_many(self, connections: Iterable[Any]) -> bool:
        if not self.most or not self.client or self.free(self.client[0]):
            return False
        return sum(each.near == self.near for each in connections) > self.most

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def eof_received(self) -> None:
        """asyncio closes the connection now, and throws away whatever is written from here on, with a warning
        each time. uvicorn writes on until a slow reader has taken what waits, unless it knows."""
        super().eof_received()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.flow.resume_writing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._rest()

    def send_400_response(self, msg: str) -> None:
        # uvicorn says it too where an answer has begun already, which h11 does not let it say.
        with contextlib.suppress(h11.LocalProtocolError):
            super().send_400_response(msg)
        self.transport.close()

    def _watch(self) -> None:
        """Counts from when something began to be waited for; what comes meanwhile changes nothing."""
        answered = self.cycle is None or self.cycle.response_complete
        state = self.conn.their_state
        head = state is h11.IDLE and self.timeout_keep_alive_task is None
        if answered and (head or state is h11.SEND_BODY) and not self.transport.is_closing():
            if self._late is None:
                self._late = self.loop.call_later(self.patience, self.transport.close)
        else:
            self._rest()

    def _rest(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def near(client: tuple[str, int] | None) -> str:
    """What stands for all who share the address."""
    return network(client[0]) if client else ""
