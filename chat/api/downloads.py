"""Large answers that each hold a place until it has been sent, piece by piece. `chats` sends exports so.

A body that is sent at once lies in the connection's memory until its reader has taken it, and a reader may
take its time (`chat.connections`). In pieces, `send` waits for the reader, and the answer keeps its place
meanwhile: so there are only so many of them, and only so many bytes.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chat.errors import RateLimited
from chat.shares import Shares

EXPORTS = 8, 4, 40
"""In memory at once, until they are sent; that may wait or go on, of one owner and of all."""
MAX_DOWNLOAD_BYTES = 100_000_000
"""Of these together; a larger one has to be alone. A chat may be as large as all that its owner keeps."""
MAX_MADE_AT_ONCE = 2
"""Of these. Making one takes a core and some copies of the chat; being sent takes time alone."""

PIECE_BYTES = 65_536
"""asyncio's high-water mark: with more in its buffer, a connection pauses the writer."""
MAX_DOWNLOAD_S = 300.0
"""For the whole body. The largest chat, 15 MB, comes in time over a line of 400 kbit/s."""

log = logging.getLogger(__name__)


class Download(Response):
    """`made` makes the response when it is entered, and is left when that was sent or its reader has gone."""

    def __init__(self, made: AbstractAsyncContextManager[Response], longest_s: float) -> None:
        super().__init__()
        self._made, self._longest_s = made, longest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._made as response:
            try:
                async with asyncio.timeout(self._longest_s):
                    await _send(response, send)
            except TimeoutError:  # uvicorn closes a connection whose answer was left off
                log.warning("A download was ended: its reader had not taken it in %g s.", self._longest_s)


class Downloads:
    """`refuse` writes what a refusal says: of `shares`, or because there are too many bytes already."""

    def __init__(
        self, shares: Shares, refuse: Callable[[RateLimited], Response], longest_s: float = MAX_DOWNLOAD_S
    ) -> None:
        self._shares, self._refuse, self._longest_s = shares, refuse, longest_s
        self._making = asyncio.Semaphore(MAX_MADE_AT_ONCE)
        self.bytes = 0
        """Total size of the responses that are being sent now."""

    def response(
        self,
        owner: str,
        network: str,
        make: Callable[[], Awaitable[Response]],
        left: Callable[[], Awaitable[bool]],
    ) -> Download:
        """What `make` gives, once it is `owner`'s turn; unless they have left by then. `network`: where a
        stranger comes from."""
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
    """To a reader who has gone, uvicorn (0.54) sends nothing and does not wait."""
    body = bytes(response.body)
    status, headers = response.status_code, response.raw_headers
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for place in range(0, max(len(body), 1), PIECE_BYTES):
        piece = body[place : place + PIECE_BYTES]
        more = place + PIECE_BYTES < len(body)
        await send({"type": "http.response.body", "body": piece, "more_body": more})
