"""Finding chats by words in their titles and texts.

SQLite's full-text index of trigrams finds parts of words in every script; it needs three characters. It
knows everybody's texts, so it is asked for a word's latest hits only: a word that has more of them, or is
too short, is looked for in the owner's own chats, one after the other, the latest first, until enough are
found or the time is over. A word is always a word: nothing that a person types is part of the query's
language. Called by `listing`.
"""

import re
import sqlite3
import time
import unicodedata
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, column, exists, func, or_, select, table, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.store.tables import conversations, messages

WORDS, LENGTH = 8, 100
"""How many words are looked for, and how many characters of each."""

INDEXED = 3
"""Characters of a word that the index can find."""

AROUND = 60
"""Characters shown on either side of what was found."""

HITS = 2_000
"""Texts that the index is asked for. A word that more of them have is a frequent one."""

TIME_S = 1.0
"""Seconds that a search may take. What it has not looked at by then is left out, and that is said."""

FIRST, MOST = 10, 500
"""Chats that are looked through at once: at first, and at most."""

_clock = time.monotonic
_STEPS = 20_000
"""Of SQLite, between two looks at the clock: some milliseconds."""

_WORD = re.compile(r'"([^"]*)"(?!\S)|(\S+)')

_index = table("search", column("rowid"), column("text", String))


def words(typed: str) -> list[str]:
    """The words of a search, without what cannot be seen. What stands in quotation marks is one."""
    seen = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in typed[:2000])
    each = (phrase.strip() or word for phrase, word in _WORD.findall(seen))
    return list(dict.fromkeys(word[:LENGTH] for word in each if word))[:WORDS]


@dataclass(slots=True)
class Found:
    """`rows`: of the chats, the latest first. `cut`: the time was over, and there may be more."""

    rows: list[Any] = field(default_factory=list)
    around: dict[str, str] = field(default_factory=dict)
    """By chat, what is around the first hit in its texts; nothing for one found by its title."""
    cut: bool = False


async def find(
    connection: AsyncConnection, page: Select, words: Sequence[str], skip: int, count: int, seconds: float
) -> Found:
    """Of the chats of `page`, in its order, those in which all `words` are, in whichever of their texts.

    `page` selects an owner's chats with id and title, the latest first.
    """
    found = Found()
    try:
        async with _within(connection, seconds) as is_over:
            candidates, scanned = await _indexed(connection, words)
            if candidates is not None:
                page = page.where(conversations.c.id.in_(candidates))
            page = page.add_columns(conversations.c.number).order_by(conversations.c.number.desc())
            size, last = FIRST, None
            while len(found.rows) < skip + count:
                if is_over():
                    found.cut = True
                    break
                after = tuple_(conversations.c.updated, conversations.c.number)
                some = page.where(after < tuple_(*last)) if last else page
                each = some.limit(size).subquery()
                hit = and_(True, *(_has(each.c.id, each.c.title, word) for word in scanned))
                rows = (await connection.execute(select(each, hit.label("hit")))).all()
                found.rows += [row for row in rows if row.hit]
                if len(rows) < size:
                    break
                last, size = (rows[-1].updated, rows[-1].number), min(2 * size, MOST)
    except DBAPIError as error:
        if not _broken_off(error):
            raise
        found.cut = True
    found.rows = found.rows[skip : skip + count]
    try:
        async with _within(connection, seconds / 2):
            found.around = await _around(connection, [row.id for row in found.rows], words)
    except DBAPIError as error:
        if not _broken_off(error):
            raise
    return found


@asynccontextmanager
async def _within(connection: AsyncConnection, seconds: float) -> AsyncGenerator[Callable[[], bool], None]:
    """After so many seconds SQLite breaks off what it does, with an error."""
    until = _clock() + seconds

    def is_over() -> bool:
        return _clock() > until

    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.set_progress_handler(is_over, _STEPS)
    try:
        yield is_over
    finally:
        await driver.set_progress_handler(None, 0)


def _broken_off(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT or "interrupted" in str(
        error.orig
    )


async def _indexed(connection: AsyncConnection, words: Sequence[str]) -> tuple[set[str] | None, list[str]]:
    """Ids of the chats that have all of the rare words (None: no word is rare), and the other words."""
    candidates: set[str] | None = None
    frequent: list[str] = []
    for word in words:
        if len(word) < INDEXED:
            frequent.append(word)
            continue
        hit = _index.c.text.op("MATCH")(_quoted(word))
        statement = select(_index.c.rowid).where(hit).order_by(_index.c.rowid.desc()).limit(HITS + 1)
        numbers = (await connection.execute(statement)).scalars().all()
        if len(numbers) > HITS:
            frequent.append(word)
            continue
        texts = [number for number in numbers if number > 0]
        titles = [-number for number in numbers if number < 0]
        having = {
            *(await connection.scalars(select(messages.c.conversation).where(messages.c.number.in_(texts)))),
            *(await connection.scalars(select(conversations.c.id).where(conversations.c.number.in_(titles)))),
        }
        candidates = having if candidates is None else candidates & having
    return candidates, frequent


def _has(id: ColumnElement[str], title: ColumnElement[str], word: str) -> ColumnElement[bool]:
    texts = exists().where(messages.c.conversation == id, _like(messages.c.text, word))
    return or_(_like(title, word), texts)


async def _around(connection: AsyncConnection, chats: Sequence[str], words: Sequence[str]) -> dict[str, str]:
    text = messages.c.text
    first = (
        select(messages.c.number)
        .where(messages.c.conversation == conversations.c.id, or_(*(_like(text, word) for word in words)))
        .order_by(messages.c.number)
        .limit(1)
        .correlate(conversations)
        .scalar_subquery()
    )
    numbers = select(first).where(conversations.c.id.in_(chats))
    places = [func.nullif(func.instr(func.lower(text), func.lower(word)), 0) for word in words]
    place = func.coalesce(*places, 1)
    start = func.max(1, place - AROUND)
    statement = select(
        messages.c.conversation,
        start.label("start"),
        func.substr(text, start, 2 * AROUND).label("text"),
        func.length(text).label("length"),
    ).where(messages.c.number.in_(numbers))
    return {
        row.conversation: f"{'…' if row.start > 1 else ''}{_line(row.text)}"
        f"{'…' if row.start + 2 * AROUND <= row.length else ''}"
        for row in await connection.execute(statement)
    }


def around(text: str, words: Sequence[str]) -> str:
    """What is around the first of `words` in `text`; "" when none is in it."""
    lower = text.lower()
    places = [place for word in words if (place := lower.find(word.lower())) >= 0]
    if not places:
        return ""
    start = max(0, min(places) - AROUND)
    end = min(places) + AROUND
    return f"{'…' if start else ''}{_line(text[start:end])}{'…' if end < len(text) else ''}"


def _like(where: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """SQLite knows both cases of ASCII alone; of other letters the usual forms are looked for."""
    forms = {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize(), word.title()}
    return or_(*(where.contains(form, autoescape=True) for form in sorted(forms)))


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _line(text: str) -> str:
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in text).split())
