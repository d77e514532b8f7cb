"""The file that conversations are kept in: how it is opened, read and written. SQLite, in WAL mode.

One connection writes, a few read; a reader never waits for the writer. What happens in `writing` is one
transaction. A commit is safe from the end of this process, however sudden; a power cut may take the last ones
with it (synchronous=NORMAL), never the file. Called by `writer` and by what reads.

On a disk on which that mode is not safe (`mounts`), or where it is asked for, one connection does both, keeps
the file to itself for as long as the program runs, and writes a journal that is deleted again: it is for one
process, and who reads waits for who writes.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as Crowded
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from chat.errors import Config
from chat.settings.values import Journal
from chat.shares import Shares
from chat.store.mounts import foreign
from chat.store.schema import look, migrate

log = logging.getLogger(__name__)

MEMORY = Path(":memory:")
"""As a database: everything is gone when the program ends."""

BUSY = 1000
"""Milliseconds that a write waits for another process's to end."""

READERS = 4

QUEUE = 10.0
"""Seconds that a read waits for one of them."""

SEARCHES, EACH, SEARCHERS = 2, 5, 50
"""Searches that go on at once, and that may wait or go on, of one owner and of all: each takes one of the
readers for long."""

INCREMENTAL = 2
"""The mode of `auto_vacuum` in which what is free is given back when that is asked for."""

SPARE_PAGES, SHRUNK_PAGES, MERGED_PAGES = 500, 200, 50
"""Free pages (of 4 kB) that are kept for what comes, as many as are given back at once, and as many of the
index of words as are rewritten at once."""

_CHANGES = text("SELECT total_changes()")

FAULTS = (DBAPIError, Crowded, OSError, sqlite3.Error)
"""What a disk that does not do as it should comes as."""

_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "another program has locked the database",
    sqlite3.SQLITE_LOCKED: "another program has locked the database",
    sqlite3.SQLITE_READONLY: "the database cannot be written to",
    sqlite3.SQLITE_PERM: "the database cannot be written to",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_NOTADB: "the database is damaged",
}


class HeldError(sqlite3.OperationalError):
    """Another process has a database that only one may have."""

    sqlite_errorcode = sqlite3.SQLITE_BUSY


def cause(error: BaseException) -> str:
    """What is wrong, in words. Nobody's text is in it."""
    if isinstance(error, HeldError):
        return "another Runnel has the database, which only one may open on its disk: end that one first"
    if isinstance(error, OSError):
        return f"the database cannot be opened ({error.strerror})"
    if isinstance(error, Crowded):
        return "too many read the database at once"
    return _CAUSES.get(_code(error), "the database reports an error")


