"""Whose database a file is, and the way to the newest schema. Called by `database` when it is opened.

A file that is not ours is only looked at: through a connection that cannot write, before anything that
could. What is ours is brought forward by the steps of `migrations`, in one transaction.
"""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, select

from chat.errors import Config
from chat.store.migrations import STEPS
from chat.store.tables import runnel

_HEAD = b"SQLite format 3\0"


def look(path: Path) -> int:
    """The version of the schema in `path`; 0 when nothing is there yet. Leaves the file as it is.

    Raises `Config` when it is somebody else's or newer than this program, and `OSError` or
    `sqlite3.OperationalError` when that cannot be told now.
    """
    if path.is_dir():
        raise Config(f"{path} is a folder. CHAT_DATABASE names a file in one, such as data/chat.db.")
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise Config(f"{path} is no ordinary file. CHAT_DATABASE names one, such as data/chat.db.")
    try:
        with path.open("rb") as file:
            head = file.read(len(_HEAD))
    except FileNotFoundError:
        return 0
    if not head:
        return 0
    if head != _HEAD:
        raise Config(
            f"{path} is not a database, so it was left alone. "
            "Name another file in CHAT_DATABASE, or move this one away."
        )
    # With nothing beside it the file is at rest and read as it stands, without locks. Else what is
    # beside it belongs to it (a log not yet folded in), and SQLite has to read both.
    busy = any(path.with_name(path.name + end).exists() for end in ("-wal", "-journal"))
    try:
        return _version(path, "mode=ro" if busy else "mode=ro&immutable=1")
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise Config(
            f"{path} is damaged, or is no database at all; it was left alone. "
            "Put a copy that is whole in its place, or name another file in CHAT_DATABASE."
        ) from error


def _version(path: Path, how: str) -> int:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=1)) as file:
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master")}
        version = 0
        if runnel.name in tables:
            ((version,),) = file.execute("SELECT coalesce(max(version), 0) FROM runnel").fetchall()
    return checked(path, tables, version)


def checked(path: Path, tables: Collection[str], version: object) -> int:
    """`version`, when a database with these tables and this version is one that we may use."""
    if (tables and runnel.name not in tables) or not isinstance(version, int):
        raise Config(
            f"{path} belongs to another program, so it was left alone. "
            "Name a file of its own for Runnel in CHAT_DATABASE."
        )
    if version > len(STEPS):
        raise Config(
            f"{path} was written by a newer Runnel (its version is {version}, this one knows {len(STEPS)}), "
            "so it was left alone. Update Runnel, or name another file in CHAT_DATABASE."
        )
    return version


def migrate(connection: Connection, path: Path) -> None:
    """Brings the database to the newest version, within the caller's transaction. Raises as `look`."""
    # Asked again, under the lock: another process may have been here since `look`.
    tables = set(connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars())
    version = connection.scalar(select(runnel.c.version)) or 0 if runnel.name in tables else 0
    if checked(path, tables, version) == len(STEPS):
        return
    for step in STEPS[version:]:
        for statement in step:
            connection.exec_driver_sql(statement)
    connection.execute(runnel.delete())
    connection.execute(runnel.insert().values(version=len(STEPS)))
