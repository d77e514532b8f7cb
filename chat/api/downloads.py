"""Large responses, sent in pieces. `chat.api.chats` sends exports this way.

A body that is sent in one piece stays in memory until the client has read it, and a client may read slowly
(`chat.connections`). In pieces, `send` waits for the client. A response counts against the limits below until
its last piece is sent, so their number and their bytes stay bounded.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chat.errors import RateLimited
from chat.shares import Shares

EXPORT_LIMITS = 8, 4, 40
"""Exports in memory at once; pending exports (waiting, being made or being sent) of one owner; of all
owners."""
MAX_DOWNLOAD_BYTES = 100_000_000
"""Size of all downloads in memory together. A single larger one is allowed when there is no other: a chat may
be as large as everything that its owner may keep."""
MAX_CONCURRENT_RENDERS = 2
"""Downloads that are made at once. Making one uses a core and several copies of the chat; sending one does
not."""

PIECE_BYTES = 65_536
"""asyncio's high-water mark: with more in its buffer, a connection pauses the writer."""
MAX_DOWNLOAD_S = 300.0
"""Seconds to send a whole body. The largest chat, 15 MB, needs 300 s at 400 kbit/s."""

log = logging.getLogger(__name__)


class Download(Response):
    """Enters `made` to make the response, sends it, and leaves `made` when it is sent or its client has
    gone."""

    def __init__(self, made: AbstractAsyncContextManager[Response], longest_s: float) -> None:
        super().__init__()
        self._made, self._longest_s = made, longest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._made as response:
            try:
                async with asyncio.timeout(self._longest_s):
                    await _send(response, send)
            except TimeoutError:  # uvicorn closes a connection whose response is incomplete
                log.warning("A download was ended: its client did not read it within %g s.", self._longest_s)


class Downloads:
    """`refuse` turns a `RateLimited` into a response: `shares` raises it, or too many bytes are in memory."""

    def __init__(
        self, shares: Shares, refuse: Callable[[RateLimited], Response], longest_s: float = MAX_DOWNLOAD_S
    ) -> None:
        self._shares, self._refuse, self._longest_s = shares, refuse, longest_s
        self._making = asyncio.Semaphore(MAX_CONCURRENT_RENDERS)
        self.bytes = 0
        """Total size of the responses that are being sent now."""

    def response(
        self,
        owner: str,
        network: str,
        make: Callable[[], Awaitable[Response]],
        left: Callable[[], Awaitable[bool]],
    ) -> Download:
        """Calls `make` when it is the turn of `owner`, and sends the response. Sends an empty one if `left`
        says that the client has gone by then. `network`: the network of an anonymous visitor, else ""."""
        return Download(self._placed(self._shares.of(owner, network), make, left), self._longest_s)

    @asynccontextmanager
    async def _placed(
        self,
        share: AbstractAsyncContextManager[None],
        make: Callable[[], Awaitable[Response]],
        left: Callable[[], Awaitable[bool]],
    ) -> AsyncGenerator[Response, None]:
        async with AsyncExitStack() as place:
            try:
                await place.enter_async_context(share)
                async with self._making:
                    answer = Response(status_code=204) if await left() else await make()
                    place.enter_context(self._room(len(answer.body)))
            except RateLimited as refused:
                answer = self._refuse(refused)
            yield answer

    @contextmanager
    def _room(self, size: int) -> Generator[None, None, None]:
        if self.bytes and self.bytes + size > MAX_DOWNLOAD_BYTES:
            raise RateLimited(self._shares.refusal, retry_after=1)
        self.bytes += size
        try:
            yield
        finally:
            self.bytes -= size


async def _send(response: Response, send: Send) -> None:
    """uvicorn (0.54) neither sends nor waits when the client has gone."""
    body = bytes(response.body)
    status, headers = response.status_code, response.raw_headers
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for place in range(0, max(len(body), 1), PIECE_BYTES):
        piece = body[place : place + PIECE_BYTES]
        more = place + PIECE_BYTES < len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
