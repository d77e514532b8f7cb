"""Costly work that anybody may ask for, shared out: one of each owner at a time, so many in all.

An owner's second piece of work waits for the first and takes no place in the common queue, so an owner who
asks a thousand times delays nobody else. The anonymous visitors of one network, who could use a new cookie
each time, get at most half of the places and a quarter of the queue. All anonymous visitors together, who
could use many networks, leave a quarter of the queue to the operator and to users who logged in, and as many
places as are reserved for them; and these are served before an anonymous visitor who waits. Used by the store
for searches and by `chat.api` for exports."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from chat.errors import RateLimited


class Shares:
    """`total` at once, of them `reserved` never for anonymous visitors. `each` and `most`: of one owner, and
    of all, that may wait or go on; `refusal` is the sentence for one more."""

    def __init__(self, total: int, each: int, most: int, refusal: str, *, reserved: int = 0) -> None:
        self._places = asyncio.Semaphore(total)
        self._anonymous = asyncio.Semaphore(total - reserved)
        """Held by anonymous visitors only, who wait here, so that they do not stand before others at
        `_places`."""
        self._each, self._most, self.refusal = each, most, refusal
        self._of: Counter[str] = Counter()
        """How many of each owner wait or go on; nobody stands here with none."""
        self._turns: dict[str, asyncio.Lock] = {}
        self._near_total, self._near_most = max(1, total // 2), max(1, most // 4)
        self._anonymous_most = most - most // 4
        self._from: Counter[str] = Counter()
        """The same for the anonymous visitors of each network."""
        self._near: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def of(self, owner: str, network: str = "") -> AsyncGenerator[None, None]:
        """Holds a place for `owner` while the block runs. `network`: the network of an anonymous visitor,
        else "". Raises `RateLimited`. A caller that does not want to wait any more cancels the waiting."""
        if self._full(owner, network):
            self._forget(owner, network)
            raise RateLimited(self.refusal, retry_after=1)
        self._of[owner] += 1
        turn = self._turns.setdefault(owner, asyncio.Lock())
        if network:
            self._from[network] += 1
            near = self._near.setdefault(network, asyncio.Semaphore(self._near_total))
            order = turn, near, self._anonymous, self._places
        else:
            order = turn, self._places
        try:
            async with AsyncExitStack() as held:
                for each in order:
                    await held.enter_async_context(each)
                yield
        finally:
            self._of[owner] -= 1
            if network:
                self._from[network] -= 1
            self._forget(owner, network)

    def _full(self, owner: str, network: str) -> bool:
        if self._of[owner] >= self._each or self._of.total() >= self._most:
            return True
        if not network:
            return False
        return self._from[network] >= self._near_most or self._from.total() >= self._anonymous_most

    def _forget(self, owner: str, network: str) -> None:
        """Drops the entries of `owner` and `network` if they have no work that waits or runs."""
        if not self._of[owner]:
            del self._of[owner]
            self._turns.pop(owner, None)
        if not self._from[network]:
            del self._from[network]
            self._near.pop(network, None)
