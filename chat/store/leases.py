"""Who is alive: each process that has the database open holds a lease, and its runs carry the lease's id.

A lease is a row with a heartbeat, which the writer renews while a run goes on, and a lock on a file
beside the database, which the system lets go of when the process ends, however it ends. On the same
machine the lock decides, at once; process numbers decide nothing, containers use them again. From
another machine, or without locks, a lease is dead when its heart has not beaten for `PATIENCE`.
"""

import asyncio
import contextlib
import glob
import os
import platform
import secrets
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.store.tables import leases, runs

BEAT = 1.0
"""Seconds between heartbeats."""

PATIENCE = 15.0
"""Seconds without a heartbeat after which a lease that no lock speaks for is dead."""


def _machine() -> str:
    # One kernel, one set of locks: containers of one machine share both, and this name.
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return platform.node()


class Lease:
    """Of this process, or rather of one open store."""

    def __init__(self, database: Path | None) -> None:
        """`database`: None for one that nobody else can see."""
        self.id = secrets.token_hex(8)
        self._database = database
        self._machine = _machine()
        self._lock: int | None = None
        self.beaten = 0.0
        """When it was last renewed, on the clock of `time.monotonic`."""

    def take(self) -> None:
        """Locks its file, where there can be one. A heartbeat is all that is left otherwise."""
        if self._database is None or self._lock is not None:
            return
        path = self._file(self.id)
        with contextlib.suppress(OSError):
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                # Somebody who tidies up may have come between: then it is not this file that is locked.
                if _lock(file) and os.path.samestat(os.fstat(file), path.stat()):
                    self._lock = file
            finally:
                if self._lock is None:
                    os.close(file)

    async def beat(self, connection: AsyncConnection) -> None:
        row = {"machine": self._machine, "locked": int(self._lock is not None), "heartbeat": time.time()}
        statement = insert(leases).values(id=self.id, **row)
        # An update alone would not do: somebody may have taken us for dead.
        await connection.execute(statement.on_conflict_do_update(index_elements=[leases.c.id], set_=row))
        self.beaten = time.monotonic()

    async def end(self, connection: AsyncConnection) -> None:
        await connection.execute(delete(leases).where(leases.c.id == self.id))

    def release(self, *, ended: bool) -> None:
        """`ended`: its row is gone. Otherwise the file stays, for others to see at once that it is dead."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            if ended:
                with contextlib.suppress(OSError):
                    self._file(self.id).unlink()

    async def dead(self, connection: AsyncConnection, among: Collection[str] | None = None) -> list[str]:
        """The leases whose holders are gone and whose runs go on in name only; `among`: of these."""
        statement = (
            select(runs.c.lease, leases.c.machine, leases.c.locked, leases.c.heartbeat)
            .outerjoin(leases, leases.c.id == runs.c.lease)
            .where(runs.c.state == "running", runs.c.lease != self.id)
            .distinct()
        )
        if among is not None:
            statement = statement.where(runs.c.lease.in_(among))
        return await self._dead_of((await connection.execute(statement)).all())

    async def bury(self, connection: AsyncConnection, dead: Collection[str]) -> None:
        """Takes away what is left of `dead` leases."""
        await connection.execute(delete(leases).where(leases.c.id.in_(dead)))
        if self._database is not None and dead:
            await asyncio.to_thread(self._unlink, dead)

    async def tidy(self, connection: AsyncConnection) -> None:
        """Takes away the leases of the dead, and files that belong to no lease. Their runs are over."""
        columns = leases.c.id.label("lease"), leases.c.machine, leases.c.locked, leases.c.heartbeat
        rows = (await connection.execute(select(*columns).where(leases.c.id != self.id))).all()
        await self.bury(connection, await self._dead_of(rows))
        if self._database is not None:
            await asyncio.to_thread(self._sweep, self._database, {row.lease for row in rows})

    # -- in a thread: a disk may hang, and streams go on -----------------------------------------

    async def _dead_of(self, rows: Sequence[Any]) -> list[str]:
        if not rows:
            return []
        alive = await asyncio.to_thread(lambda: [self._alive(row) for row in rows])
        return [row.lease for row, lives in zip(rows, alive, strict=True) if not lives]

    def _unlink(self, ids: Collection[str]) -> None:
        for id in ids:
            with contextlib.suppress(OSError):
                self._file(id).unlink()

    def _sweep(self, database: Path, known: Collection[str]) -> None:
        """Takes away files that belong to nobody."""
        ours = {self._file(id) for id in (self.id, *known)}
        for path in database.parent.glob(f"{glob.escape(database.name)}-*.lease"):
            with contextlib.suppress(OSError):
                if path not in ours:
                    file = os.open(path, os.O_RDWR)
                    try:
                        if _lock(file):
                            path.unlink()
                    finally:
                        os.close(file)

    def _alive(self, row: Any) -> bool:
        if row.machine is None:
            return False
        if self._database is not None and row.locked and row.machine == self._machine:
            try:
                file = os.open(self._file(row.lease), os.O_RDWR)
            except FileNotFoundError:  # a copy of a database whose process is elsewhere, or nowhere
                return False
            except OSError:
                pass
            else:
                try:
                    return not _lock(file)
                finally:
                    os.close(file)
        return abs(time.time() - row.heartbeat) < PATIENCE

    def _file(self, id: str) -> Path:
        assert self._database is not None
        return self._database.with_name(f"{self._database.name}-{id}.lease")


if os.name == "nt":
    import msvcrt

    def _lock(file: int) -> bool:
        """Whether the lock on the open `file` is ours now, until it is closed."""
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: int) -> bool:
        """Whether the lock on the open `file` is ours now, until it is closed."""
        try:
            # flock and not lockf, whose locks a process loses when it closes the file anywhere.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
