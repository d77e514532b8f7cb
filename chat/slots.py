"""Answers at once: how many may be written, of one owner and in all, and who is next.

A run takes a ticket when it begins and gives it back when it is over, and asks no provider before the
ticket has its slot. Owners take turns, so that somebody with many questions delays another one's first
by one place and no more; among the questions of one owner the first to come is the first to go.
Used by `chat.runs`; knows neither what is asked nor who is asked.
"""

import asyncio
from collections import Counter, deque
from itertools import count, zip_longest

from chat.errors import RateLimited

WAITING_EACH = 20
"""Questions of one owner that may wait."""

WAITING = 1000
"""Questions that may wait in all. A stranger costs nothing to become, so the bound above is not enough."""

UNLIMITED = 1_000_000


class Ticket:
    """A place in the queue, then a slot. Iterated, it gives the number of those before it each time that
    changes, and ends when it has its slot; of one that had it at once, nothing."""

    __slots__ = ("_changed", "_slots", "_told", "owner", "place")

    def __init__(self, slots: "Slots", owner: str) -> None:
        self.owner = owner
        self.place: int | None = None
        """How many that wait are before this one; None with a slot, and when it was given back."""
        self._slots, self._told = slots, -1
        self._changed = asyncio.Event()

    def leave(self) -> None:
        """Gives back slot or place. Harmless a second time."""
        self._slots._leave(self)

    def __aiter__(self) -> "Ticket":
        return self

    async def __anext__(self) -> int:
        while self.place == self._told:
            self._changed.clear()
            await self._changed.wait()
        if self.place is None:
            raise StopAsyncIteration
        self._told = self.place
        return self.place

    def _move(self, place: int | None) -> None:
        if place != self.place:
            self.place = place
            self._changed.set()


class Slots:
    """`each`: slots of one owner. `total`: of all together."""

    def __init__(self, each: int = UNLIMITED, total: int = UNLIMITED) -> None:
        self._each, self._total = each, total
        self._held: set[Ticket] = set()
        self._of: Counter[str] = Counter()
        """Slots that each owner holds; nobody stands here with none."""
        self._queues: dict[str, deque[Ticket]] = {}
        """Who waits, by owner; the owners in the order of their turns."""

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    def join(self, owner: str) -> Ticket:
        """A ticket at the end of the queue, which may have its slot already. Raises `RateLimited`."""
        if self._full(owner):
            if len(self._queues.get(owner, ())) >= WAITING_EACH:
                raise RateLimited(
                    f"{WAITING_EACH} of your questions are waiting already. "
                    "Ask again when some of them are answered, or stop some."
                )
            if self.waiting >= WAITING:
                raise RateLimited("Too many questions are waiting here. Ask again in a few minutes.")
        ticket = Ticket(self, owner)
        self._queues.setdefault(owner, deque()).append(ticket)
        self._serve()
        return ticket

    def _full(self, owner: str) -> bool:
        return len(self._held) >= self._total or self._of[owner] >= self._each

    def _leave(self, ticket: Ticket) -> None:
        if ticket in self._held:
            self._held.remove(ticket)
            self._of[ticket.owner] -= 1
            if not self._of[ticket.owner]:
                del self._of[ticket.owner]
        elif ticket.place is not None:
            queue = self._queues[ticket.owner]
            queue.remove(ticket)
            if not queue:
                del self._queues[ticket.owner]
        else:
            return
        ticket._move(None)
        self._serve()

    def _serve(self) -> None:
        """Gives out what slots are free, and tells the others their places."""
        while (owner := next((o for o in self._queues if not self._full(o)), None)) is not None:
            queue = self._queues.pop(owner)
            ticket = queue.popleft()
            if queue:
                self._queues[owner] = queue  # the others' turn first
            self._held.add(ticket)
            self._of[owner] += 1
            ticket._move(None)
        self._count()

    def _count(self) -> None:
        if len(self._held) < self._total:  # each waits for answers of its own owner, for nobody else's
            for queue in self._queues.values():
                for place, ticket in enumerate(queue):
                    ticket._move(place)
            return
        places = count()
        for turn in zip_longest(*self._queues.values()):
            for ticket in filter(None, turn):
                ticket._move(next(places))
