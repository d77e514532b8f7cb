"""A connection over HTTP/1.1, for as long as something comes of it.

uvicorn (0.54) waits for ever for a request's head that comes byte by byte, and for the rest of a body that
was answered already: whoever opens many such connections has them all, until the system has no more
(Slowloris). Here both have some seconds. How long a body may take that is being read is `chat.api.gate`'s
business; a connection that rests between two requests uvicorn itself closes. Used by `chat.server`.
"""

import asyncio
import contextlib
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 20.0
"""Seconds for the head of a request, from its first byte or the opening of the connection, and for the rest
of a body that nobody waits for any more."""


class Connection(H11Protocol):
    patience = PATIENCE
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

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
