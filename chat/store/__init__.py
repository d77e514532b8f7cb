"""Conversations, kept: the one place that knows where.

Everything that a process works with is in memory, so that a slow, full or missing disk never breaks
a stream; one writer saves what changed (`writer`), and what is not in memory is read when it is asked
for. Whose a conversation is, is decided here: an id that belongs to somebody else is an id that does
not exist. Called by runs and by the faces; knows no provider and no face.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chat.conversations import Conversation, Exchange, Link, title
from chat.events import Entry
from chat.store.schema import look
from chat.store.secret import LENGTH, secret
from chat.transcript import Transcript

OPEN = 100
"""Conversations that stay in memory after their last use."""

MEMORY = Path(":memory:")
"""As a database: everything is gone when the program ends."""


class Recorded(Protocol):
    """What the store wants of a run."""

    id: str
    entries: list[Entry]
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Chat:
    """A line of the list of conversations."""

    id: str
    title: str
    updated: float
    """Seconds since the epoch."""
    running: bool
    found: str = ""
    """Of a search: the words around what was found in the texts. Plain text."""


class Store:
    """Made by `open_store`."""

    trouble: str = ""
    """A sentence while something could not be saved; "" when all is."""

    def __init__(self) -> None:
        self.secret: bytes = secrets.token_bytes(LENGTH)
        """Signs cookies. The same at each start, where it could be kept beside the database."""
        self._open: OrderedDict[str, Conversation] = OrderedDict()
        self._current: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._versions: dict[str, int] = {}

    # -- conversations -----------------------------------------------------------------------

    async def current(self, owner: str) -> Conversation:
        """The conversation that `owner` was in last; a new one at the first time."""
        found = await self.open(owner, self._current.get(owner, ""))
        return found or self.new(owner)

    async def open(self, owner: str, id: str) -> Conversation | None:
        """The conversation `id`; None when there is none, or it is somebody else's, or deleted."""
        if (found := await self.peek(owner, id)) is not None:
            self._current[owner] = id
        return found

    async def peek(self, owner: str, id: str) -> Conversation | None:
        """As `open`, but the owner stays where they are."""
        found = self._open.get(id)
        return None if found is None or found.owner != owner or id in self._deleted else found

    def new(self, owner: str) -> Conversation:
        """An empty conversation, which is kept from its first question on."""
        conversation = Conversation(owner)
        self._open[conversation.id] = conversation
        self._current[owner] = conversation.id
        return conversation

    async def earlier(self, conversation: Conversation, count: int) -> None:
        """Reads the last `count` exchanges in full: their thinking, calls and figures, not the text alone."""

    async def branch(self, conversation: Conversation, run: str) -> Conversation | None:
        """A new conversation that shares what came before the question that `run` answered."""
        if (place := conversation.find(run)) is None:
            return None
        branch = self.new(conversation.owner)
        branch.exchanges = conversation.exchanges[:place]
        branch.origin = Link(conversation.id, conversation.title, run)
        return branch

    async def version(self, conversation: Conversation, run: str) -> bool:
        """Shows the answer `run`, another version of one in `conversation`, with what followed it."""
        return False

    def undo(self, conversation: Conversation) -> str | None:
        """Takes the last exchange back and returns its question."""
        return conversation.exchanges.pop().question if conversation.exchanges else None

    # -- the list ----------------------------------------------------------------------------

    async def chats(self, owner: str, search: str = "", *, skip: int = 0, limit: int = 50) -> Sequence[Chat]:
        """The owner's conversations, latest first; with `search`, those with its words in title or texts."""
        mine = [
            c for c in self._open.values() if c.owner == owner and c.exchanges and c.id not in self._deleted
        ]
        found = [c for c in mine if search.lower() in c.title.lower()]
        return [
            Chat(c.id, c.title, c.exchanges[-1].at, c.exchanges[-1].transcript.ended is None)
            for c in sorted(found, key=lambda c: -c.exchanges[-1].at)[skip : skip + limit]
        ]

    def version_of(self, owner: str) -> int:
        """Moves when the owner's list is another one."""
        return self._versions.get(owner, 0)

    async def rename(self, owner: str, id: str, name: str) -> bool:
        """False: no such conversation. Raises `Unsaved` when the disk does not take it."""
        if (found := await self.peek(owner, id)) is None:
            return False
        found.title, found.named = name, True
        self._moved(owner)
        return True

    async def delete(self, owner: str, id: str) -> bool:
        """As `rename`. It can be restored for a while."""
        if await self.peek(owner, id) is None:
            return False
        self._deleted.add(id)
        self._moved(owner)
        return True

    async def restore(self, owner: str, id: str) -> bool:
        """As `rename`, for one that was deleted."""
        found = self._open.get(id)
        if found is None or found.owner != owner or id not in self._deleted:
            return False
        self._deleted.discard(id)
        self._moved(owner)
        return True

    async def rate(self, owner: str, run: str, thumb: int) -> bool:
        """As `rename`: thumb up (1), down (-1), or neither (0) for the answer of `run`."""
        for conversation in self._open.values():
            if conversation.owner == owner and (place := conversation.find(run)) is not None:
                conversation.exchanges[place].thumb = thumb
                return True
        return False

    async def adopt(self, stranger: str, owner: str) -> None:
        """All that belonged to `stranger` belongs to `owner` from now on."""
        for conversation in self._open.values():
            if conversation.owner == stranger:
                conversation.owner = owner
        self._moved(owner)

    # -- for runs ----------------------------------------------------------------------------

    async def asked(self, owner: str, key: str) -> str | None:
        """The run that a question sent with `key` began, when it was sent before."""
        for conversation in self._open.values():
            if conversation.owner == owner:
                for exchange in conversation.exchanges:
                    if exchange.key == key:
                        return exchange.run
        return None

    def add(self, conversation: Conversation, exchange: Exchange, run: Recorded) -> None:
        """Puts `exchange` at the end, in the place of what it `replaces`, and records `run` from now on."""
        place = len(conversation.exchanges) - (exchange.replaces is not None)
        conversation.exchanges[place:] = [exchange]
        if not conversation.title:
            conversation.title = title(exchange.question)
        self._moved(conversation.owner)

    def ended(self, conversation: Conversation, exchange: Exchange) -> None:
        """Its run is over. Asked again and come to nothing, it gives its place back."""
        if (before := exchange.replaces) is not None:
            exchange.replaces = None
            if not exchange.transcript.text.strip():
                exchange.versions.remove(exchange.run)
                if (place := conversation.find(exchange.run)) is not None:
                    conversation.exchanges[place] = before
        self._moved(conversation.owner)

    async def saved(self, within: float) -> bool:
        """Asks for all to be saved now and waits for it; False when it was not within so many seconds."""
        return True

    async def aclose(self) -> None: ...

    def _moved(self, owner: str) -> None:
        self._versions[owner] = self.version_of(owner) + 1


@asynccontextmanager
async def open_store(database: Path = MEMORY) -> AsyncGenerator[Store, None]:
    """Raises `Config` for a database that is not ours, or newer than this program."""
    store = Store()
    if database != MEMORY:
        await asyncio.to_thread(look, database)
        store.secret = await asyncio.to_thread(secret, database.with_suffix(".secret"))
    try:
        yield store
    finally:
        await store.aclose()
