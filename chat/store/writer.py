"""The one task that writes: all that changed, in one transaction, off the path of the streams.

It saves `TICK` after a change and again while runs go on, at once for whoever waits in `saved` or `do`.
A disk that does not do as it should is told in `trouble`, and tried again; what is unsaved stays in
memory meanwhile. Nothing here raises into a stream. Called by the store alone.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from chat.errors import Config, Unsaved
from chat.store.database import FAULTS, Database, cause, is_busy
from chat.store.leases import BEAT, Lease
from chat.store.saving import Batch, Op, Pending
from chat.store.writing import unwrite, write

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

TICK = 0.25
"""Seconds from a change, or from the beginning of the last save while runs go on, to the next one."""

RETRIES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds between attempts to save while the disk does not take it; the last one for ever."""

ATTEMPTS = 5
"""To open a database that is locked, before the program starts without it and goes on trying."""

PATIENCE = 5.0
"""Seconds that what a person asked for (rename, delete…) may take to be saved."""

ENDING = 1.5
"""Seconds for the last save at the program's end. It may take one more, of waiting for a lock."""


class Writer:
    """`start` first, `aclose` last."""

    def __init__(self, database: Database, pending: Pending, lease: Lease) -> None:
        self.trouble = ""
        self.when_written: Callable[[Batch], None] = lambda batch: None
        """Called after each save, before anybody who waited for it goes on."""
        self.beats: list[Op] = []
        """What else is done at each heartbeat."""
        self.prepare: Op = _nothing
        """What is done once, when the database can be used for the first time."""
        self._database, self._pending, self._lease = database, pending, lease
        self._waiting: list[asyncio.Future[bool]] = []
        self._asked: list[tuple[Op, asyncio.Future[Any]]] = []
        self._doing: asyncio.Future[Any] | None = None
        self._woken, self._urgent = asyncio.Event(), asyncio.Event()
        self._failed, self._reason, self._since, self._until = 0, "", 0.0, 0.0
        self._closing = self._prepared = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises `Config` for a database that is not ours; one that cannot be used now is trouble only."""
        for attempt in range(ATTEMPTS):
            try:
                await self._ready()
                break
            except FAULTS as error:
                if not is_busy(error) or attempt == ATTEMPTS - 1:
                    self._fault(error)
                    break
                await asyncio.sleep(0.1)  # another process makes it, or brings it forward
        self._task = asyncio.create_task(self._write(), name="store writer")

    def wake(self) -> None:
        """Something is there to be saved."""
        self._woken.set()

    async def saved(self, within: float) -> bool:
        """Whether all that is there now was saved, at once; False when it failed or took longer.

        A database that somebody else has locked is waited for.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._hurry()
        try:
            async with asyncio.timeout(within):
                return await future
        except TimeoutError:
            return False

    async def do(self, op: Callable[[AsyncConnection], Awaitable[Answer]]) -> Answer:
        """What `op` answers, when all before it is saved and it is too. Raises `Unsaved`."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked.append((op, future))
        self._hurry()
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.cancel()
            raise
        except TimeoutError as error:
            if future is self._doing:  # it is on its way: how it ends is the truth
                return await future
            future.cancel()
            raise Unsaved("Not saved: the disk is too slow. Try again in a moment.") from error

    async def aclose(self) -> None:
        """Saves what there is, for `ENDING` at most, and lets go of the lease."""
        self._closing = True
        self._until = time.monotonic() + ENDING
        if self._task is not None:
            self._hurry()
            await asyncio.wait([self._task], timeout=ENDING + 1)
            if self._task.cancelled():  # the loop is ending, and cancelled it with all others
                self._task = asyncio.create_task(self._write(), name="store writer")
                await asyncio.wait([self._task], timeout=ENDING + 1)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if left := len(self._pending.records):
            log.error("%d answers could not be saved to their end", left)
        self._lease.release(ended=not self.trouble)

    # -- the task --------------------------------------------------------------------------------

    def _hurry(self) -> None:
        self._urgent.set()
        self._woken.set()

    async def _write(self) -> None:
        since = 0.0
        while True:
            if not (self._pending or self._failed or self._urgent.is_set()):
                self._woken.clear()
                await self._woken.wait()
                since = time.monotonic()
            # From the beginning of the last save: else a slow one would cost its own time twice.
            tick = max(0.0, since + TICK - time.monotonic())
            delay = RETRIES[min(self._failed, len(RETRIES)) - 1] if self._failed else tick
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._urgent.wait()
            self._urgent.clear()
            closing = self._closing  # what was gathered before that is not the last of it
            since = time.monotonic()
            try:
                await self._save()
            except Exception:
                log.exception("a bug in saving")  # and the next save may be as good as any
            # Never opened and nothing to save: no lease either, so there is nothing to wait for.
            idle = not (self._prepared or self._pending)
            if closing and (not self.trouble or idle or time.monotonic() > self._until):
                return

    async def _save(self) -> None:
        await self._pending.catch_up()
        waiting, self._waiting = self._waiting, []
        asked, self._asked = self._asked, []
        if await self._database.is_gone():
            self._lease.release(ended=True)
            self._pending.do(partial(unwrite, runs=list(self._pending.records)))
            self._pending.again()
        batch = self._pending.gather(self._lease.id)
        try:
            await self._ready()
            if batch or self._closing or self._beat_is_due():
                async with self._database.writing() as connection:
                    await self._beat(connection, bool(batch.runs))
                    await write(connection, batch)
        except Exception as error:
            self._pending.kept(batch)
            self._fault(error)
            if is_busy(error):  # that passes: who waits goes on waiting
                self._waiting[:0] = [future for future in waiting if not future.done()]
                waiting = []
        except asyncio.CancelledError:
            self._pending.kept(batch)
            raise
        else:
            self._pending.written(batch)
            self.when_written(batch)
            self._fine()
        for future in waiting:
            if not future.done():
                future.set_result(not self.trouble)
        for op, future in asked:
            await self._answer(op, future)

    async def _answer(self, op: Op, future: asyncio.Future[Any]) -> None:
        reason = self._reason
        try:
            if not reason:
                async with self._database.writing() as connection:
                    if future.done():  # who asked was told that it is not done
                        return
                    self._doing = future
                    answer = await op(connection)
                if not future.done():
                    future.set_result(answer)
                return
        except Exception as error:
            # Whoever asked is told, so it is nothing that could not be saved and must be tried again.
            reason = cause(error)
            log.warning("not done: %s", reason, exc_info=None if isinstance(error, FAULTS) else error)
        finally:
            self._doing = None
        if not future.done():
            future.set_exception(Unsaved(f"Not saved: {reason}. Try again in a moment."))

    async def _ready(self) -> None:
        if not self._database.ready:
            await self._database.open()
        if not self._prepared:
            async with self._database.writing() as connection:
                await self.prepare(connection)
            self._prepared = True

    def _beat_is_due(self) -> bool:
        return bool(self._pending.records) and time.monotonic() - self._lease.beaten >= BEAT

    async def _beat(self, connection: AsyncConnection, born: bool) -> None:
        if self._closing and not self._pending.running:
            await self._lease.end(connection)
        elif born or self._beat_is_due():
            await asyncio.to_thread(self._lease.take)
            await self._lease.beat(connection)
            for op in self.beats:
                await op(connection)

    # -- trouble ---------------------------------------------------------------------------------

    def _fault(self, error: BaseException) -> None:
        self._reason = error.message.rstrip(".") if isinstance(error, Config) else cause(error)
        if not self._failed:
            self._since = time.monotonic()
            expected = isinstance(error, (*FAULTS, Config))
            log.warning("not saved: %s", self._reason, exc_info=None if expected else error)
        self._failed += 1
        self.trouble = f"Not saved: {self._reason}. Trying again."

    def _fine(self) -> None:
        if self._failed:
            log.warning("saved again, after %.1f s", time.monotonic() - self._since)
        self._failed, self._reason, self.trouble = 0, "", ""


async def _nothing(connection: AsyncConnection) -> None: ...
