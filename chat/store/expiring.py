"""Chats of strangers that nobody has used for long: given to `purging` as if they had been deleted.

Strangers are who has no name here: not the operator, and nobody who logged in. Called by `disk`, which knows
what is in use.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.owners import LOCAL, PERSON
from chat.store.changes import moved
from chat.store.purging import answering
from chat.store.tables import conversations

FIRST_S, EVERY_S = 5.0, 600.0
"""Seconds from the start to the first look, and from one to the next."""

AT_ONCE = 20
"""Chats of one step: nothing else is saved meanwhile."""

LONG_AGO = 1.0
"""When an expired chat was deleted, for `purging`: there is no undo."""

_table = conversations.c
# Word for word as in the index `conversations_expiring`: else all chats there are would be looked through.
_strangers = text(f"owner != '{LOCAL}' AND substr(owner, 1, {len(PERSON)}) != '{PERSON}'")


async def due(
    connection: AsyncConnection, before: float, among: Collection[str] | None = None
) -> Sequence[str]:
    """Ids of chats that were not used since `before`, the oldest first. For any connection."""
    statement = select(_table.id).where(
        _strangers, _table.updated < before, _table.opened < before, _table.deleted.is_(None), ~answering()
    )
    if among is not None:
        statement = statement.where(_table.id.in_(among))
    return (await connection.scalars(statement.order_by(_table.updated).limit(AT_ONCE))).all()


async def expire(connection: AsyncConnection, before: float, among: Collection[str]) -> Sequence[str]:
    """Deletes those of them that are still due."""
    gone = await due(connection, before, among)
    for id in gone:
        await connection.execute(update(conversations).where(_table.id == id).values(deleted=LONG_AGO))
        await moved(connection, id)
    return gone


async def opened(connection: AsyncConnection, id: str, at: float) -> None:
    """Somebody looks at the chat."""
    await connection.execute(
        update(conversations).where(_table.id == id, _table.opened < at).values(opened=at)
    )
