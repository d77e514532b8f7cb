"""Costly work that anybody may ask for, shared out: one of each owner at a time, so many in all.

An owner's second one waits for the first, and never takes a place in the queue of all: so whoever asks a
thousand times delays nobody but themselves. Used by the store for searches, and by the faces for exports.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chat.errors import RateLimited


class Shares:
    """`total` at once. `each` and `most`: of one owner, and of all, that may wait or go on; `refusal` is the
    sentence for one more."""

    def __init__(self, total: int, each: int, most: int, refusal: str) -> None:
        self._places = asyncio.Semaphore(total)
        self._each, self._most, self.refusal = each, most, refusal
        self._of: Counter[str] = Counter()
        """How many of each owner wait or go on; nobody stands here with none."""
        self._turns: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def of(self, owner: str) -> AsyncGenerator[None, None]:
        """A place for `owner`, for as long as the block lasts. Raises `RateLimited`."""
        if self._of[owner] >= self._each or self._of.total() >= self._most:
            if not self._of[owner]:
                del self._of[owner]
            raise RateLimited(self.refusal, retry_after=1)
        self._of[owner] += 1
        turn = self._turns.setdefault(owner, asyncio.Lock())
        try:
            async with turn, self._places:
                yield
        finally:
            self._of[owner] -= 1
            if not self._of[owner]:
                del self._of[owner], self._turns[owner]
