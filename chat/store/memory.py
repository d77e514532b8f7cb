"""The conversations that a process works with: each of them one object, however many look at it.

The last `OPEN` used stay; so does one that somebody holds or that is ahead of the disk. Also which
conversation each owner is in, and the number that tells whether an owner's list is another one.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from weakref import WeakKeyDictionary, WeakValueDictionary

from chat.conversations import Conversation
from chat.store.saving import Seen

OPEN = 100
"""Conversations that stay in memory after their last use."""

IN_USE_S = 86_400.0
"""Seconds from the last time a conversation was asked for, in which a page may still show it."""

OWNERS = 10_000
"""Owners of whom we know where they are, before the database is asked."""


class Memory:
    def __init__(self, ahead: Callable[[str], bool]) -> None:
        """`ahead`: whether a conversation must stay, because the disk does not have all of it."""
        self.seen: WeakKeyDictionary[Conversation, Seen] = WeakKeyDictionary()
        """What each conversation was on the disk when it was last read or written."""
        self.deleted: set[str] = set()
        self._ahead = ahead
        self._open: OrderedDict[str, Conversation] = OrderedDict()
        self._all: WeakValueDictionary[str, Conversation] = WeakValueDictionary()
        self._currents: OrderedDict[str, str] = OrderedDict()
        self._versions: OrderedDict[str, int] = OrderedDict()
        self._used: dict[str, float] = {}
        self._moves = 0

    # -- conversations -----------------------------------------------------------------------

    def get(self, id: str) -> Conversation | None:
        if (found := self._all.get(id)) is not None:
            self.keep(found)
        return found

    def keep(self, conversation: Conversation) -> None:
        self._all[conversation.id] = self._open[conversation.id] = conversation
        self._open.move_to_end(conversation.id)
        self._used[conversation.id] = time.monotonic()
        # A few at a time: while the disk takes nothing, thousands may have to stay.
        for id in list(islice(self._open, max(0, min(len(self._open) - OPEN, 8)))):
            if self._ahead(id):
                self._open.move_to_end(id)
            else:
                del self._open[id]
                self._used.pop(id, None)

    def in_use(self, id: str) -> bool:
        """Whether a page or a run may have it: it was asked for lately, or somebody holds it."""
        if (at := self._used.get(id)) is not None:
            return time.monotonic() - at < IN_USE_S or self._ahead(id)
        return id in self._all

    def every(self) -> list[Conversation]:
        return list(self._all.values())

    # -- owners ------------------------------------------------------------------------------

    def current(self, owner: str) -> str | None:
        return self._currents.get(owner)

    def enter(self, owner: str, id: str) -> bool:
        """Whether the owner was elsewhere before."""
        moves = self._currents.get(owner) != id
        _put(self._currents, owner, id)
        return moves

    def version(self, owner: str) -> int:
        return self._versions.get(owner, 0)

    def moved(self, owner: str) -> None:
        # One count for all, so that an owner who was forgotten never gets a number again.
        self._moves += 1
        _put(self._versions, owner, self._moves)


def _put(owners: "OrderedDict[str, int] | OrderedDict[str, str]", owner: str, value: "int | str") -> None:
    owners[owner] = value  # type: ignore[assignment]
    owners.move_to_end(owner)
    if len(owners) > OWNERS:
        owners.popitem(last=False)
