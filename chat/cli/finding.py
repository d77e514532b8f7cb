"""The chat that a person means: by the beginning of its id, or the one that was used last."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from chat.owners import LOCAL

if TYPE_CHECKING:
    from chat.store import Chat, Store

_PAGE = 500
_NAMED = 3
"""Candidates that are named when a beginning fits several."""


class NoChat(Exception):
    """A sentence for a person: no chat, or more than one, is what was meant."""


async def listed(
    store: "Store", search: str = "", *, page: int = _PAGE, when_cut: Callable[[], None] = lambda: None
) -> AsyncGenerator["Chat", None]:
    """The local owner's chats, the latest first, read page by page. `when_cut` is called for a search that
    took too long, and so did not look at the oldest.

    Raises `Unsaved` when the database cannot be read.
    """
    seen: set[str] = set()  # one that is used meanwhile moves to the front, and the rest one further
    while True:
        found = await store.chats(LOCAL, search, skip=len(seen), limit=page)
        fresh = [chat for chat in found if chat.id not in seen]
        for chat in fresh:
            yield chat
        seen.update(chat.id for chat in fresh)
        if found.cut:
            when_cut()
        if len(found) < page or not fresh or found.cut:
            return


async def last(store: "Store") -> str:
    """The id of the chat on top of the list. Raises `NoChat`."""
    async with aclosing(listed(store, page=1)) as chats:
        async for chat in chats:
            return chat.id
    raise NoChat("There is no chat yet to go on in. Without --continue, a new one begins.")


async def by_beginning(store: "Store", beginning: str) -> str:
    """The id that is, or alone begins with, `beginning`. Raises `NoChat`."""
    if beginning and await store.peek(LOCAL, beginning) is not None:
        return beginning
    async with aclosing(listed(store)) as chats:
        fitting = [chat.id async for chat in chats if beginning and chat.id.startswith(beginning)]
    if not fitting:
        raise missing(beginning)
    if len(fitting) > 1:
        named = ", ".join(fitting[:_NAMED]) + (", …" if len(fitting) > _NAMED else "")
        raise NoChat(f"“{beginning}” is the beginning of more than one chat: {named}. Write more of it.")
    return fitting[0]


def missing(id: str) -> NoChat:
    return NoChat(f"There is no chat “{id}”. To see which there are: python -m chat chats")
