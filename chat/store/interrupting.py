"""What becomes of answers whose process died: they end as interrupted, with all that was saved of them.

Called when a database is opened, and when a conversation is read in which somebody else's run goes on.
"""

from collections.abc import Collection

from sqlalchemy import case, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.errors import Failure
from chat.events import Entry, TurnFailed
from chat.store.leases import Lease
from chat.store.reading import Rests
from chat.store.recording import decode, encode, parts, plain, summary
from chat.store.tables import conversations, events, runs
from chat.store.writing import end, forget, revision
from chat.transcript import Transcript

INTERRUPTED = Failure("shutdown", "Interrupted: Runnel stopped while this was being written.")


async def interrupt(connection: AsyncConnection, lease: Lease, among: Collection[str] | None = None) -> int:
    """Ends the runs of dead leases, or of those `among` them; how many. Needs a connection that writes."""
    dead = await lease.dead(connection, among)
    if not dead:
        return 0
    statement = select(runs.c.id, runs.c.conversation, runs.c.replaces).where(
        runs.c.state == "running", runs.c.lease.in_(dead)
    )
    found = (await connection.execute(statement)).all()
    for run, conversation, replaces in found:
        transcript = await _ended(connection, run)
        text = plain(transcript.text)
        await end(connection, run, summary(transcript), {"text": text, "parts": parts(transcript)})
        leaf = conversations.c.leaf
        shown = leaf
        if replaces and not text.strip():  # asked again and come to nothing, as in `Store.ended`
            shown = case((leaf == run, replaces), else_=leaf)
            await forget(connection, [run])
        await connection.execute(
            update(conversations)
            .where(conversations.c.id == conversation)
            .values(leaf=shown, revision=await revision(connection) + 1)
        )
    await lease.bury(connection, dead)
    return len(found)


async def _ended(connection: AsyncConnection, run: str) -> Transcript:
    """All that was saved of `run`, and its end."""
    transcript, at = Transcript(), 0.0
    rest = Rests()
    bodies = select(events.c.body).where(events.c.run == run).order_by(events.c.seq)
    for body in (await connection.execute(bodies)).scalars().all():
        await rest()
        for entry in decode(body):
            transcript.add(entry.seq, entry.at, entry.event)
            at = entry.at
    if transcript.ended is None:
        last = Entry(transcript.seq + 1, at, TurnFailed(INTERRUPTED))
        transcript.add(last.seq, last.at, last.event)
        await connection.execute(insert(events).values(run=run, seq=last.seq, body=encode([last])))
    return transcript
