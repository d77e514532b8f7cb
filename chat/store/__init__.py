"""Conversations, kept: the one place that knows where.

Everything that a process works with is in memory, so that a slow, full or missing disk never breaks
a stream; one writer saves what changed (`writer`), and what is not in memory is read when it is asked
for. Whose a conversation is, is decided here: an id that belongs to somebody else is an id that does
not exist. Called by runs and by the faces; knows no provider and no face.

    a save   memory → records, saving (what is new, as rows) → writer (when) → writing (statements)
    a load   disk → reading (the way through a chat, its events) → recording (events as text) → memory
    a list   chats → listing → search                a change   chats → changes; titles, purging, expiring
    logins   ended_sign_ins
    whose    leases (which process lives) → interrupting (what the dead were writing)
    the file database → schema → migrations, tables        beside it: secret
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from chat.conversations import Conversation, Exchange, Link
from chat.settings.values import Journal
from chat.store import changes, ended_sign_ins
from chat.store.chats import Chats
from chat.store.database import FAULTS, MEMORY
from chat.store.disk import Disk
from chat.store.listing import Chat
from chat.store.records import Record, Recorded
from chat.store.secret import LENGTH, secret
from chat.titles import made

__all__ = ["MEMORY", "Chat", "Recorded", "Store", "open_store"]


class Store(Chats):
    """Made by `open_store`. One made without is memory alone: nothing of it is kept or found again."""

    def __init__(self, disk: Disk | None = None) -> None:
        super().__init__(disk)
        self.secret: bytes = secrets.token_bytes(LENGTH)
        """Signs cookies. The same at each start, where it could be kept beside the database."""

    @property
    def trouble(self) -> str:
        """A sentence while something could not be saved; "" when all is."""
        return self._disk.writer.trouble if self._disk else ""

    # -- conversations -----------------------------------------------------------------------

    async def current(self, owner: str) -> Conversation:
        """The conversation that `owner` was in last; a new one at the first time."""
        id = self._memory.current(owner)
        if id is None and self._disk:
            id = await self._disk.current(owner)
        found = await self.open(owner, id) if id else None
        return found or self.new(owner)

    async def open(self, owner: str, id: str) -> Conversation | None:
        """The conversation `id`; None when there is none, or it is somebody else's, or deleted."""
        if (found := await self.peek(owner, id)) is not None:
            self._enter(owner, id)
            if self._disk:
                self._disk.opened(id)
        return found

    async def peek(self, owner: str, id: str) -> Conversation | None:
        """As `open`, but the owner stays where they are."""
        found = await self._disk.conversation(id) if self._disk else self._memory.get(id)
        return None if found is None or found.owner != owner or id in self._memory.deleted else found

    def new(self, owner: str) -> Conversation:
        """An empty conversation, which is kept from its first question on."""
        conversation = Conversation(owner)
        self._memory.keep(conversation)
        if self._memory.current(owner) is None:  # whoever looks and never asks leaves no trace
            self._memory.enter(owner, conversation.id)
        else:
            self._enter(owner, conversation.id)
        return conversation

    async def earlier(self, conversation: Conversation, count: int) -> None:
        """Reads the last `count` exchanges in full: their thinking, calls and figures, not the text alone."""
        if self._disk:
            await self._disk.fill(conversation.exchanges[-count:])

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
        if conversation.find(run) is not None:
            return True
        if not self._disk or not any(run in exchange.versions for exchange in conversation.exchanges):
            return False
        return await self._disk.show(conversation, run)

    # -- for runs ----------------------------------------------------------------------------

    async def asked(self, owner: str, key: str) -> str | None:
        """The run that a question sent with `key` began, when it was sent before."""
        known = await self._disk.asked(owner, key) if self._disk else None
        # Memory last: what was asked while the disk was looked at is there.
        every = () if self._disk else self._memory.every()
        mine = (exchange for each in every if each.owner == owner for exchange in each.exchanges)
        return known or self._pending.asked(owner, key) or next((e.run for e in mine if e.key == key), None)

    def add(
        self,
        conversation: Conversation,
        exchange: Exchange,
        run: Recorded,
        written: Callable[[int], None] | None = None,
    ) -> None:
        """Puts `exchange` at the end, in the place of what it `replaces`, and records `run` from now on.
        After each save `written` is called with the bytes by which `bytes_of` the owner grew, or slightly
        more."""
        place = len(conversation.exchanges) - len(exchange.replaces)
        parent = conversation.exchanges[place - 1].run if place else None
        conversation.exchanges[place:] = [exchange]
        self._memory.keep(conversation)
        new = not conversation.title
        self._pending.record(Record(conversation, exchange, run, parent, new, written))
        if new:
            conversation.title = made(exchange.question)
            self._link(conversation)
            if self._disk and self._memory.current(conversation.owner) == conversation.id:
                self._pending.current(conversation.owner, conversation.id)
        self._changed(conversation, title=new)

    def ended(self, conversation: Conversation, exchange: Exchange) -> None:
        """Its run is over. Asked again and come to nothing, it gives its place back."""
        before, exchange.replaces = exchange.replaces, []
        nothing = bool(before) and not exchange.transcript.text.strip()
        if nothing:
            if exchange.run in exchange.versions:
                exchange.versions.remove(exchange.run)
            if (place := conversation.find(exchange.run)) is not None:
                conversation.exchanges[place : place + 1] = before
        if (record := self._pending.records.get(exchange.run)) is not None:
            record.over, record.void = True, nothing
            if self._disk is None:
                self._pending.drop(exchange.run)
        self._changed(conversation)

    # -- room --------------------------------------------------------------------------------

    async def bytes_of(self, owner: str) -> int:
        """About how much room the chats of `owner` take, those included that can still be restored."""
        return await self._disk.bytes_of(owner) if self._disk else 0

    async def size(self) -> int:
        """Bytes that all chats take; 0 while that cannot be told."""
        try:
            return await self._disk.database.size() if self._disk else 0
        except FAULTS:
            return 0

    async def strangers(self) -> tuple[int, int]:
        """How many of them have chats, and the bytes of the one who has most."""
        return await self._disk.owners() if self._disk else (0, 0)

    @property
    def alone(self) -> bool:
        """Whether its database is one that a single process may use."""
        return self._disk is not None and self._disk.database.single and not self._disk.database.memory

    @property
    def notice(self) -> str:
        """A sentence on its journal, when it is not as it should be."""
        return self._disk.database.notice if self._disk else ""

    async def free(self) -> int | None:
        """Bytes that are free on the disk; None where there is none, or while that cannot be told."""
        if self._disk is None or self._disk.database.memory:
            return None
        try:
            return (await asyncio.to_thread(shutil.disk_usage, self._disk.database.path.parent)).free
        except OSError:
            return None

    # -- for runs, again ---------------------------------------------------------------------

    async def saved(self, within: float) -> bool:
        """Asks for all to be saved now and waits for it; False when it was not within so many seconds."""
        return await self._disk.writer.saved(within) if self._disk else True

    async def stop_elsewhere(self, owner: str, run: str) -> bool:
        """Asks the process that writes the answer `run` to stop; False when there is nothing to stop.

        It hears of it within about a second. Raises `Unsaved`.
        """
        if self._disk is None:
            return False
        return await self._disk.do(partial(changes.ask_to_stop, owner=owner, run=run))

    def when_stop_asked(self, call: Callable[[str], object]) -> None:
        """`call` with the id of a run of this process that another one asks to stop."""
        if self._disk:
            self._disk.when_stop_asked = call

    # -- for logins --------------------------------------------------------------------------

    async def sign_outs(self) -> Sequence[ended_sign_ins.Row]:
        """The sign-ins that were ended before their time (`chat.sign_outs`)."""
        if self._disk is None:
            return ()
        try:
            async with self._disk.database.reading() as connection:
                return await ended_sign_ins.load(connection)
        except FAULTS:
            return ()

    def save_sign_out(self, row: ended_sign_ins.Row) -> None:
        """Keeps it with the next save, which is tried until the disk takes it."""
        if self._disk:
            self._pending.do(partial(ended_sign_ins.save, row=row))
            self._disk.writer.wake()

    # -- inside ------------------------------------------------------------------------------

    def _changed(self, conversation: Conversation, *, title: bool = False) -> None:
        if self._disk:
            self._pending.changed(conversation, title=title)
            self._disk.writer.wake()
        self._memory.moved(conversation.owner)

    def _enter(self, owner: str, id: str) -> None:
        if self._memory.enter(owner, id) and self._disk:
            self._pending.current(owner, id)
            self._disk.writer.wake()

    def _link(self, branch: Conversation) -> None:
        """Tells the conversation that `branch` comes from."""
        if branch.origin is not None and (origin := self._memory.get(branch.origin.id)) is not None:
            origin.branches.append(Link(branch.id, branch.title, branch.origin.run))


@asynccontextmanager
async def open_store(
    database: Path = MEMORY, *, expire_s: float = 0.0, journal: Journal = "auto"
) -> AsyncGenerator[Store, None]:
    """Raises `Config` for a database that is not ours, or newer than this program. `expire_s`: seconds
    without use after which chats of strangers are deleted; 0 for never.

    One that cannot be used now (a folder that takes no file, a lock) is trouble, and is tried again.
    """
    if database != MEMORY:
        # What SQLite and the leases keep beside a database stands beside the file, not beside a link to it.
        database = Path(await asyncio.to_thread(os.path.realpath, database))
    disk = Disk(database, expire_s, journal)
    try:
        await disk.open()
        store = Store(disk)
        if database != MEMORY:
            store.secret = await asyncio.to_thread(secret, database.with_suffix(".secret"))
        yield store
    finally:
        await disk.aclose()
