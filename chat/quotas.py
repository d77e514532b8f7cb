"""How much room on the disk chats may take: of one person, of all together, and what stays free.

`chat.runs` calls `check` before a run begins, so every interface is counted alike, and the store tells a
`DiskUsage` after each save. An anonymous visitor may keep as much as the settings say, a user who logged in
`PERSON_TIMES` times as much, and the operator as much as the disk holds. The database itself counts the bytes
of each owner (`chat.store.migrations`). This module counts, in memory, the bytes that the visitors of one
network write in a day: otherwise one visitor with a new cookie for each chat could use up the space of all.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from chat.errors import NoRoom
from chat.owners import LOCAL, PERSON
from chat.settings import Settings
from chat.store import Store
from chat.store.records import INDEXED_TIMES

PERSON_TIMES = 10

NETWORK_TIMES, DAY_S, NETWORKS = 10, 86_400.0, 10_000
"""How many times one visitor's room the strangers of a network may fill in a day. Networks that are known."""

LOOK_S = 2.0
"""Seconds between two looks at the disk and at the size of the database."""


class Quotas:
    def __init__(self, settings: Settings, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._each, self._all, self._free = settings.stored_each, settings.stored, settings.free
        self._looked, self._full = float("-inf"), ""
        self._written: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def check(self, owner: str, network: str = "") -> None:
        """Raises `NoRoom` when nothing more of `owner` can be kept; not for a disk that cannot be asked.
        `network`: where a stranger comes from."""
        if owner == LOCAL:
            return
        each = self._each * (PERSON_TIMES if owner.startswith(PERSON) else 1)
        if each and (kept := await self._store.bytes_of(owner)) >= each:
            raise NoRoom(
                f"Your chats take {_mb(kept)} here, and {_mb(each)} is what you may keep. Delete chats that "
                "you no longer need: their room is free again ten minutes later."
            )
        if full := await self._fullness():
            raise NoRoom(full)
        # Last: nothing is awaited between this and `disk_usage`, however many questions come at once.
        if network and each and self._of(network)[1] >= each * NETWORK_TIMES:
            raise NoRoom(
                "As much was written from your network as may be kept of it in one day. Ask again tomorrow."
            )

    def disk_usage(self, network: str) -> "DiskUsage":
        """Counts the bytes of one answer, with its question, for an anonymous visitor of `network`."""
        return DiskUsage(self, network)

    def count(self, network: str, size: int) -> None:
        """Adds `size` bytes to the day of `network`; nothing for ""."""
        if network:
            since, before = self._of(network)
            self._written[network] = since, before + size
            self._written.move_to_end(network)
            if len(self._written) > NETWORKS:
                self._written.popitem(last=False)

    def _of(self, network: str) -> tuple[float, int]:
        """Since when its day goes on, and the bytes of it."""
        now = self._clock()
        since, size = self._written.get(network, (now, 0))
        return (since, size) if now - since < DAY_S else (now, 0)

    async def _fullness(self) -> str:
        """Why nobody's question can be kept; "" when there is room."""
        now, full = self._clock(), ""
        if now - self._looked >= LOOK_S:
            self._looked = now
            if self._all and await self._store.size() >= self._all:
                full = (
                    "All chats together take as much room here as whoever runs this page allows, so no new "
                    "question can be kept. Ask again later: chats that are deleted make room."
                )
            elif self._free and (free := await self._store.free()) is not None and free < self._free:
                full = (
                    "The disk of this server is almost full, so no new question can be kept. Ask again "
                    "later, or tell whoever runs this page."
                )
            self._full = full
        return self._full


class DiskUsage:
    """The bytes of one question and its answer, for the day of a network.

    They count before they are saved: while the database takes nothing, they wait in memory. The bytes that
    were saved count instead of this estimate as soon as they are more.
    """

    def __init__(self, quotas: Quotas, network: str) -> None:
        self._quotas, self._network = quotas, network
        self._expected = self._saved = self._counted = 0

    def expect(self, text: str) -> None:
        """`text` will be saved."""
        self._expected += INDEXED_TIMES * len(text.encode(errors="replace"))
        self._count()

    def saved(self, size: int) -> None:
        """`size` bytes more were saved."""
        self._saved += size
        self._count()

    def _count(self) -> None:
        if (more := max(self._expected, self._saved) - self._counted) > 0:
            self._counted += more
            self._quotas.count(self._network, more)


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 10_000_000 else f"{count / 1e6:,.1f} MB"
