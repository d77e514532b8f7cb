"""Runs without a task: they say what a test tells them to, when it tells them to."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from chat.conversations import Conversation, Exchange
from chat.errors import Failure
from chat.events import Entry, Event, TextDelta, TurnFailed, TurnFinished, TurnStarted, Usage
from chat.store import Store
from chat.transcript import Transcript

STARTED = TurnStarted("acme:one", {"temperature": 0.5})
DONE = TurnFinished("end", Usage(3, 4))
STOPPED = TurnFailed(Failure("stopped", "Stopped."))


@dataclass(eq=False)
class Told:
    store: Store
    conversation: Conversation
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    entries: list[Entry] = field(default_factory=list)
    transcript: Transcript = field(default_factory=Transcript)
    at: float = 0.0

    @property
    def exchange(self) -> Exchange:
        return self.conversation.exchanges[-1]

    def say(self, *events: Event | str, seconds: float = 0.02) -> None:
        """Bare strings are text. `seconds` pass before each."""
        for event in events:
            self.at += seconds
            entry = Entry(
                len(self.entries) + 1, self.at, TextDelta(event) if isinstance(event, str) else event
            )
            self.entries.append(entry)
            self.transcript.add(entry.seq, entry.at, entry.event)

    def end(self, *events: Event | str) -> None:
        """Says `events`, and how it ended when they do not."""
        exchange = self.exchange
        self.say(*events)
        if self.transcript.ended is None:
            self.say(DONE)
        self.store.ended(self.conversation, exchange)


def ask(store: Store, conversation: Conversation, question: str, *said: Event | str, **given: Any) -> Told:
    """A question in `conversation`; answered with `said` when something is, else its answer goes on."""
    run = Told(store, conversation)
    again = given.pop("again", False)
    exchange = Exchange(question, run.id, run.transcript, **given)
    if again:
        replaced = conversation.exchanges[-1]
        exchange.asked, exchange.versions, exchange.replaces = replaced.asked, replaced.versions, [replaced]
        exchange.versions.append(run.id)
    store.add(conversation, exchange, run)
    run.say(STARTED)
    if said:
        run.end(*said)
    return run


def texts(conversation: Conversation) -> list[tuple[str, str]]:
    return [(exchange.question, exchange.transcript.text) for exchange in conversation.exchanges]
