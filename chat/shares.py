"""Costly work that anybody may ask for, shared out: one of each owner at a time, so many in all.

An owner's second piece of work waits for the first and takes no place in the common queue, so an owner who
asks a thousand times delays nobody else. The anonymous visitors of one network, who could use a new cookie
each time, get at most half of the places and a quarter of the queue. Used by the store for searches and by
`chat.api` for exports."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

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
        self._near_total, self._near_most = max(1, total // 2), max(1, most // 4)
        self._from: Counter[str] = Counter()
        """The same for the anonymous visitors of each network."""
        self._near: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def of(self, owner: str, network: str = "") -> AsyncGenerator[None, None]:
        """Holds a place for `owner` while the block runs. `network`: the network of an anonymous visitor,
        else "". Raises `RateLimited`."""
        full = self._of[owner] >= self._each or self._of.total() >= self._most
        if full or (network and self._from[network] >= self._near_most):
            self._forget(owner, network)
            raise RateLimited(self.refusal, retry_after=1)
        self._of[owner] += 1
        turn = self._turns.setdefault(owner, asyncio.Lock())
        near: AbstractAsyncContextManager[None] = nullcontext()
        if network:
            self._from[network] += 1
            near = self._near.setdefault(network, asyncio.Semaphore(self._near_total))
        try:
            async with turn, near, self._places:
                yield
        finally:
            self._of[owner] -= 1
            if network:
                self._from[network] -= 1
            self._forget(owner, network)

    def _forget(self, owner: str, network: str) -> None:
        """Drops the entries of `owner` and `network` if they have no work that waits or runs."""
        if not self._of[owner]:
            del self._of[owner]
            self._turns.pop(owner, None)
        if not self._from[network]:
            del self._from[network]
            self._near.pop(network, None)
