"""What a person does to chats that are kept: rename, delete, restore, rate, show another version.

Statements only, for a connection that writes; the store knows when, and what memory has to learn of it.
A change to a title or to whether a chat exists moves the revision of the chats that are linked with it,
so that they are read again with a link that is right.
"""

import time
from collections.abc import Awaitable, Callable

from sqlalchemy import ColumnElement, LargeBinary, cast, delete, func, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.store.recording import plain
from chat.store.records import BYTES_OF_CHAT, INDEXED_TIMES
from chat.store.tables import conversations, currents, messages, runs
from chat.store.writing import index_title, revision
from chat.titles import clean, made

Change = Callable[..., Awaitable[bool]]

_table = conversations


async def rename(connection: AsyncConnection, owner: str, id: str, name: str) -> tuple[str, bool] | None:
    """The title now, and whether a person chose it. Without a name it is made of the first question."""
    name = clean(name)
    if not await _owned(connection, owner, id, _table.c.deleted.is_(None)):
        return None
    named = bool(name)
    if not named:
        first = (
            select(messages.c.text)
            .where(messages.c.conversation == id, messages.c.role == "user")
            .order_by(messages.c.number)
            .limit(1)
        )
        name = made(await connection.scalar(first) or "")
    size = INDEXED_TIMES * (len(name.encode()) - func.length(cast(_table.c.title, LargeBinary)))
    values = {
        "title": name,
        "named": int(named),
        # Earlier versions did not count the first title of a chat.
        "bytes": func.max(_table.c.bytes + size, BYTES_OF_CHAT),
    }
    await connection.execute(update(_table).where(_table.c.id == id).values(**values))
    await index_title(connection, [id])
    await moved(connection, id)
    return name, named


async def delete_(connection: AsyncConnection, owner: str, id: str) -> bool:
    if not await _owned(connection, owner, id, _table.c.deleted.is_(None)):
        return False
    await connection.execute(update(_table).where(_table.c.id == id).values(deleted=time.time()))
    await moved(connection, id)
    return True


async def restore(connection: AsyncConnection, owner: str, id: str) -> bool:
    if not await _owned(connection, owner, id, _table.c.deleted.is_not(None)):
        return False
    await connection.execute(update(_table).where(_table.c.id == id).values(deleted=null()))
    await moved(connection, id)
    return True


async def rate(connection: AsyncConnection, owner: str, run: str, thumb: int) -> bool:
    done = await connection.execute(
        update(runs).where(runs.c.id == plain(run), runs.c.owner == owner).values(thumb=thumb)
    )
    return done.rowcount > 0


async def show(connection: AsyncConnection, id: str, answer: str) -> bool:
    """Makes `answer` and the latest that followed it the conversation's way."""
    below = select(messages.c.id).where(messages.c.id == answer).cte("below", recursive=True)
    below = below.union_all(select(messages.c.id).join(below, messages.c.parent == below.c.id))
    statement = (
        select(messages.c.id)
        .join(below, below.c.id == messages.c.id)
        .where(
            messages.c.role == "assistant",
            # Not what another chat, which shares the answer, went on with.
            or_(messages.c.conversation == id, messages.c.id == answer),
        )
        .order_by((messages.c.id == answer), messages.c.number.desc())
        .limit(1)
    )
    if (leaf := await connection.scalar(statement)) is None:
        return False
    last = await revision(connection)
    await connection.execute(update(_table).where(_table.c.id == id).values(leaf=leaf, revision=last + 1))
    return True


async def adopt(connection: AsyncConnection, stranger: str, owner: str) -> None:
    theirs = select(runs.c.key).where(runs.c.owner == owner, runs.c.key.is_not(None))
    same = runs.c.owner == stranger
    await connection.execute(update(runs).where(same, runs.c.key.in_(theirs)).values(key=null()))
    await connection.execute(update(runs).where(same).values(owner=owner))
    values = {"owner": owner, "revision": await revision(connection) + 1}
    await connection.execute(update(_table).where(_table.c.owner == stranger).values(**values))
    await connection.execute(delete(currents).where(currents.c.owner == stranger))


async def ask_to_stop(connection: AsyncConnection, owner: str, run: str) -> bool:
    done = await connection.execute(
        update(runs)
        .where(runs.c.id == plain(run), runs.c.owner == owner, runs.c.state == "running")
        .values(stop_asked=1)
    )
    return done.rowcount > 0


async def moved(connection: AsyncConnection, id: str) -> None:
    """Gives the next revision to `id`, the chat it comes from and those that come from it."""
    origin = select(_table.c.origin).where(_table.c.id == id).scalar_subquery()
    linked = or_(_table.c.id == id, _table.c.origin == id, _table.c.id == origin)
    last = await revision(connection)
    await connection.execute(update(_table).where(linked).values(revision=last + 1))


async def _owned(connection: AsyncConnection, owner: str, id: str, *which: ColumnElement[bool]) -> bool:
    statement = select(_table.c.id).where(_table.c.id == plain(id), _table.c.owner == owner, *which)
    return await connection.scalar(statement) is not None
