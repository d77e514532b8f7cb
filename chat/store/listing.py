"""The list of an owner's chats: what the disk has, and in front of it what only memory knows yet."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.conversations import Conversation
from chat.errors import Unsaved
from chat.store import search
from chat.store.database import FAULTS, cause
from chat.store.tables import conversations, runs

THREADED = 200_000
"""Characters in memory that are looked through in a thread: it takes some ten milliseconds."""

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


class Listed(list[Chat]):
    """A page of the list. `cut`: a search did not look at all there is."""

    def __init__(self, chats: Iterable[Chat] = (), *, cut: bool = False) -> None:
        super().__init__(chats)
        self.cut = cut


async def chats(
    reading: Reading | None, owner: str, text: str, ahead: Sequence[Conversation], skip: int, limit: int
) -> Listed:
    """A page of the list, latest first. `ahead`: the owner's that the disk does not have as they are.

    Raises `Unsaved` when the disk cannot be read: what is missing then would seem not to be there.
    """
    words = search.words(text)
    if text.strip() and not words:
        return Listed()
    skip, limit = max(0, skip), max(0, limit)
    newer = await _newer(ahead, words)
    older, cut = list[Chat](), False
    if reading is not None:
        # What is newer moves the pages of the disk on, so that they are read from their beginning.
        first, count = (0, skip + limit) if ahead else (skip, limit)
        try:
            async with reading() as connection:
                page = _page(owner, [each.id for each in ahead])
                if words:
                    hits = await search.find(connection, page, words, first, count, search.TIME_S)
                    rows, found, cut = hits.rows, hits.around, hits.cut
                else:
                    rows, found = (await connection.execute(page.offset(first).limit(count))).all(), {}
        except FAULTS as error:
            raise Unsaved(f"The chats cannot be read: {cause(error)}. Try again in a moment.") from error
        older = [
            Chat(row.id, row.title, row.updated, row.state == "running", found.get(row.id, ""))
            for row in rows
        ]
    if not ahead:
        return Listed(older, cut=cut)
    both = sorted([*newer, *older], key=lambda chat: -chat.updated)
    return Listed(both[skip : skip + limit], cut=cut)


def _page(owner: str, without: Sequence[str]) -> Select:
    table = conversations
    statement = (
        select(table.c.id, table.c.title, table.c.updated, runs.c.state)
        .outerjoin(runs, runs.c.id == table.c.leaf)
        .where(table.c.owner == owner, table.c.deleted.is_(None), table.c.leaf.is_not(None))
        .order_by(table.c.updated.desc())
    )
    return statement.where(table.c.id.not_in(without)) if without else statement


async def _newer(ahead: Sequence[Conversation], words: Sequence[str]) -> list[Chat]:
    """Of what memory alone knows, what has all `words`."""
    known = [(each, last, _texts(each) if words else []) for each in ahead if (last := each.last) is not None]

    def matching() -> list[Chat]:
        return [
            Chat(each.id, each.title, last.at, last.transcript.ended is None, found)
            for each, last, texts in known
            if (found := _found(each.title, texts, words)) is not None
        ]

    much = sum(len(text) for _, _, texts in known for text in texts) > THREADED
    return await asyncio.to_thread(matching) if much else matching()


def _texts(conversation: Conversation) -> list[str]:
    return [text for each in conversation.exchanges for text in (each.question, each.transcript.text)]


def _found(title: str, texts: Sequence[str], words: Sequence[str]) -> str | None:
    """What is around the first hit in `texts`; None where not all `words` are in them and `title`."""
    if not words:
        return ""
    lower = "\n".join([title, *texts]).lower()
    if not all(word.lower() in lower for word in words):
        return None
    return next((hit for text in texts if (hit := search.around(text, words))), "")
