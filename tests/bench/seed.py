"""Databases with much in them, written by the store's own code: one long chat, or a long list of chats."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from chat.conversations import Conversation, Exchange
from chat.events import Entry, Event, TextDelta, TurnFinished, TurnStarted
from chat.messages import Options
from chat.store import Store, open_store
from chat.transcript import Transcript
from tests.upstream.scenario import token

LAST = 7777
"""The number of the last token of a long chat, which stands nowhere else."""
TOKENS = 100
"""Of each answer of a long chat."""
BATCH = 200
"""Answers that are saved together."""
COMMON, RARE, RARELY = "weather", "periwinkle", 10
"""A word that every chat of the list has, and one that only so many have."""


@dataclass
class Told:
    """A run that is over, as far as the store looks at one."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    entries: list[Entry] = field(default_factory=list)
    transcript: Transcript = field(default_factory=Transcript)

    def say(self, *events: Event) -> None:
        for event in events:
            entry = Entry(len(self.entries) + 1, len(self.entries) / 50, event)
            self.entries.append(entry)
            self.transcript.add(entry.seq, entry.at, event)


def _tell(store: Store, conversation: Conversation, question: str, pieces: list[str]) -> None:
    run = Told()
    exchange = Exchange(question, run.id, run.transcript, options=Options(model="bench:asked"))
    store.add(conversation, exchange, run)
    run.say(TurnStarted("bench:asked", {}), *map(TextDelta, pieces), TurnFinished("end"))
    store.ended(conversation, exchange)


async def _saved(store: Store) -> None:
    if not await store.saved(60):
        raise RuntimeError(f"the seeds could not be saved: {store.trouble}")


async def long_chat(database: Path, owner: str, messages: int) -> tuple[str, str]:
    """The id of a chat of so many messages, questions and answers together, and of a short one."""
    async with open_store(database) as store:
        conversation = store.new(owner)
        for number in range(messages // 2):
            pieces = [token("prose", at) for at in range(1, TOKENS + 1)]
            if number == messages // 2 - 1:
                pieces.append(token("text", LAST))
            _tell(store, conversation, f"Question {number}: and then?", pieces)
            if number % BATCH == BATCH - 1:
                await _saved(store)
        short = store.new(owner)
        _tell(store, short, "Something else?", ["No."])
        await _saved(store)
        return conversation.id, short.id


async def many_chats(database: Path, owner: str, count: int) -> None:
    """So many chats of one question and an answer of fifty words each."""
    async with open_store(database) as store:
        for number in range(count):
            rare = f"{RARE} " if number % (count // RARELY) == 0 else ""
            pieces = [f"word{number % 97}{at} " for at in range(50)]
            question = f"Chat {number}: what does the {rare}{COMMON} do to item {number * 7919 % count}?"
            _tell(store, store.new(owner), question, [*pieces, f"The {COMMON} is good."])
            if number % BATCH == BATCH - 1:
                await _saved(store)
        await _saved(store)
