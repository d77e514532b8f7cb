"""The statements that put a batch of `saving` into the database, within the writer's transaction.

Every one may be run twice: a commit that failed may have been one that succeeded. A few statements for
many rows each, because each costs its way to the database's thread and back.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, case, delete, exists, func, literal, null, select, text, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.store.saving import Batch, Seen
from chat.store.tables import conversations, currents, events, messages, runs

_question = insert(messages).values(role="user").on_conflict_do_nothing()
_answer = insert(messages).values(role="assistant").on_conflict_do_nothing()

_key = select(literal(1)).where(
    runs.c.owner == bindparam("k_owner"), runs.c.key == bindparam("k_key"), runs.c.id != bindparam("k_id")
)
_run = (
    insert(runs)
    # The same key from two processes at once: the second run has none, rather than none being saved.
    .values(key=case((exists(_key), null()), else_=bindparam("k_key")))
    .on_conflict_do_nothing()
)

_event = insert(events)
_event = _event.on_conflict_do_update(
    index_elements=[events.c.run, events.c.seq], set_={"body": _event.excluded.body}
)

_conversation = insert(conversations)
_conversation = _conversation.on_conflict_do_update(
    index_elements=[conversations.c.id],
    set_={name: _conversation.excluded[name] for name in ("leaf", "updated", "revision")},
)

_current = insert(currents)
_current = _current.on_conflict_do_update(
    index_elements=[currents.c.owner], set_={"conversation": _current.excluded.conversation}
)

_index_text = text(
    "INSERT OR REPLACE INTO search (rowid, text) SELECT number, text FROM messages WHERE id = :id"
)
_index_title = text(
    "INSERT OR REPLACE INTO search (rowid, text) SELECT -number, title FROM conversations WHERE id = :id"
)


async def write(connection: AsyncConnection, batch: Batch) -> None:
    """Writes `batch`, and tells it the revisions its conversations have now."""
    for op in batch.ops:
        await op(connection)
    await _see(connection, batch)
    if batch.conversations:  # first: what comes after is counted as theirs
        await _conversations(connection, batch)
    if batch.questions:
        await connection.execute(_question, batch.questions)
        await index_texts(connection, (row["id"] for row in batch.questions))
    if batch.answers:
        await connection.execute(_answer, batch.answers)
        await connection.execute(_run, batch.runs)
    if batch.events:
        await connection.execute(_event, batch.events)
    await _ends(connection, batch)
    if batch.currents:
        rows = [{"owner": owner, "conversation": id} for owner, id in batch.currents.items()]
        await connection.execute(_current, rows)


async def end(connection: AsyncConnection, run: str, values: Mapping[str, Any], message: Mapping[str, Any]):
    """The end of one run: `values` for its row, `message` for the answer's."""
    await connection.execute(update(runs).where(runs.c.id == run).values(**values))
    await connection.execute(update(messages).where(messages.c.id == run).values(**message))
    await index_texts(connection, [run])


async def forget(connection: AsyncConnection, answers: Iterable[str]) -> None:
    """Takes answers that came to nothing out of their chats. Their runs stay, for the keys."""
    ids = list(answers)
    await connection.execute(delete(messages).where(messages.c.id.in_(ids)))
    await connection.execute(delete(events).where(events.c.run.in_(ids)))


async def unwrite(connection: AsyncConnection, runs: Sequence[str]) -> None:
    """Takes away the events of `runs`, which come again from the first one."""
    await connection.execute(delete(events).where(events.c.run.in_(runs)))


async def index_texts(connection: AsyncConnection, ids: Iterable[str]) -> None:
    await connection.execute(_index_text, [{"id": id} for id in ids])


async def index_title(connection: AsyncConnection, ids: Iterable[str]) -> None:
    await connection.execute(_index_title, [{"id": id} for id in ids])


async def revision(connection: AsyncConnection) -> int:
    """The last one given. Within a transaction that writes, the next ones are ours."""
    return await connection.scalar(select(func.coalesce(func.max(conversations.c.revision), 0))) or 0


async def _see(connection: AsyncConnection, batch: Batch) -> None:
    """Sees what other processes did meanwhile, and puts what was asked here after what was asked there."""
    if not batch.rows:
        return
    columns = conversations.c.id, conversations.c.revision, conversations.c.leaf
    there = select(*columns).where(conversations.c.id.in_([row["id"] for row in batch.rows]))
    answers = {row["id"] for row in batch.answers}
    for id, revision, leaf in await connection.execute(there):
        batch.before[id] = Seen(revision, leaf)
        if id in batch.known and leaf is not None and leaf not in (batch.known[id].leaf, *answers):
            for question in batch.questions:
                if question["conversation"] == id and question["parent"] not in answers:
                    question["parent"] = leaf


async def _ends(connection: AsyncConnection, batch: Batch) -> None:
    if batch.ends:
        values = {name: bindparam(name) for name in batch.ends[0] if name != "b_id"}
        statement = update(runs).where(runs.c.id == bindparam("b_id")).values(**values)
        await connection.execute(statement, batch.ends)
    if batch.texts:
        values = {name: bindparam(name) for name in ("text", "parts")}
        statement = update(messages).where(messages.c.id == bindparam("b_id")).values(**values)
        await connection.execute(statement, batch.texts)
        await index_texts(connection, (row["b_id"] for row in batch.texts))
    if batch.void:
        await forget(connection, batch.void)


async def _conversations(connection: AsyncConnection, batch: Batch) -> None:
    last = await revision(connection)
    batch.revisions = {row["id"]: last + place for place, row in enumerate(batch.rows, 1)}
    rows = [row | {"revision": batch.revisions[row["id"]]} for row in batch.rows]
    await connection.execute(_conversation, rows)
    if batch.titles:
        await index_title(connection, batch.titles)
