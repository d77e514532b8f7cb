"""The chat that a person means: by the beginning of its id, or the one that was used last."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from chat.conversations import Conversation
from chat.owners import LOCAL
from chat.store import Chat, Store

_PAGE = 500
_NAMED = 3
"""Candidates that are named when a beginning fits several."""


class NoChat(Exception):
    """A sentence for a person: no chat, or more than one, is what was meant."""


async def listed(store: Store, search: str = "") -> AsyncGenerator[Chat, None]:
    """The local owner's chats, the latest first, read page by page."""
    seen: set[str] = set()  # one that is used meanwhile moves to the front, and the rest one further
    while True:
        page = await store.chats(LOCAL, search, skip=len(seen), limit=_PAGE)
        fresh = [chat for chat in page if chat.id not in seen]
        for chat in fresh:
            yield chat
        seen.update(chat.id for chat in fresh)
        if len(page) < _PAGE or not fresh:
            return


async def last(store: Store) -> Conversation:
    """The chat on top of the list. Raises `NoChat`."""
    for chat in await store.chats(LOCAL, limit=1):
        if (found := await _opened(store, chat.id)) is not None:
            return found
    raise NoChat("There is no chat yet to go on in. Without --continue, a new one begins.")


async def by_id(store: Store, beginning: str) -> Conversation:
    """The chat whose id is, or alone begins with, `beginning`. Raises `NoChat`."""
    if beginning and (found := await _opened(store, beginning)) is not None:
        return found
    async with aclosing(listed(store)) as chats:
        fitting = [chat async for chat in chats if beginning and chat.id.startswith(beginning)]
    if len(fitting) > 1:
        named = ", ".join(chat.id for chat in fitting[:_NAMED])
        more = ", …" if len(fitting) > _NAMED else ""
        raise NoChat(
            f"«{beginning}» is the beginning of more than one chat: {named}{more}. Write more of it."
        )
    if fitting and (found := await _opened(store, fitting[0].id)) is not None:
        return found
    raise NoChat(f"There is no chat «{beginning}». To see which there are: python -m chat chats")


async def _opened(store: Store, id: str) -> Conversation | None:
    """With its last answer in full: how it ended, and with what it was asked."""
    if (found := await store.open(LOCAL, id)) is not None:
        await store.earlier(found, 1)
    return found
