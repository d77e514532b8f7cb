"""The list of an owner's chats: what the disk has, and in front of it what only memory knows yet."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.conversations import Conversation
from chat.errors import Unsaved
from chat.store import search
from chat.store.database import FAULTS, cause
from chat.store.tables import conversations, runs

Reading = Callable[[], AbstractAsyncContextManager[AsyncConnection]]


@dataclass(frozen=True, slots=True)
class Chat:
    """A line of the list of conversations."""

    id: str
    title: str
    updated: float
    """Seconds since the epoch."""
    running: bool
    found: str = ""
    """Of a search: the words around what was found in the texts. Plain text."""


async def chats(
    reading: Reading | None, owner: str, text: str, ahead: Sequence[Conversation], skip: int, limit: int
) -> list[Chat]:
    """A page of the list, latest first. `ahead`: the owner's that the disk does not have as they are.

    Raises `Unsaved` when the disk cannot be read: what is missing then would seem not to be there.
    """
    words = search.words(text)
    if text.strip() and not words:
        return []
    skip, limit = max(0, skip), max(0, limit)
    newer = [chat for each in ahead if (chat := _in_memory(each, words)) is not None]
    older: list[Chat] = []
    if reading is not None:
        # What is newer moves the pages of the disk on, so that they are read from their beginning.
        first, count = (0, skip + limit) if ahead else (skip, limit)
        try:
            async with reading() as connection:
                page = _page(owner, [each.id for each in ahead]).offset(first).limit(count)
                if words:
                    page = page.where(conversations.c.id.in_(search.matching(owner, words)))
                rows = (await connection.execute(page)).all()
                found = await search.found(connection, [row.id for row in rows], words) if words else {}
        except FAULTS as error:
            raise Unsaved(f"The chats cannot be read: {cause(error)}. Try again in a moment.") from error
        older = [
            Chat(row.id, row.title, row.updated, row.state == "running", found.get(row.id, ""))
            for row in rows
        ]
    if not ahead:
        return older if reading is not None else []
    both = sorted([*newer, *older], key=lambda chat: -chat.updated)
    return both[skip : skip + limit]


def _page(owner: str, without: Sequence[str]) -> Select:
    table = conversations
    statement = (
        select(table.c.id, table.c.title, table.c.updated, runs.c.state)
        .outerjoin(runs, runs.c.id == table.c.leaf)
        .where(table.c.owner == owner, table.c.deleted.is_(None), table.c.leaf.is_not(None))
        .order_by(table.c.updated.desc())
    )
    return statement.where(table.c.id.not_in(without)) if without else statement


def _in_memory(conversation: Conversation, words: Sequence[str]) -> Chat | None:
    if (last := conversation.last) is None:
        return None
    found = ""
    if words:
        texts = [text for each in conversation.exchanges for text in (each.question, each.transcript.text)]
        lower = "\n".join([conversation.title, *texts]).lower()
        if not all(word.lower() in lower for word in words):
            return None
        found = next((hit for text in texts if (hit := search.around(text, words))), "")
    return Chat(conversation.id, conversation.title, last.at, last.transcript.ended is None, found)
