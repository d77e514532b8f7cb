"""Who is alive: each process that has the database open holds a lease, and its runs carry the lease's id.

A lease is a row with a heartbeat, which the writer renews while a run goes on, and a lock on a file
beside the database, which the system lets go of when the process ends, however it ends. On the same
machine the lock decides, at once; process numbers decide nothing, containers use them again. From
another machine, or without locks, a lease is dead when its heart has not beaten for `PATIENCE`.
"""

import contextlib
import glob
import os
import platform
import secrets
import time
from collections.abc import Collection
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
            # Somebody who tidies up may have come between: then it is not this file that is locked.
            if _lock(file) and path.exists() and os.path.samestat(os.fstat(file), path.stat()):
                self._lock = file
            else:
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
        return [row.lease for row in await connection.execute(statement) if not self._alive(row)]

    async def bury(self, connection: AsyncConnection, dead: Collection[str]) -> None:
        """Takes away what is left of `dead` leases."""
        await connection.execute(delete(leases).where(leases.c.id.in_(dead)))
        if self._database is not None:
            for id in dead:
                with contextlib.suppress(OSError):
                    self._file(id).unlink()

    async def tidy(self, connection: AsyncConnection) -> None:
        """Takes away the leases of the dead, and files that belong to no lease. Their runs are over."""
        columns = leases.c.id.label("lease"), leases.c.machine, leases.c.locked, leases.c.heartbeat
        rows = (await connection.execute(select(*columns).where(leases.c.id != self.id))).all()
        await self.bury(connection, [row.lease for row in rows if not self._alive(row)])
        if self._database is None:
            return
        known = {self._file(row.lease) for row in rows}
        for path in self._database.parent.glob(f"{glob.escape(self._database.name)}-*.lease"):
            with contextlib.suppress(OSError):
                if path not in known and path != self._file(self.id):
                    file = os.open(path, os.O_RDWR)
                    if _lock(file):
                        path.unlink()
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
