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

WAITING_NETWORK = 100
"""Questions of the strangers of one network that may wait: they cannot fill the queue for all."""

UNLIMITED = 1_000_000

SHARE = 4
"""One network's strangers may hold this part of all slots."""


class Ticket:
    """A place in the queue, then a slot. Iterated, it gives the number of those before it each time that
    changes, and ends when it has its slot; of one that had it at once, nothing."""

    __slots__ = ("_changed", "_slots", "_told", "network", "owner", "place")

    def __init__(self, slots: "Slots", owner: str, network: str = "") -> None:
        self.owner, self.network = owner, network
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
    """`each`: slots of one owner. `total`: of all together. `network`: of all owners that came from one
    network, so that those who come from another one find a slot."""

    def __init__(self, each: int = UNLIMITED, total: int = UNLIMITED, network: int = UNLIMITED) -> None:
        self._each, self._total, self._network = each, total, network
        self._held: set[Ticket] = set()
        self._of: Counter[str] = Counter()
        """Slots that each owner holds; nobody stands here with none."""
        self._from: Counter[str] = Counter()
        """Slots that each network holds, likewise."""
        self._queues: dict[str, deque[Ticket]] = {}
        """Who waits, by owner; the owners in the order of their turns."""

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    def join(self, owner: str, network: str = "") -> Ticket:
        """A ticket at the end of the queue, which may have its slot already. Raises `RateLimited`. `network`:
        where a stranger comes from; "" for somebody who is known."""
        if self._network >= UNLIMITED:
            network = ""
        ticket = Ticket(self, owner, network)
        if self._full(ticket):
            if len(self._queues.get(owner, ())) >= WAITING_EACH:
                raise RateLimited(
                    f"{WAITING_EACH} of your questions are waiting already. "
                    "Ask again when some of them are answered, or stop some."
                )
            theirs = sum(t.network == network for q in self._queues.values() for t in q) if network else 0
            if self.waiting >= WAITING or theirs >= WAITING_NETWORK:
                raise RateLimited("Too many questions are waiting here. Ask again in a few minutes.")
        self._queues.setdefault(owner, deque()).append(ticket)
        self._serve()
        return ticket

    def _full(self, ticket: Ticket) -> bool:
        """Whether `ticket` has to wait."""
        of_owner = self._of[ticket.owner] >= self._each
        return len(self._held) >= self._total or of_owner or self._crowded(ticket.network)

    def _crowded(self, network: str) -> bool:
        return bool(network) and self._from[network] >= self._network

    def _leave(self, ticket: Ticket) -> None:
        if ticket in self._held:
            self._held.remove(ticket)
            for counter, name in ((self._of, ticket.owner), (self._from, ticket.network)):
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]
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
        while (owner := next((o for o, q in self._queues.items() if not self._full(q[0])), None)) is not None:
            queue = self._queues.pop(owner)
            ticket = queue.popleft()
            if queue:
                self._queues[owner] = queue  # the others' turn first
            self._held.add(ticket)
            self._of[owner] += 1
            self._from[ticket.network] += 1
            ticket._move(None)
        self._count()

    def _count(self) -> None:
        lines: dict[str, list[deque[Ticket]]] = {}
        for owner, queue in self._queues.items():
            # With slots left, each waits for answers of its own owner or network, for nobody else's.
            network = queue[0].network
            own = f"network {network}" if self._crowded(network) else f"owner {owner}"
            lines.setdefault(own if len(self._held) < self._total else "", []).append(queue)
        for line in lines.values():
            places = count()
            for turn in zip_longest(*line):
                for ticket in filter(None, turn):
                    ticket._move(next(places))
