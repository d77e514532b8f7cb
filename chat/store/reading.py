"""Conversations as they come back from the database: the way from the first question to the last answer.

What happened in the last exchanges is folded from their events; older ones are given in brief. Folding
goes on in slices, so that a long conversation does not hold up the streams of others. Called by the
store and by `interrupting`; writes nothing.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import RowMapping, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.conversations import Conversation, Exchange, Link
from chat.store.recording import brief, decode, options, summary
from chat.store.saving import Seen
from chat.store.tables import conversations, events, messages, runs
from chat.transcript import Transcript

FULL = 30
"""Exchanges that are read with all that happened in them: as many as a page shows."""

SLICE = 0.008
"""Seconds of work before others get their turn."""

DELETED = "a chat that was deleted"
"""Title of the link to one."""


@dataclass(slots=True)
class Loaded:
    """A conversation as the disk has it."""

    row: RowMapping
    exchanges: list[Exchange]
    running: dict[str, str]
    """Runs of it that are not over as far as the disk knows, with their leases."""
    origin: Link | None
    branches: list[Link]

    def onto(self, conversation: Conversation) -> None:
        """Makes `conversation` what was loaded. An exchange that it has already stays the same object."""
        known = {exchange.run: exchange for exchange in conversation.exchanges}
        exchanges: list[Exchange] = []
        for new in self.exchanges:
            if (old := known.get(new.run)) is not None:
                if new.full and (not old.full or old.transcript.ended is None):
                    old.transcript, old.full = new.transcript, True
                old.thumb, old.versions, new = new.thumb, new.versions, old
            exchanges.append(new)
        conversation.owner, conversation.title = self.row["owner"], self.row["title"]
        conversation.named = bool(self.row["named"])
        conversation.exchanges = exchanges
        conversation.origin, conversation.branches = self.origin, self.branches


@dataclass(frozen=True, slots=True)
class Head:
    """The little that tells whether memory is still right."""

    deleted: bool
    seen: Seen


async def head(connection: AsyncConnection, id: str) -> Head | None:
    table = conversations.c
    columns = table.deleted, table.revision, table.leaf
    row = (await connection.execute(select(*columns).where(table.id == id))).first()
    return None if row is None else Head(row.deleted is not None, Seen(row.revision, row.leaf))


async def load(connection: AsyncConnection, id: str, full: int = FULL) -> Loaded | None:
    found = await connection.execute(select(conversations).where(conversations.c.id == id))
    if (row := found.mappings().first()) is None:
        return None
    versions = await _versions(connection, row["leaf"])
    rows = await _path(connection, row["leaf"])
    exchanges: list[Exchange] = []
    running: dict[str, str] = {}
    question: RowMapping | None = None
    rest = Rests()
    for each in rows:
        await rest()
        if each["role"] == "user":
            question = each
        elif question is not None and each["state"] is not None:
            exchange = _exchange(question, each, versions)
            if each["state"] == "running":
                running[exchange.run] = each["lease"]
            exchanges.append(exchange)
            question = None
    late = [exchange.run for exchange in exchanges[-full:]]
    happened = await transcripts(connection, {*late, *running})
    for exchange in exchanges:
        put(exchange, happened.get(exchange.run), exchange.run in running)
    return Loaded(row, exchanges, running, await _origin(connection, row), await _branches(connection, id))


def put(exchange: Exchange, transcript: Transcript | None, running: bool = False) -> None:
    """Gives `exchange` all that happened in it, when that was kept to the end."""
    if transcript is not None and (running or transcript.ended is not None):
        exchange.transcript, exchange.full = transcript, True
    elif running:
        exchange.transcript, exchange.full = Transcript(), True


def shrink(exchanges: Sequence[Exchange]) -> None:
    """Makes the exchange brief that a page shows no more: a chat without an end must not fill the memory."""
    for exchange in exchanges[-2 * FULL - 2 : -2 * FULL]:
        if exchange.full and exchange.transcript.ended is not None:
            exchange.transcript = brief(summary(exchange.transcript), exchange.transcript.text)
            exchange.full = False


async def transcripts(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Transcript]:
    """What happened in the runs `ids`, as far as it was saved."""
    found: dict[str, Transcript] = {}
    statement = select(events).where(events.c.run.in_(ids)).order_by(events.c.run, events.c.seq)
    rest = Rests()
    for run, _, body in (await connection.execute(statement)).all():
        await rest()
        transcript = found.setdefault(run, Transcript())
        for entry in decode(body):
            transcript.add(entry.seq, entry.at, entry.event)
    return found


async def follow(connection: AsyncConnection, run: str, transcript: Transcript) -> None:
    """Adds to `transcript` what has happened since."""
    statement = (
        select(events.c.body).where(events.c.run == run, events.c.seq > transcript.seq).order_by(events.c.seq)
    )
    rest = Rests()
    for body in (await connection.execute(statement)).scalars().all():
        await rest()
        for entry in decode(body):
            if entry.seq > transcript.seq:  # else another reader was here while this one waited
                transcript.add(entry.seq, entry.at, entry.event)


class Rests:
    """Awaited between pieces of work, lets others go on when it is time."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def __call__(self) -> None:
        if time.perf_counter() - self._began > SLICE:
            await asyncio.sleep(0)
            self._began = time.perf_counter()


