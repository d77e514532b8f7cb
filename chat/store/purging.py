"""Chats that were deleted, taken away for good, with all that was said in them.

What a branch shares with one stays: it becomes the branch's own. Called by the writer's task when a
database is opened, and when the time to undo is over.
"""

import time

from sqlalchemy import delete, exists, func, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.store.tables import conversations, currents, events, messages, runs

UNDO = 600.0
"""Seconds in which a deleted chat can be restored."""

AT_ONCE = 20
"""Chats that one transaction purges: nothing else is saved meanwhile."""


async def purge(connection: AsyncConnection, before: float | None = None) -> tuple[list[str], int]:
    """Purges what was deleted `before` (seconds since the epoch, else `UNDO` ago), `AT_ONCE` at most.

    The ids of what is gone, and how many are still there: deleted, and waiting for their time or turn.
    """
    before = time.time() - UNDO if before is None else before
    deleted = conversations.c.deleted
    answering = exists().where(runs.c.conversation == conversations.c.id, runs.c.state == "running")
    due = select(conversations.c.id).where(deleted <= before, ~answering).limit(AT_ONCE)
    gone = list(await connection.scalars(due))
    for id in gone:
        await _purge(connection, id)
    left = await connection.scalar(select(func.count()).where(deleted.is_not(None)))
    return gone, left or 0


async def _purge(connection: AsyncConnection, id: str) -> None:
    await _give_away(connection, id)
    theirs = select(runs.c.id).where(runs.c.conversation == id)
    await connection.execute(delete(events).where(events.c.run.in_(theirs)))
    await connection.execute(delete(runs).where(runs.c.conversation == id))
    await connection.execute(delete(messages).where(messages.c.conversation == id))
    await connection.execute(delete(currents).where(currents.c.conversation == id))
    await connection.execute(delete(conversations).where(conversations.c.id == id))


async def _give_away(connection: AsyncConnection, id: str) -> None:
    """Messages that branches share are given to the oldest branch."""
    child, other = messages.alias(), conversations.alias()
    mine = messages.c.conversation == id
    # From its own messages on: looking through all other chats took 0.1 s with 10,000 of them.
    going_on = select(child.c.conversation).join(messages, child.c.parent == messages.c.id).where(mine)
    ending = select(other.c.id).join(messages, other.c.leaf == messages.c.id).where(mine)
    heirs = select(other.c.id).where(other.c.id != id, other.c.id.in_(union(going_on, ending)))
    if (heir := await connection.scalar(heirs.order_by(other.c.number).limit(1))) is None:
        return
    joint = select(messages.c.id, messages.c.parent).where(
        mine,
        or_(
            exists().where(child.c.parent == messages.c.id, child.c.conversation != id),
            exists().where(other.c.leaf == messages.c.id, other.c.id != id),
        ),
    )
    kept = joint.cte("kept", recursive=True)
    above = select(messages.c.id, messages.c.parent).join(kept, messages.c.id == kept.c.parent).where(mine)
    kept = kept.union(above)
    ids = list(await connection.scalars(select(kept.c.id)))
    for table in (messages, runs):
        for start in range(0, len(ids), 500):
            some = table.c.id.in_(ids[start : start + 500])
            await connection.execute(update(table).where(some).values(conversation=heir))
