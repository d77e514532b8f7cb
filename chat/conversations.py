"""Conversations as values: what was asked and answered, in which order, and what grew out of what.

An exchange is a question and one answer to it. Asked again, the question gets another version of its
answer; edited, it begins another conversation that shares what came before. The store keeps these,
runs fill them, faces show them. Nothing here knows a database, a provider or a face.
"""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from chat.messages import Assistant, Message, Options, Text, User
from chat.transcript import Block, Prose, Transcript


@dataclass(slots=True, eq=False)
class Exchange:
    """A question and the run that answers it. The transcript grows while the run goes on."""

    question: str
    run: str
    """Id of the run, and so of the answer."""
    transcript: Transcript
    asked: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    """Id of the question; all versions of its answer share it."""
    at: float = field(default_factory=time.time)
    """When the answer was asked for, in seconds since the epoch."""
    options: Options = field(default_factory=Options)
    continues: bool = False
    """The question is `chat.messages.CONTINUE`: the answer goes on where the one before it stopped."""
    key: str = ""
    """What the asker called this sending of it: the same key again is the same run."""
    thumb: int = 0
    """1 up, -1 down."""
    versions: list[str] = field(default_factory=list)
    """Runs that answered this question, oldest first, this one among them. Shared by them all."""
    replaces: list["Exchange"] = field(default_factory=list)
    """The whole answer that stood here before it was asked again; kept until this one has a word."""
    full: bool = True
    """Whether the transcript holds all that happened, or (of old exchanges) question and text alone."""

    def __post_init__(self) -> None:
        if self.run not in self.versions:
            self.versions.append(self.run)


@dataclass(frozen=True, slots=True)
class Link:
    """Another conversation. `run`: where the two part (the answer that stands only in the older one)."""

    id: str
    title: str
    run: str


@dataclass(slots=True, eq=False, weakref_slot=True)
class Conversation:
    owner: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    title: str = ""
    """"" until the first question."""
    named: bool = False
    """A person chose the title."""
    exchanges: list[Exchange] = field(default_factory=list)
    origin: Link | None = None
    """The conversation that this one began in, when a question there was edited."""
    branches: list[Link] = field(default_factory=list)
    """Conversations that began in this one."""

    def snapshot(self) -> "Conversation":
        """As it is now, for a thread to read while it goes on."""
        exchanges = [
            each
            if each.transcript.ended is not None
            else replace(each, transcript=each.transcript.snapshot())
            for each in self.exchanges
        ]
        return replace(self, exchanges=exchanges, branches=[*self.branches])

    @property
    def last(self) -> Exchange | None:
        return self.exchanges[-1] if self.exchanges else None

    def find(self, run: str) -> int | None:
        """The place of the exchange that `run` answered."""
        return next((n for n, exchange in enumerate(self.exchanges) if exchange.run == run), None)

    def answer(self, place: int) -> list[Exchange]:
        """The whole answer that the exchange at `place` is a part of: what it goes on from, and what goes
        on from it."""
        return next(each for each in answers(self.exchanges) if self.exchanges[place] in each)

    def window(self, count: int) -> int:
        """How many exchanges the last `count` are, when none of them lacks its question."""
        first = max(0, len(self.exchanges) - count)
        while first and self.exchanges[first].continues:
            first -= 1
        return len(self.exchanges) - first

    def messages(self, until: int | None = None) -> tuple[Message, ...]:
        """What a provider is told of it: roles in turn, answers as they were shown, nothing else.

        A question that got no word of an answer is left out: it would poison what follows. `until`
        counts the exchanges, as a slice does.
        """
        messages: list[Message] = []
        for exchange in self.exchanges[:until]:
            if (text := exchange.transcript.text).strip():
                messages += [User(exchange.question), Assistant((Text(text),))]
        return tuple(messages)


def answers(exchanges: Iterable[Exchange]) -> list[list[Exchange]]:
    """As they are read: each question's exchange with those that continue it."""
    found: list[list[Exchange]] = []
    for exchange in exchanges:
        if exchange.continues and found:
            found[-1].append(exchange)
        else:
            found.append([exchange])
    return found


def joined(answer: Iterable[Exchange]) -> tuple[list[Block], Prose | None]:
    """The blocks of a whole answer, and the text that its next exchange would go on with, if any.

    A text that was left off and its rest are one block, where the rest stands, joined as they arrived: the
    cut may be in the middle of a table or of a word.
    """
    blocks: list[Block] = []
    place: int | None = None
    """Of the text that was left off."""
    whole: Prose | None = None
    """Made here of several. What a transcript holds is its own."""
    for exchange in answer:
        for block in exchange.transcript.blocks:
            if isinstance(block, Prose) and place is not None:
                if (before := blocks.pop(place)) is not whole:
                    whole = Prose.of(before.text)
                assert whole is not None
                whole.body.append(block.text)
                block, place = whole, None
            blocks.append(block)
        if exchange.transcript.length:
            place = len(blocks) - 1 if isinstance(blocks[-1], Prose) else None
    cut = None if place is None else blocks[place]
    return blocks, cut if isinstance(cut, Prose) else None
