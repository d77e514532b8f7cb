"""Waiting for what another task does, where nothing says when it is done."""

import asyncio
from collections.abc import Callable


async def until(true: Callable[[], bool], within: float = 5) -> None:
    """Returns when `true()` is. Raises `TimeoutError` after so many seconds."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)
