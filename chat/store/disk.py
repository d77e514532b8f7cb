"""What a store has below memory: the database with its writer and its lease, and what is read of it.

A read that fails is a read that finds nothing: memory goes on. Called by the store alone.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.conversations import Conversation, Exchange
from chat.errors import Unsaved
from chat.owners import LOCAL, PERSON
from chat.settings.values import Journal
from chat.store import changes, expiring, reading
from chat.store.database import FAULTS, MEMORY, Database, cause
from chat.store.interrupting import interrupt
from chat.store.leases import Lease
from chat.store.memory import OWNERS, Memory
from chat.store.purging import NOBODY, UNDO, purge
from chat.store.reading import Loaded
from chat.store.recording import plain
from chat.store.saving import Batch, Pending, Seen
from chat.store.tables import conversations, currents, owners, runs
from chat.store.writer import Writer

log = logging.getLogger(__name__)

DAY_S = 86_400.0

MERGE_FROM = 500_000
"""Bytes of purged chats before the index of words is rewritten for them."""

LOOK = 1.0
"""Seconds between two looks at what other processes changed, while somebody asks."""


class Disk:
    def __init__(self, path: Path, expire_s: float = 0.0, journal: Journal = "auto") -> None:
        """`expire_s`: seconds without use after which chats of strangers are deleted; 0 for never."""
        self.when_stop_asked: Callable[[str], object] = lambda run: None
        # Wherever the program goes: connections are made when they are needed.
        path = path if path == MEMORY else path.absolute()
        self.database = Database(path, journal)
        self.pending = Pending()
        self.memory = Memory(self.pending.holds)
        self.pending.seen = self.memory.seen.get
        self._lease = Lease(None if self.database.memory else path)
        self.writer = Writer(self.database, self.pending, self._lease)
        self.writer.when_written = self._written
        self.writer.prepare = self._prepare
        self.writer.beats.append(self._stops)
        self.do = self.writer.do
        self._seen: int | None = None
        """The highest revision that owners have been notified of."""
        self._looked = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._expire_s, self._began = expire_s, time.time() - time.monotonic()
        self._expiring: asyncio.Task[None] | None = None
        self._purged, self._tidying, self._merging = 0, False, False
        self._opened: OrderedDict[str, float] = OrderedDict()

    async def open(self) -> None:
        """Raises `Config`."""
        await self.writer.start()
        if self._expire_s:
            self._expiring = asyncio.create_task(self._expire(), name="store expiry")

    async def aclose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._expiring is not None:
            self._expiring.cancel()
            await asyncio.wait([self._expiring])
        if self._looking is not None:
            await self._looking
        await self.writer.aclose()
        await self.database.aclose()

    # -- reading -----------------------------------------------------------------------------

    async def current(self, owner: str) -> str | None:
        """The id of the conversation that `owner` was in last."""
        return await self._scalar(select(currents.c.conversation).where(currents.c.owner == owner))

    async def bytes_of(self, owner: str) -> int:
        """About how much room the chats of `owner` take."""
        return int(await self._scalar(select(owners.c.bytes).where(owners.c.owner == owner)) or 0)

    async def owners(self) -> tuple[int, int]:
        """How many strangers have chats, and how many bytes the one has who has most."""
        table = owners.c
        strangers = table.owner.not_in([LOCAL, NOBODY]), ~table.owner.startswith(PERSON)
        with contextlib.suppress(*FAULTS):
            async with self.database.reading() as connection:
                statement = select(func.count(), func.coalesce(func.max(table.bytes), 0)).where(*strangers)
                count, most = (await connection.execute(statement)).one()
                return count, most
        return 0, 0

    async def asked(self, owner: str, key: str) -> str | None:
        return await self._scalar(select(runs.c.id).where(runs.c.owner == owner, runs.c.key == plain(key)))

    async def conversation(self, id: str) -> Conversation | None:
        """The conversation `id` as it is now, whoever wrote it; None when there is none, or it is deleted."""
        id = plain(id)
        found = self.memory.get(id)
        new = found is not None and not found.exchanges and found not in self.memory.seen
        if new or self.pending.holds(id):  # nobody else can know more of it
            return found
        try:
            return await self._read(id, found)
        except FAULTS:
            return found

    async def fill(self, exchanges: Iterable[Exchange]) -> None:
        """Gives `exchanges` all that happened in them."""
        brief = {exchange.run: exchange for exchange in exchanges if not exchange.full}
        if not brief:
            return
        with contextlib.suppress(*FAULTS):
            async with self.database.reading() as connection:
                happened = await reading.transcripts(connection, brief)
            for run, exchange in brief.items():
                reading.put(exchange, happened.get(run))

    async def show(self, conversation: Conversation, run: str) -> bool:
        """Makes `run` an answer that is shown. Not while another one is being written there."""
        if self.pending.answering(conversation.id):
            return False
        try:
            if not await self.do(partial(changes.show, id=conversation.id, answer=run)):
                return False
        except Unsaved:
            return False
        await self.conversation(conversation.id)
        return conversation.find(run) is not None

    def look(self) -> None:
        """Sees, soon, whose lists other processes changed."""
        now = time.monotonic()
        idle = self._looking is None or self._looking.done()
        if self.database.ready and not self.database.memory and idle and now - self._looked > LOOK:
            self._looked = now
            self._looking = asyncio.create_task(self._look(), name="store look")

    async def _read(self, id: str, found: Conversation | None) -> Conversation | None:
        async with self.database.reading() as connection:
            head = await reading.head(connection, id)
            if head is None:  # never saved, or purged
                return None if found is not None and found.exchanges else found
            if head.deleted:
                return None
            self.memory.deleted.discard(id)
            if found is not None and self.memory.seen.get(found) == head.seen:
                last = found.last
                if last is None or last.transcript.ended is not None:
                    return found
                await reading.follow(connection, last.run, last.transcript)
                leases = set(await connection.scalars(select(runs.c.lease).where(runs.c.id == last.run)))
                dead = await self._lease.dead(connection, leases)
                loaded = None
            else:
                loaded = await reading.load(connection, id)
                dead = [] if loaded is None else await self._lease.dead(connection, loaded.running.values())
        if dead:
            with contextlib.suppress(Unsaved):
                await self.do(partial(interrupt, lease=self._lease, among=dead))
                async with self.database.reading() as connection:
                    loaded = await reading.load(connection, id)
        return found if loaded is None else self._merged(loaded)

    def _merged(self, loaded: Loaded) -> Conversation:
        """The one object of the conversation, as it was loaded."""
        id = loaded.row["id"]
        found = self.memory.get(id)
        if found is None:
            found = Conversation(loaded.row["owner"], id)
        elif self.pending.holds(id):  # it was read while somebody asked in it
            return found
        loaded.onto(found)
        self.memory.seen[found] = Seen(loaded.row["revision"], loaded.row["leaf"])
        self.memory.keep(found)
        return found

    async def _scalar(self, statement: Select) -> Any:
        try:
            async with self.database.reading() as connection:
                return await connection.scalar(statement)
        except FAULTS:
            return None

    async def _look(self) -> None:
        table = conversations
        statement = select(table.c.owner, func.max(table.c.revision)).group_by(table.c.owner)
        if self._seen is not None:
            statement = statement.where(table.c.revision > self._seen)
        with contextlib.suppress(*FAULTS):
            async with self.database.reading() as connection:
                rows = (await connection.execute(statement)).all()
            for owner, _ in rows if self._seen is not None else ():
                self.memory.moved(owner)
            self._seen = max([self._seen or 0, *(revision for _, revision in rows)])

    # -- writing -----------------------------------------------------------------------------

    def purge_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(UNDO + 1, self._purge_now)

    def _purge_now(self) -> None:
        self._timer = None
        self.pending.do(self._purge)
        self.writer.wake()

    async def _purge(self, connection: AsyncConnection) -> None:
        done = await purge(connection)
        self.memory.deleted.difference_update(done.gone)
        self._purged += done.freed
        if done.more:
            self.pending.do(self._purge)  # the rest with the next save
        elif self._purged:
            self._tidy_soon()
        if done.later and not done.more:
            self.purge_later()

    def _tidy_soon(self) -> None:
        if not self._tidying:
            self._tidying = True
            self.pending.do(self._tidy)

    async def _tidy(self, connection: AsyncConnection) -> None:
        """A piece of what makes the room of purged chats usable again; the next one with the next save."""
        self._tidying, database = False, self.database
        try:
            # To rewrite the index of words costs as much as there is in it: only where a part of it is freed.
            first = self._purged > max(MERGE_FROM, await database.used(connection) // 4)
            if first:
                self._purged = 0
            self._merging = (first or self._merging) and await database.merge(connection, first=first)
            self._tidying = self._merging or await database.shrink(connection)
        except Exception as error:  # it may wait; what is to be saved may not
            log.warning("not tidied up: %s", cause(error))
        if self._tidying:
            self.pending.do(self._tidy)

    def opened(self, id: str) -> None:
        """Somebody looks at the chat `id`, which may expire otherwise: kept once a day."""
        now = time.time()
        if not self._expire_s or now - self._opened.get(id, 0.0) < DAY_S:
            return
        self._opened[id] = now
        if len(self._opened) > OWNERS:
            self._opened.popitem(last=False)
        self.pending.do(partial(expiring.opened, id=id, at=now))
        self.writer.wake()

    async def _expire(self) -> None:
        """Deletes chats that are due, a few at a time, as long as the program runs."""
        wait = expiring.FIRST_S
        while True:
            await asyncio.sleep(wait)
            wait = expiring.EVERY_S
            # A clock that is set forward while we run makes nothing old.
            before = min(time.time(), self._began + time.monotonic()) - self._expire_s
            try:
                async with self.database.reading() as connection:
                    found = await expiring.due(connection, before)
                unused = [id for id in found if not self.memory.in_use(id)]
                if not unused:
                    continue
                gone = await self.do(partial(expiring.expire, before=before, among=unused))
            except (Unsaved, *FAULTS):
                continue
            except Exception:  # and the next look may be as good as any
                log.exception("a bug in expiring")
                continue
            if gone:
                log.info(
                    "%d chats of visitors expired: nobody had used them for %g days",
                    len(gone),
                    self._expire_s / DAY_S,
                )
                self.pending.do(self._purge)
                self.writer.wake()
            if len(found) == expiring.AT_ONCE and gone:
                wait = 1.0

    async def _prepare(self, connection: AsyncConnection) -> None:
        try:
            await interrupt(connection, self._lease)
            await self._lease.tidy(connection)
            await self._purge(connection)
        except FAULTS:
            raise
        except Exception:  # what was left behind must not keep anybody from going on
            log.exception("a bug in tidying up")

    async def _stops(self, connection: AsyncConnection) -> None:
        asked = select(runs.c.id).where(runs.c.state == "running", runs.c.stop_asked == 1)
        for run in await connection.scalars(asked.where(runs.c.lease == self._lease.id)):
            self.when_stop_asked(run)

    def _written(self, batch: Batch) -> None:
        leaves = {row["id"]: row["leaf"] for row in batch.rows}
        for id, revision in batch.revisions.items():
            if (found := self.memory.get(id)) is not None:
                if batch.known.get(id) != batch.before.get(id):
                    revision = -1  # somebody else changed it too: it is read again when it is next opened
                self.memory.seen[found] = Seen(revision, leaves[id])
        if batch.revisions and self._seen == min(batch.revisions.values()) - 1:
            self._seen = max(batch.revisions.values())
        for record, *_ in batch.records:
            if record.final is not None:
                reading.shrink(record.conversation.exchanges)