# -- inside --------------------------------------------------------------------------------------


def way(leaf: str | None):
    """The messages from `leaf` up to the first question."""
    step = select(messages.c.id, messages.c.parent, messages.c.role, literal(0).label("depth"))
    path = step.where(messages.c.id == leaf).cte("path", recursive=True)
    above = select(messages.c.id, messages.c.parent, messages.c.role, path.c.depth + 1)
    return path.union_all(above.join(path, messages.c.id == path.c.parent))


async def _path(connection: AsyncConnection, leaf: str | None) -> Sequence[RowMapping]:
    path = way(leaf)
    names = (
        *("lease", "state", "key", "continues", "options", "seconds", "first_text"),
        *("model", "settings", "stop", "failure", "usage", "thumb"),
    )
    statement = (
        select(messages.c.id, messages.c.role, messages.c.created, messages.c.text)
        .add_columns(*(runs.c[name] for name in names))
        .select_from(path)
        .join(messages, messages.c.id == path.c.id)
        .outerjoin(runs, runs.c.id == path.c.id)
        .order_by(path.c.depth.desc())
    )
    rest, rows = Rests(), list[RowMapping]()
    for some in (await connection.execute(statement)).mappings().partitions(200):
        rows += some
        await rest()
    return rows


async def _versions(connection: AsyncConnection, leaf: str | None) -> dict[str, list[str]]:
    """The answers of each question on the way, oldest first."""
    path = way(leaf)
    statement = (
        select(messages.c.parent, messages.c.id)
        .select_from(path)
        .join(messages, messages.c.parent == path.c.id)
        .where(path.c.role == "user")
        .order_by(messages.c.number)
    )
    found: dict[str, list[str]] = {}
    for question, answer in await connection.execute(statement):
        found.setdefault(question, []).append(answer)
    return found


def _exchange(question: RowMapping, answer: RowMapping, versions: dict[str, list[str]]) -> Exchange:
    return Exchange(
        question["text"],
        answer["id"],
        brief(cast(Mapping[str, Any], answer), answer["text"]),
        asked=question["id"],
        at=answer["created"],
        options=options(answer["options"]),
        continues=bool(answer["continues"]),
        key=answer["key"] or "",
        thumb=answer["thumb"],
        versions=versions.get(question["id"], []),
        full=False,
    )


async def _origin(connection: AsyncConnection, row: RowMapping) -> Link | None:
    if row["origin"] is None:
        return None
    statement = select(conversations.c.title).where(
        conversations.c.id == row["origin"], conversations.c.deleted.is_(None)
    )
    title = await connection.scalar(statement)
    known = title is not None
    return Link(row["origin"] if known else "", title if known else DELETED, row["origin_run"] or "")


async def _branches(connection: AsyncConnection, id: str) -> list[Link]:
    table = conversations
    statement = (
        select(table.c.id, table.c.title, table.c.origin_run)
        .where(table.c.origin == id, table.c.deleted.is_(None), table.c.leaf.is_not(None))
        .order_by(table.c.number)
    )
    return [Link(id, title, run or "") for id, title, run in await connection.execute(statement)]
