"""Finding chats by words in their titles and texts.

SQLite's full-text index of trigrams finds parts of words in every script; it needs three characters,
so that shorter words are looked for one text after the other. A word is always a word: nothing that
a person types is part of the query's language. Called by `listing`.
"""

import re
import unicodedata
from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    String,
    column,
    func,
    intersect,
    select,
    table,
    union,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.store.tables import conversations, messages

WORDS, LENGTH = 8, 100
"""How many words are looked for, and how many characters of each."""

INDEXED = 3
"""Characters of a word that the index can find."""

AROUND = 60
"""Characters shown on either side of what was found."""

_WORD = re.compile(r'"([^"]*)"(?!\S)|(\S+)')

_index = table("search", column("rowid"), column("text", String))


def words(typed: str) -> list[str]:
    """The words of a search, without what cannot be seen. What stands in quotation marks is one."""
    seen = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in typed[:2000])
    each = (phrase.strip() or word for phrase, word in _WORD.findall(seen))
    return list(dict.fromkeys(word[:LENGTH] for word in each if word))[:WORDS]


def matching(owner: str, words: Sequence[str]) -> Select:
    """Ids of the chats in which all `words` are, in whichever of their texts. At least the owner's."""
    each = [_indexed(word) if len(word) >= INDEXED else _scanned(owner, word) for word in words]
    return select(intersect(*(select(one.subquery()) for one in each)).subquery())


async def found(connection: AsyncConnection, chats: Sequence[str], words: Sequence[str]) -> dict[str, str]:
    """What is around the first hit in the texts of `chats`; nothing for one found by its title."""
    hits: dict[str, str] = {}
    long = [word for word in words if len(word) >= INDEXED]
    if long:
        hit = _index.c.text.op("MATCH")(" OR ".join(map(_quoted, long)))
        first = (
            select(func.min(messages.c.number))
            .join(_index, _index.c.rowid == messages.c.number)
            .where(hit, messages.c.conversation.in_(chats))
            .group_by(messages.c.conversation)
        )
        # Of the trigrams that are shown, each brings one character more.
        shown = func.snippet(_index.table_valued(), 0, "", "", "…", AROUND)
        statement = (
            select(messages.c.conversation, shown)
            .join(_index, _index.c.rowid == messages.c.number)
            .where(hit, messages.c.number.in_(first))
        )
        hits |= {chat: _line(text) for chat, text in await connection.execute(statement)}
    for word in words:
        left = [chat for chat in chats if chat not in hits]
        if len(word) < INDEXED and left:
            place = func.instr(func.lower(messages.c.text), func.lower(word)) - AROUND
            statement = (
                select(messages.c.conversation, func.substr(messages.c.text, func.max(1, place), 2 * AROUND))
                .where(messages.c.conversation.in_(left), _like(messages.c.text, word))
                .order_by(messages.c.number.desc())
            )
            hits |= {chat: _line(text) for chat, text in await connection.execute(statement)}
    return hits


def around(text: str, words: Sequence[str]) -> str:
    """What is around the first of `words` in `text`; "" when none is in it."""
    lower = text.lower()
    places = [place for word in words if (place := lower.find(word.lower())) >= 0]
    if not places:
        return ""
    start = max(0, min(places) - AROUND)
    end = min(places) + AROUND
    return f"{'…' if start else ''}{_line(text[start:end])}{'…' if end < len(text) else ''}"


def _indexed(word: str) -> CompoundSelect:
    hit = _index.c.text.op("MATCH")(_quoted(word))
    texts = select(messages.c.conversation).join(_index, _index.c.rowid == messages.c.number).where(hit)
    # This way round each hit is one look-up; the other way it would be a look at all chats.
    titles = select(conversations.c.id).join(_index, conversations.c.number == -_index.c.rowid).where(hit)
    return union(texts, titles)


def _scanned(owner: str, word: str) -> CompoundSelect:
    mine = conversations.c.owner == owner
    texts = (
        select(messages.c.conversation)
        .join(conversations, conversations.c.id == messages.c.conversation)
        .where(mine, _like(messages.c.text, word))
    )
    return union(texts, select(conversations.c.id).where(mine, _like(conversations.c.title, word)))


def _like(where: ColumnElement[str], word: str) -> ColumnElement[bool]:
    return where.contains(word, autoescape=True)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _line(text: str) -> str:
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in text).split())
