"""Large responses, sent in pieces. `chat.api.chats` sends exports this way.

A body that is sent in one piece stays in memory until the client has read it, and a client may read slowly
(`chat.connections`). In pieces, `send` waits for the client. A response counts against the limits below until
its last piece is sent, so their number and their bytes stay bounded; one that is a single piece counts only
while it is made. A client that leaves gives its place back at once, waiting or served, and one that takes too
little loses it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from functools import partial

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chat.api.leaving import Leaving, unless, watching
from chat.errors import RateLimited
from chat.shares import Shares

EXPORT_LIMITS = 8, 4, 40
"""Exports in memory at once; pending exports (waiting, being made or being sent) of one owner; of all
owners."""
RESERVED_EXPORTS = 2
"""Of the exports in memory at once, those that are kept for the operator and for users who logged in. However
slowly anonymous visitors read, and from however many networks, these two are free of them."""
MAX_DOWNLOAD_BYTES = 100_000_000
"""Size of all downloads in memory together. A single larger one is allowed when there is no other: a chat may
be as large as everything that its owner may keep."""
MAX_ANONYMOUS_BYTES = 75_000_000
"""Of these, for anonymous visitors: five of the largest chats. A single larger one of theirs is allowed when
they have no other."""
MAX_CONCURRENT_RENDERS = 2
"""Downloads that are made at once. Making one uses a core and several copies of the chat; sending one does
not."""

PIECE_BYTES = 65_536
"""asyncio's high-water mark: with more in its buffer, a connection pauses the writer."""
MIN_PACE_BYTES_PER_S = 25_000
"""How fast a body has to be taken: 200 kbit/s, half of what browsers call “Slow 3G”."""
PACE_WINDOW_S = 30.0
"""Seconds over which the pace counts: a client may stop for as long, and whoever takes nothing is ended after
it. Less would end honest downloads: the system takes a slow client's bytes from us in bursts of up to
1.3 MB, a third of the 4 MB that it has for a connection, and a client on Slow 3G, with 50 kB/s, needs 26 s
for one. (On loopback, where its buffers are that large, 60 kB/s goes on and 30 kB/s is ended; over a slow
line they are smaller.) A body of up to 750 kB may come as slowly as it likes, if it is there in these
seconds."""
MAX_DOWNLOAD_S = 300.0
"""Seconds to send a whole body. The largest chat, 15 MB, needs 300 s at 400 kbit/s."""

_TOO_LONG = "A download was ended: its client did not read it within %g s."
_TOO_SLOW = "A download was ended: its client took less than %d bytes a second for %g s."

log = logging.getLogger(__name__)


class Download(Response):
    """Calls `serve` with a task that is done when the client has left."""

    def __init__(self, serve: Callable[[Leaving, Send], Awaitable[None]]) -> None:
        super().__init__()
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with watching(receive) as leaving:
            await self._serve(leaving, send)


class Downloads:
    """`refuse` turns a `RateLimited` into a response: `shares` raises it, or too many bytes are in memory.
    `window_s` and `longest_s`: as `PACE_WINDOW_S` and `MAX_DOWNLOAD_S`."""

    def __init__(
        self,
        shares: Shares,
        refuse: Callable[[RateLimited], Response],
        *,
        window_s: float = PACE_WINDOW_S,
        longest_s: float = MAX_DOWNLOAD_S,
    ) -> None:
        self._shares, self._refuse = shares, refuse
        self._window_s, self._longest_s = window_s, longest_s
        self._making = asyncio.Semaphore(MAX_CONCURRENT_RENDERS)
        self._anonymous_bytes = self._known_bytes = 0

    @property
    def bytes(self) -> int:
        """Total size of the responses that hold a place now."""
        return self._anonymous_bytes + self._known_bytes

    def response(self, owner: str, network: str, make: Callable[[], Awaitable[Response]]) -> Download:
        """Calls `make` when it is the turn of `owner`, and sends the response; neither if the client has left
        by then. `network`: the network of an anonymous visitor, else ""."""
        return Download(partial(self._serve, owner, network, make))

    async def _serve(
        self,
        owner: str,
        network: str,
        make: Callable[[], Awaitable[Response]],
        leaving: Leaving,
        send: Send,
    ) -> None:
        async with AsyncExitStack() as place:
            try:
                await unless(leaving, place.enter_async_context(self._shares.of(owner, network)))
                response = await self._made(make, leaving)
                place.enter_context(self._room(len(response.body), bool(network)))
            except RateLimited as refused:
                response = self._refuse(refused)
            except ClientDisconnect:
                return
            if len(response.body) <= PIECE_BYTES:
                await place.aclose()  # the connection takes it whole
            await self._send(response, leaving, send)

    async def _made(self, make: Callable[[], Awaitable[Response]], leaving: Leaving) -> Response:
        async with AsyncExitStack() as making:
            await unless(leaving, making.enter_async_context(self._making))
            # Not given up when the client leaves: its thread would go on, and another one begin beside it.
            return await make()

    @contextmanager
    def _room(self, size: int, anonymous: bool) -> Generator[None, None, None]:
        if anonymous:
            used, most = self._anonymous_bytes, MAX_ANONYMOUS_BYTES
        else:
            used = self._known_bytes
            most = MAX_DOWNLOAD_BYTES - min(self._anonymous_bytes, MAX_ANONYMOUS_BYTES)
        if used and used + size > most:
            raise RateLimited(self._shares.refusal, retry_after=1)
        self._count(size, anonymous)
        try:
            yield
        finally:
            self._count(-size, anonymous)

    def _count(self, size: int, anonymous: bool) -> None:
        if anonymous:
            self._anonymous_bytes += size
        else:
            self._known_bytes += size

    async def _send(self, response: Response, leaving: Leaving, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        latest = clock() + self._longest_s
        until = clock() + self._window_s
        try:
            async with asyncio.timeout_at(min(until, latest)) as patience:
                body, head = bytes(response.body), (response.status_code, response.raw_headers)
                await send({"type": "http.response.start", "status": head[0], "headers": head[1]})
                for begin in range(0, max(len(body), 1), PIECE_BYTES):
                    piece, more = body[begin : begin + PIECE_BYTES], begin + PIECE_BYTES < len(body)
                    await send({"type": "http.response.body", "body": piece, "more_body": more})
                    # `send` need not wait, and without a wait nobody learns that the client has left: asyncio
                    # (3.11) warns of each piece that is written to a closed connection.
                    await asyncio.sleep(0)
                    if leaving.done():
                        return
                    until = extended(until, clock(), len(piece), self._window_s)
                    patience.reschedule(min(until, latest))
        except TimeoutError:  # uvicorn closes a connection whose response is incomplete
            if clock() >= latest:
                log.warning(_TOO_LONG, self._longest_s)
            else:
                log.warning(_TOO_SLOW, MIN_PACE_BYTES_PER_S, self._window_s)


def extended(until: float, now: float, taken: int, window_s: float = PACE_WINDOW_S) -> float:
    """The time by which a client has to take more, which was `until`, now that it has taken so many bytes."""
    return min(until + taken / MIN_PACE_BYTES_PER_S, now + window_s)
