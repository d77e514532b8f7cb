"""Chats that were deleted, taken away for good, with all that was said in them.

What a branch shares with one stays: it becomes the branch's own. Called by the writer's task when a
database is opened, and when the time to undo is over.
"""

import time
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.store.tables import conversations, currents, events, messages, runs

UNDO = 600.0
"""Seconds in which a deleted chat can be restored."""

AT_ONCE = 20
"""Chats that one transaction purges at most: nothing else is saved meanwhile."""

AT_ONCE_BYTES = 1_000_000
"""Of a chat that is deleted as one."""

STEP_S = 0.05
"""Seconds after which it leaves the rest to the next transaction, in the middle of a chat if need be."""

NOBODY = " "
"""The owner of a chat of which something is gone already: a name that no browser and no person has."""


@dataclass(frozen=True, slots=True)
class Purged:
    gone: list[str]
    """Ids of chats of which nothing is left."""
    freed: int
    """Their bytes, about."""
    more: bool
    """Whether there is more to do at once."""
    later: bool
    """Whether some wait for their time."""


async def purge(connection: AsyncConnection, before: float | None = None) -> Purged:
    """Purges what was deleted `before` (seconds since the epoch, else `UNDO` ago), for about `STEP_S`."""
    before = time.time() - UNDO if before is None else before
    until = time.monotonic() + STEP_S
    deleted = conversations.c.deleted
    due = select(conversations.c.id).where(deleted <= before, ~answering()).limit(AT_ONCE + 1)
    found = list(await connection.scalars(due))
    gone, freed = list[str](), 0
    for id in found[:AT_ONCE]:
        size = await _bytes(connection, id)
        whole = await _purge(connection, id, size, until)
        freed += size if whole else size - await _bytes(connection, id)
        if not whole:
            break
        gone.append(id)
        if time.monotonic() > until:
            break
    left = await connection.scalar(select(func.count()).where(deleted.is_not(None))) or 0
    return Purged(gone, freed, len(gone) < len(found), bool(left))


def answering() -> ColumnElement[bool]:
    """Whether an answer is being written in the conversation of the row."""
    return exists().where(runs.c.conversation == conversations.c.id, runs.c.state == "running")


async def _bytes(connection: AsyncConnection, id: str) -> int:
    return await connection.scalar(select(conversations.c.bytes).where(conversations.c.id == id)) or 0


async def _purge(connection: AsyncConnection, id: str, size: int, until: float) -> bool:
    """Whether all of it is gone; at `until` it leaves the rest there."""
    await _give_away(connection, id)
    if size > AT_ONCE_BYTES:
        here = update(conversations).where(conversations.c.id == id, conversations.c.owner != NOBODY)
        await connection.execute(here.values(owner=NOBODY))
    theirs = select(runs.c.id).where(runs.c.conversation == id)
    # One answer after the other, each of which is bounded, where the whole would take long.
    for run in (await connection.scalars(theirs)).all() if size > AT_ONCE_BYTES else ():
        await connection.execute(delete(events).where(events.c.run == run))
        await connection.execute(delete(messages).where(messages.c.id == run))
        await connection.execute(delete(runs).where(runs.c.id == run))
        if time.monotonic() > until:
            return False
    said = select(messages.c.id).where(messages.c.conversation == id)
    for message in (await connection.scalars(said)).all() if size > AT_ONCE_BYTES else ():
        await connection.execute(delete(messages).where(messages.c.id == message))
        if time.monotonic() > until:
            return False
    await connection.execute(delete(events).where(events.c.run.in_(theirs)))
    await connection.execute(delete(runs).where(runs.c.conversation == id))
    await connection.execute(delete(messages).where(messages.c.conversation == id))
    await connection.execute(delete(currents).where(currents.c.conversation == id))
    await connection.execute(delete(conversations).where(conversations.c.id == id))
    return True


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
