"""A run that is being recorded: what of it is on the disk, and what is to go there next.

`gather` turns each of its events into part of a row once. Made by the store, kept by `saving`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from chat.conversations import Conversation, Exchange
from chat.events import Entry
from chat.store.recording import dumped, encode, parts, plain, summary
from chat.titles import LENGTH
from chat.transcript import Transcript

Row = dict[str, Any]
"""Values by the names of columns."""

BYTES_OF_CHAT, INDEXED_TIMES = 1000, 8
"""Bytes that are counted for each chat besides its title and its messages; the factor for text in the search
index. `migrations` uses the same numbers, except for titles, which it does not know."""

# Bytes that the database counts for each message, run and event.
_MESSAGE, _RUN, _EVENT = 200, 500, 50
_LONGEST_TITLE = 4 * LENGTH
_COUNTED = ("k_key", "options", "settings", "failure", "usage", "model")


class Recorded(Protocol):
    """What the store wants of a run."""

    id: str

    @property
    def entries(self) -> Sequence[Entry]: ...

    transcript: Transcript


@dataclass(slots=True, eq=False)
class Record:
    """A run that is being recorded."""

    conversation: Conversation
    exchange: Exchange
    run: Recorded
    parent: str | None
    """The answer before the question."""
    new: bool = False
    """Whether it is the first of its conversation."""
    written: Callable[[int], None] | None = None
    """Called after each save with the bytes that the database counts for it. A title counts as the longest
    possible one."""
    born: bool = False
    """Its rows are there."""
    seen: int = 0
    """Entries that are in `bodies` or were."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Rows of events that are not written yet."""
    over: bool = False
    void: bool = False
    """It came to nothing, and the answer it was to replace has its place back."""
    final: dict[str, Any] | None = None

    def birth(self, lease: str) -> tuple[list[Row], Row, Row]:
        """The rows it begins with: of its question, when that is new, of its answer, and its own."""
        exchange, conversation = self.exchange, self.conversation
        whose = {"conversation": conversation.id, "created": exchange.at}
        question = {"id": exchange.asked, "parent": self.parent, "text": plain(exchange.question), **whose}
        answer = {"id": exchange.run, "parent": exchange.asked, "text": "", **whose}
        run = {
            "id": exchange.run,
            "conversation": conversation.id,
            "owner": conversation.owner,
            "lease": lease,
            "state": "running",
            "k_id": exchange.run,
            "k_owner": conversation.owner,
            "k_key": plain(exchange.key) or None,
            "replaces": exchange.replaces[-1].run if exchange.replaces else None,
            "continues": int(exchange.continues),
            "started": exchange.at,
            "options": dumped(asdict(exchange.options)),
            "thumb": exchange.thumb,
            "stop_asked": 0,
        }
        new = not exchange.replaces and exchange.versions[:1] == [exchange.run]
        return [question] if new else [], answer, run

    def counted(self, birth: tuple[list[Row], Row, Row] | None) -> int:
        """The bytes that the database counts for the rows that are written now: `birth`, `bodies`,
        `final`."""
        size = sum(_EVENT + _length(row["body"]) for row in self.bodies)
        if birth is not None:
            questions, answer, run = birth
            if self.new:  # a later rename is not reported, so the longest title is counted
                size += BYTES_OF_CHAT + INDEXED_TIMES * _LONGEST_TITLE
            size += _RUN + _of_run(run)
            size += sum(_MESSAGE + _of_message(row) for row in (*questions, answer))
        if self.final is not None:
            size += _of_run(self.final["run"]) + (0 if self.void else _of_message(self.final["message"]))
        return size

    def again(self) -> None:
        """Nothing of it is there any more."""
        self.born, self.seen, self.bodies, self.final = False, 0, [], None

    @property
    def behind(self) -> int:
        """Events that are not in `bodies` yet."""
        return len(self.run.entries) - self.seen

    def gather(self, most: int | None = None) -> None:
        """What is new, or the first `most` events of it and not yet the end."""
        entries = self.run.entries
        if len(entries) > self.seen:
            new = entries[self.seen : None if most is None else self.seen + most]
            self.seen += len(new)
            if body := encode(new):
                self.bodies.append({"run": self.run.id, "seq": new[0].seq, "body": body})
        if self.over and self.final is None and most is None:
            transcript = self.run.transcript
            text = {"text": plain(transcript.text), "parts": parts(transcript)}
            self.final = {"message": text, "run": summary(transcript)}


def _of_message(row: Row) -> int:
    return INDEXED_TIMES * _length(row["text"]) + _length(row.get("parts"))


def _of_run(row: Row) -> int:
    return sum(_length(row.get(name)) for name in _COUNTED)


def _length(text: str | None) -> int:
    return len(text.encode()) if text else 0
