"""Waiting on behalf of a client that may leave meanwhile. Used by `chat.api.downloads` and
`chat.api.completions`."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive

Leaving = asyncio.Task[None]
"""Done when the client has left."""


@asynccontextmanager
async def watching(receive: Receive) -> AsyncGenerator[Leaving, None]:
    """Nobody else may call `receive` while the block runs: what comes is thrown away."""
    leaving = asyncio.create_task(_disconnect(receive))
    try:
        yield leaving
    finally:
        await _cancelled(leaving)


async def unless(leaving: Leaving, waiting: Coroutine[Any, Any, object]) -> None:
    """Raises `ClientDisconnect` when the client leaves first; `waiting` is cancelled then."""
    wait = asyncio.create_task(waiting)
    try:
        await asyncio.wait((wait, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancelled(wait)
    if leaving.done():
        raise ClientDisconnect
    wait.result()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
