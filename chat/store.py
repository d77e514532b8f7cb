"""Conversations: what was asked and answered, by whom.

The store is the truth; what a page shows, and what a provider is sent, is a view of it. For now
it lives in memory and ends with the process. It knows no provider and no face.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from chat.messages import Assistant, Message, Text, User
from chat.transcript import Transcript

OWNERS = 2000
"""Owners whose conversations are kept; the one that was away longest makes room."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and the run that answers it. The transcript grows while the run goes on."""

    question: str
    run: str
    transcript: Transcript
    replaces: "Exchange | None" = None
    """What stood here before it was asked again; kept until this one has a word."""


@dataclass(slots=True)
class Conversation:
    owner: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def last(self) -> Exchange | None:
        return self.exchanges[-1] if self.exchanges else None

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

    def mend(self) -> None:
        """An answer asked for again that came to nothing gives its place back to the one before."""
        last = self.last
        if last is not None and last.replaces is not None and last.transcript.ended is not None:
            wordless = not last.transcript.text.strip()
            self.exchanges[-1] = last.replaces if wordless else replace(last, replaces=None)

    def undo(self) -> str | None:
        """Takes the last exchange back and returns its question."""
        return self.exchanges.pop().question if self.exchanges else None


class Store:
    def __init__(self) -> None:
        self._current: OrderedDict[str, Conversation] = OrderedDict()

    def current(self, owner: str) -> Conversation:
        """The conversation that `owner` is in; a new one at the first time."""
        conversation = self._current.get(owner) or self.new(owner)
        self._current.move_to_end(owner)
        return conversation

    def new(self, owner: str) -> Conversation:
        self._current[owner] = Conversation(owner)
        while len(self._current) > OWNERS:
            # One that never asked anything goes first: looking alone pushes nobody out.
            idle = (each for each, conversation in self._current.items() if not conversation.exchanges)
            out = next(idle)  # the new one at the latest
            del self._current[next(iter(self._current)) if out == owner else out]
        return self._current[owner]
