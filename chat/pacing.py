"""When to show: a run's deltas coalesced into frames, under one budget for all readers.

Gradio pays about 1 ms of server CPU and a full Markdown parse in the browser for each update,
however small, and coalesces nothing. So the page asks here for the moments at which to update:
the first words at once, then a bounded number of frames a second, fewer each when many streams
run. What a frame looks like is the page's business. Times are seconds.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from chat.transcript import Transcript

Pace = Literal["as it comes", "smooth", "slow"]

FRAME = 1 / 14
"""Shortest time between two frames of text. The eye reads on at 12 a second; each costs the browser
a parse of the whole message, and the longest gap on screen has to stay under 100 ms."""

WEIGHT = 0.35e-6
"""Seconds added to that for each character on the page: Gradio's page reads the Markdown of every answer
anew at each frame (6.31: 1.4 ms for 1,000 tokens), and half of its time has to stay the reader's."""

BUDGET = 300
"""Frames a second for all streams of this process together: at 100 streams the server still keeps
to 1.2 times the ideal time, where a limit per stream alone needs 3.8 times."""

SLOW = 400
"""Characters a second of the slow pace: about 10 ms a token."""

CATCH_UP = 0.35
"""Seconds in which the smooth pace shows most of what has arrived in a burst."""

SMOOTH = 200
"""Characters a second that the smooth pace does not fall below."""


class Source(Protocol):
    """What is followed: a run."""

    @property
    def transcript(self) -> Transcript: ...

    async def wait(self, after: int, *, within: float | None = None, deltas: bool = True) -> None:
        """Until an event past `after` is there (`deltas=False`: one that turned the transcript)."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """Show the transcript as it is now, and of its answer the first `shown` characters."""

    shown: int
    last: bool


class Budget:
    """Of `rate` frames a second for the process, each owner who watches gets an equal part, and each of their
    streams an equal part of that: many tabs of one person slow down no other."""

    def __init__(self, rate: float = BUDGET) -> None:
        self.rate = rate
        self.streams: Counter[str] = Counter()
        """By owner."""

    def interval(self, owner: str, characters: int = 0) -> float:
        """Seconds between two frames of a page of `owner`'s that shows so many `characters`."""
        return max(FRAME + WEIGHT * characters, len(self.streams) * self.streams[owner] / self.rate)

    @contextmanager
    def stream(self, owner: str) -> Iterator[None]:
        self.streams[owner] += 1
        try:
            yield
        finally:
            self.streams[owner] -= 1
            if not self.streams[owner]:
                del self.streams[owner]


async def frames(
    source: Source,
    budget: Budget,
    pace: Pace = "as it comes",
    above: int = 0,
    owner: str = "",
    clock: Callable[[], float] | None = None,
) -> AsyncGenerator[Frame, None]:
    """The moments at which to show `source`, from its beginning or wherever it is, to its end.

    A reader that takes long over a frame simply gets fewer: nothing queues up. `above`: characters
    that the page shows already. `owner`: whose page it is.
    """
    clock = clock or asyncio.get_running_loop().time
    transcript = source.transcript
    seq, shown, at = 0, 0, float("-inf")
    with budget.stream(owner):
        while True:
            if transcript.seq == seq and shown == transcript.length and transcript.ended is None:
                await source.wait(seq)
            if (rest := at + budget.interval(owner, above + shown) - clock()) > 0:
                await source.wait(seq, within=rest, deltas=False)
            seq, ended = transcript.seq, transcript.ended is not None
            if pace == "as it comes" or transcript.failure is not None or at == float("-inf"):
                shown = transcript.length
            else:
                shown = _advance(pace, shown, transcript.length, clock() - at)
            yield Frame(shown, last := ended and shown == transcript.length)
            if last:
                return
            at = clock()  # counted from when the reader was ready again: it rests under load


def _advance(pace: Pace, shown: int, length: int, passed: float) -> int:
    rate = SLOW if pace == "slow" else max(SMOOTH, (length - shown) / CATCH_UP)
    return min(length, shown + max(1, round(rate * passed)))
