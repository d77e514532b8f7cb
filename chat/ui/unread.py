"""The sessions for which Gradio's queue holds messages that nobody fetches, and when they are let go.

A page fetches what it asked for a round trip later. Whoever asks and never fetches would have their
messages kept (gradio_fixes, 21): so a session is dropped after some seconds without a reader, the oldest
first where somebody has too many of them, and the heaviest when all that is unread weighs too much.
`sessions` tells who asks and who reads; how a queue is emptied is in `gradio_fixes`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

PATIENCE = 30.0
"""Seconds that messages wait for a reader."""

COMEBACK_S = 1.5
"""Seconds for the next reader of a session whose reader went."""

EACH, NETWORK, ALL = 20, 200, 1000
"""Sessions without a reader: of an owner, of the owners of one network (a school), of all together. An open
page is one for a round trip after each click, and while it shows nothing new it is none."""

HEAVIEST = 100_000_000
"""Bytes of all unread messages together. A long chat has some 300,000 as it opens."""


class Boxes(Protocol):
    """The queue's messages, by session."""

    def weight(self, session: str = "") -> int:
        """Bytes that wait for `session`, or for all."""
        ...

    def heaviest(self) -> str: ...

    def drop(self, session: str, *, read: bool) -> None:
        """Lets go what waits for it, and what would come. `read`: it stays, empty, for who reads it."""
        ...


class Unread:
    def __init__(
        self,
        boxes: Boxes,
        *,
        left: Callable[[str], None] = lambda session: None,
        patience: float = PATIENCE,
        comeback: float = COMEBACK_S,
        heaviest: int = HEAVIEST,
    ) -> None:
        """`left` is called with a session that nobody reads any more, and whose events are dropped."""
        self._boxes, self._patience, self._heaviest = boxes, patience, heaviest
        self._left, self._comeback = left, comeback
        self._readers: Counter[str] = Counter()
        self._waiting: dict[str, tuple[str, str, asyncio.TimerHandle]] = {}
        """Session → its owner, their network, and its end. The oldest comes first."""
        self._cut: set[str] = set()
        """Of these, the ones whose reader went."""

    def __contains__(self, session: str) -> bool:
        return session in self._waiting

    def joined(self, session: str, owner: str, network: str) -> None:
        """`owner`, at `network`, has called something whose messages will be `session`'s."""
        if session in self._cut:
            self._found(session)  # whoever asks for more is there
        if self._readers[session] or session in self._waiting:
            return
        self._wait(session, owner, network, self._patience)

    def _wait(self, session: str, owner: str, network: str, patience: float) -> None:
        mine = [name for name, (whose, _, _) in self._waiting.items() if whose == owner]
        near = [name for name, (_, where, _) in self._waiting.items() if where == network]
        for found, most in ((mine, EACH), (near, NETWORK), (list(self._waiting), ALL)):
            if len(found) >= most and found[0] in self._waiting:
                self._drop(found[0])
        timer = asyncio.get_running_loop().call_later(patience, self._drop, session)
        self._waiting[session] = owner, network, timer

    @contextmanager
    def reading(self, session: str, owner: str, network: str) -> Iterator[None]:
        """While somebody fetches what there is for `session`."""
        self._readers[session] += 1
        self._found(session)
        try:
            yield
        finally:
            self._readers[session] -= 1
            if not self._readers[session]:
                del self._readers[session]
                # A page lets go of its reader as it opens another one, or when it has all, or is closed.
                self._wait(session, owner, network, self._comeback)
                self._cut.add(session)

    def relieve(self) -> None:
        """Something has come: not too much of it stays."""
        while self._boxes.weight() > self._heaviest:
            self._drop(self._boxes.heaviest())

    def _drop(self, session: str) -> None:
        self._found(session)
        self._boxes.drop(session, read=session in self._readers)
        if session not in self._readers:
            self._left(session)

    def _found(self, session: str) -> None:
        self._cut.discard(session)
        if (waiting := self._waiting.pop(session, None)) is not None:
            waiting[2].cancel()
