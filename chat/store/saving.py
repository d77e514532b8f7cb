"""What is in memory and not yet on the disk, and how it gets there: gathered at once, written in one go.

`Pending` knows the runs that are being recorded and the conversations that changed. `gather` turns what
is new since the last time into rows, each event once; `write` puts them into a transaction; what was
written is forgotten, what was not is gathered again. Called by the store and by `writer`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from chat.conversations import Conversation
from chat.store.records import BYTES_OF_CHAT, INDEXED_TIMES, Record, Row

log = logging.getLogger(__name__)

SLICE = 4_000
"""Events that are turned into rows in one go: some 15 ms."""

Op = Callable[[Any], Awaitable[Any]]
"""Something to be done with a connection that writes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A state of a conversation on the disk."""

    revision: int
    leaf: str | None


@dataclass(slots=True)
class Batch:
    """What one transaction writes. Lists of rows, by table or purpose."""

    ops: list[Op]
    conversations: dict[str, Conversation]
    titles: set[str]
    currents: dict[str, str]
    rows: list[Row]
    """Of the conversations, as they are now."""
    records: list[tuple[Record, int, int]] = field(default_factory=list)
    """Each record, the number of its event rows in this batch, and the bytes that the database counts for
    them."""
    questions: list[Row] = field(default_factory=list)
    answers: list[Row] = field(default_factory=list)
    runs: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    texts: list[Row] = field(default_factory=list)
    ends: list[Row] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    known: dict[str, Seen] = field(default_factory=dict)
    """What memory goes by, of the conversations that it has from the disk."""
    before: dict[str, Seen] = field(default_factory=dict)
    """Filled by `write`: what it found."""
    revisions: dict[str, int] = field(default_factory=dict)
    """Filled by `write`: what each conversation's is now."""

    def __bool__(self) -> bool:
        return bool(
            self.ops or self.conversations or self.currents or self.questions or self.events or self.ends
        )


class Pending:
    def __init__(self) -> None:
        self.seen: Callable[[Conversation], Seen | None] = lambda conversation: None
        """What a conversation was on the disk when it was last read or written."""
        self.records: dict[str, Record] = {}
        """By run: those going on, and those whose end is not written yet."""
        self._recorded: dict[str, dict[str, Record]] = {}
        """The same by conversation."""
        self._ops: list[Op] = []
        self._conversations: dict[str, Conversation] = {}
        self._titles: set[str] = set()
        self._currents: dict[str, str] = {}
        self._flying: Batch | None = None

    # -- what changed ------------------------------------------------------------------------

    def record(self, record: Record) -> None:
        run, conversation = record.run.id, record.conversation.id
        self.records[run] = self._recorded.setdefault(conversation, {})[run] = record

    def drop(self, run: str) -> None:
        if (record := self.records.pop(run, None)) is not None:
            there = self._recorded[record.conversation.id]
            del there[run]
            if not there:
                del self._recorded[record.conversation.id]

    def changed(self, conversation: Conversation, *, title: bool = False) -> None:
        self._conversations[conversation.id] = conversation
        if title:
            self._titles.add(conversation.id)

    def current(self, owner: str, conversation: str) -> None:
        self._currents[owner] = conversation

    def do(self, op: Op) -> None:
        """`op` with the next batch, before its rows."""
        self._ops.append(op)

    # -- for who asks ------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(self.records or self._conversations or self._ops or self._currents or self._flying)

    @property
    def conversations(self) -> dict[str, Conversation]:
        """Those that the disk knows in an older form, or not at all."""
        flying = self._flying.conversations if self._flying else {}
        return flying | self._conversations

    def holds(self, id: str) -> bool:
        """Whether memory alone knows how the conversation `id` is now."""
        flying = self._flying is not None and id in self._flying.conversations
        return flying or id in self._conversations or id in self._recorded

    def answering(self, id: str) -> bool:
        return any(not record.over for record in self._recorded.get(id, {}).values())

    def asked(self, owner: str, key: str) -> str | None:
        """The run of `owner` that `key` began, while it is being recorded."""
        for id, record in self.records.items():
            if record.exchange.key == key and record.conversation.owner == owner:
                return id
        return None

    @property
    def running(self) -> bool:
        return any(not record.over for record in self.records.values())

    # -- for the writer ----------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Turns most of what is new into rows, a little at a time: a run may have grown by a hundred thousand
        events since the last save."""
        for id, record in list(self.records.items()):
            while record.behind > SLICE and self.records.get(id) is record:
                try:
                    record.gather(SLICE)
                except Exception:
                    break  # `gather` says it
                await asyncio.sleep(0)

    def gather(self, lease: str) -> Batch:
        """All that is new, as rows. One batch at a time: `written` or `kept` before the next one."""
        rows = [_row(conversation) for conversation in self._conversations.values()]
        batch = Batch(self._ops, self._conversations, self._titles, self._currents, rows)
        known = ((id, self.seen(each)) for id, each in self._conversations.items())
        batch.known = {id: seen for id, seen in known if seen is not None}
        self._ops, self._conversations, self._titles, self._currents = [], {}, set(), {}
        for id, record in list(self.records.items()):
            try:
                record.gather()
            except Exception:
                # A bug, and of this one alone: what was saved of it stays, the others go on.
                log.exception("run %s: its events cannot be stored", id)
                self.drop(id)
                continue
            birth = None if record.born else record.birth(lease)
            if birth is not None:
                question, answer, run = birth
                batch.questions += question
                batch.answers.append(answer)
                batch.runs.append(run)
            batch.events += record.bodies
            batch.records.append((record, len(record.bodies), record.counted(birth)))
            if record.final is not None:
                batch.ends.append({"b_id": id, **record.final["run"]})
                if record.void:
                    batch.void.append(id)
                else:
                    batch.texts.append({"b_id": id, **record.final["message"]})
        self._flying = batch
        return batch

    def written(self, batch: Batch) -> None:
        self._flying = None
        ended = {end["b_id"] for end in batch.ends}
        for record, bodies, size in batch.records:
            if record.written is not None and size:
                record.written(size)
            record.born = True
            del record.bodies[:bodies]
            if record.run.id in ended:
                self.drop(record.run.id)

    def again(self) -> None:
        """The database is another one than it was: what is recorded goes there from its beginning."""
        for record in self.records.values():
            record.again()
            self.changed(record.conversation, title=True)

    def kept(self, batch: Batch) -> None:
        """It could not be written: it goes with the next one."""
        self._flying = None
        self._ops[:0] = batch.ops
        self._conversations = batch.conversations | self._conversations
        self._titles |= batch.titles
        self._currents = batch.currents | self._currents


def _row(conversation: Conversation) -> Row:
    last, origin = conversation.last, conversation.origin
    at = time.time() if last is None else last.at
    return {
        "id": conversation.id,
        "owner": conversation.owner,
        "title": conversation.title,
        "named": int(conversation.named),
        "bytes": BYTES_OF_CHAT + INDEXED_TIMES * len(conversation.title.encode()),
        "created": at,
        "updated": at,
        "leaf": None if last is None else last.run,
        "origin": origin.id if origin else None,
        "origin_run": origin.run if origin else None,
    }
