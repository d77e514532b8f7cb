"""The beginning of an error's body: as much as tells the reason, whatever is sent. Called by `clients`.

The SDKs read the whole body of a refusal before they raise. One of 5 MB, one that is compressed a
thousandfold or one that never ends would cost memory and time; the status alone says nearly all.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx2

LONGEST_BYTES: Final = 64 * 1024
TIMEOUT_S: Final = 5.0
_PIECE_BYTES: Final = 4096
"""Decompressed at once: a piece may become a thousand times as long."""


async def begin(response: "httpx2.Response") -> None:
    """Reads the body's beginning, where the answer is no success. A hook of the client's."""
    import httpx2

    if response.status_code < 300:
        return
    stream = response.stream
    assert isinstance(stream, httpx2.AsyncByteStream)

    class Pieces(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in stream:
                for at in range(0, len(chunk), _PIECE_BYTES):
                    yield chunk[at : at + _PIECE_BYTES]

        async def aclose(self) -> None:
            await stream.aclose()

    response.stream = Pieces()
    parts, size = list[bytes](), 0
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for part in response.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size >= LONGEST_BYTES:
                    break
    except (TimeoutError, httpx2.HTTPError, httpx2.StreamError):
        pass  # the status is known: what is missing of the reason is no reason to lose it
    await response.aclose()
    # Private, but there is no other way for a hook to say what was read; a test notices when it moves.
    # httpx2 2.16.
    response._content = b"".join(parts)[:LONGEST_BYTES]