def is_busy(error: BaseException) -> bool:
    """Whether somebody else has the lock, and will let it go."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: BaseException) -> int:
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    while origin.__cause__ is not None and not hasattr(origin, "sqlite_errorcode"):
        origin = origin.__cause__
    # The low byte is the kind of error, what is above it the finer one.
    return getattr(origin, "sqlite_errorcode", 0) & 0xFF


class Database:
    """`open` first, as often as it takes."""

    def __init__(self, path: Path, journal: Journal = "auto") -> None:
        self.path, self._journal = path, journal
        self.memory = path == MEMORY
        self.single = self.memory
        """Whether one connection does all: in memory, and where the disk allows no more."""
        self.ready = False
        self.notice = ""
        """A sentence when the journal is another than was asked for, or not as safe as it could be."""
        self._fault: BaseException | None = None
        """Why it could not be opened."""
        self._searches = Shares(
            SEARCHES, EACH, SEARCHERS, "Too many searches go on at once. Try again in a moment."
        )
        self._file: os.stat_result | None = None
        """The file that was opened, whatever stands under its name now."""
        # Where one connection does all, everybody waits for everybody.
        self._alone = asyncio.Lock()
        self._connect()

    def _connect(self) -> None:
        self._writer = self._engine(StaticPool if self.single else None, "BEGIN IMMEDIATE", 1)
        self._readers = self._writer if self.single else self._engine(None, "BEGIN", READERS)

    async def open(self) -> None:
        """Raises `Config` for a file that is not ours to use, and `FAULTS` when it cannot be used now."""
        try:
            await self._open()
        except FAULTS as error:
            self._fault = error
            if self.single and not self.memory:
                await self.aclose()
                if is_busy(error):
                    self._fault = HeldError()
                    raise self._fault from error
            raise
        self._fault = None

    async def _open(self) -> None:
        if not self.memory:
            kind = await asyncio.to_thread(foreign, self.path)
            single = self._journal == "delete" or (self._journal == "auto" and bool(kind))
            self.notice = ""
            if kind and self._journal == "wal":
                self.notice = f"The database is on a disk of the type {kind}, where WAL can damage it."
            await self._as_single(single)
            await asyncio.to_thread(look, self.path)
            await asyncio.to_thread(_make, self.path)
            if not single and not await self._in_wal_mode():
                self.notice = (
                    "The disk of the database takes no write-ahead log, so one process alone may use it."
                )
                log.warning(self.notice)
                await self._as_single(True)
        try:
            async with self.writing() as connection:
                await connection.run_sync(migrate, self.path)
        except DBAPIError as error:
            if "fts5" in str(error.orig) or "tokenizer" in str(error.orig):
                raise Config(
                    f"This Python comes with SQLite {sqlite3.sqlite_version} without full-text search. "
                    "Runnel needs 3.34 or newer with FTS5: use another build of Python."
                ) from error
            raise
        self._file = None if self.memory else await asyncio.to_thread(os.stat, self.path)
        self.ready = True

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection, None]:
        """A connection that sees one state of the database. Raises `FAULTS`."""
        if not self.ready:
            if isinstance(self._fault, HeldError):
                raise self._fault
            error = sqlite3.OperationalError("not open")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        alone = self._alone if self.single else contextlib.nullcontext()
        async with alone, self._readers.connect() as connection:
            yield connection

    @asynccontextmanager
    async def searching(self, owner: str, network: str = "") -> AsyncGenerator[AsyncConnection, None]:
        """As `reading`, for slow queries. Some connections stay free for everything else; one owner uses one
        at most, and so do all anonymous visitors of one network together. Raises `RateLimited` too."""
        async with self._searches.of(owner, network), self.reading() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection, None]:
        """A connection whose transaction is committed at the end; with `FAULTS`, nothing of it is."""
        async with self._alone, self._writer.begin() as connection:
            yield connection

    async def size(self) -> int:
        """Bytes of it that are in use. Raises `FAULTS`."""
        async with self.reading() as connection:
            return await self.used(connection)

    async def used(self, connection: AsyncConnection) -> int:
        names = ("page_count", "freelist_count", "page_size")
        pages, free, each = [await _number(connection, name) for name in names]
        return (pages - free) * each

    async def merge(self, connection: AsyncConnection, *, first: bool) -> bool:
        """Rewrites a piece of the index of words: what was deleted from it takes its room until then.
        `first`: begins with all of it. Whether there is more to do."""
        before = await connection.scalar(_CHANGES)
        pages = -MERGED_PAGES if first else MERGED_PAGES
        await connection.exec_driver_sql(f"INSERT INTO search (search, rank) VALUES ('merge', {pages})")
        return (await connection.scalar(_CHANGES) or 0) - (before or 0) >= 2

    async def shrink(self, connection: AsyncConnection) -> bool:
        """Gives a piece of what was purged back to the disk, where the file was made for that; in older ones
        it is written over by what comes. Whether there is more to give."""
        if await _number(connection, "auto_vacuum") != INCREMENTAL:
            return False
        free = await _number(connection, "freelist_count")
        if free <= SPARE_PAGES:
            return False
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        # By hand: it answers once a page, without a column, and SQLAlchemy asks only once.
        await raw.execute_fetchall(f"PRAGMA incremental_vacuum({SHRUNK_PAGES})")
        return await _number(connection, "freelist_count") < free

    async def is_gone(self) -> bool:
        """Whether somebody took the file away, or put another one in its place. Then that one is opened, or
        a new one made.

        SQLite would go on writing into a file that has no name any more.
        """
        if not self.ready or self._file is None or await asyncio.to_thread(self._is_there, self._file):
            return False
        self.ready = False
        if not self.single:
            with contextlib.suppress(*FAULTS):
                await self._checkpoint()
        await self.aclose()
        return True

    async def _checkpoint(self) -> None:
        """Moves the write-ahead log into the file, wherever that is now. SQLite (3.40) closes a file that was
        moved without doing so: the log would stay under its old name, and be read as that of whatever stands
        there now."""
        async with self._alone, self._writer.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            await raw.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    def _is_there(self, file: os.stat_result) -> bool:
        try:
            there = os.stat(self.path)
            # A mounted bucket may give a file another number each time.
            return self.single or os.path.samestat(there, file)
        except OSError:
            return False

    async def aclose(self) -> None:
        await self._writer.dispose()
        await self._readers.dispose()

    async def _as_single(self, single: bool) -> None:
        if single != self.single:
            await self.aclose()
            self.single = single
            self._connect()

    async def _in_wal_mode(self) -> bool:
        """Whether it is now. When the disk does not take it, SQLite says no more than which mode it has."""
        async with self._alone, self._writer.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            try:
                # Not within a transaction.
                [(mode,)] = await raw.execute_fetchall("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if is_busy(error):
                    raise
                return False
        return mode == "wal"

    def _engine(self, pool: Any, begin: str, size: int) -> AsyncEngine:
        sized = {"poolclass": pool} if pool else {"pool_size": size, "max_overflow": 0, "pool_timeout": QUEUE}
        engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(self.path)),
            hide_parameters=True,  # an error's text holds nobody's words
            **sized,
        )
        event.listen(engine.sync_engine, "connect", self._connected)
        # sqlite3 would begin by itself, late and without the lock; it is told not to by `_connected`.
        event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def _connected(self, connection: DBAPIConnection, _: object) -> None:
        pragmas = [
            f"busy_timeout = {BUSY}",
            "synchronous = NORMAL",
            "secure_delete = ON",  # what is purged is gone from the file
            "journal_size_limit = 16777216",
        ]
        if not self.memory:
            # Of a file that is made now. In any other, changing it would rewrite all of it at once.
            if not self.ready and self.path.exists() and not self.path.stat().st_size:
                pragmas.insert(0, "auto_vacuum = INCREMENTAL")
            if self.single:
                # First: then the memory that a write-ahead log shares is never touched on such a disk.
                pragmas[:0] = "locking_mode = EXCLUSIVE", "mmap_size = 0"
                pragmas += "journal_mode = DELETE", "synchronous = FULL"  # NORMAL may cost the file there
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:
            connection.close()  # SQLAlchemy (2) leaves it open
            raise


async def _number(connection: AsyncConnection, pragma: str) -> int:
    return (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one()


def _make(path: Path) -> None:
    """The folder and the file, for nobody's eyes but ours."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
