"""A run: a turn with a life of its own.

A task drives the engine's events into a list of numbered, timed entries; readers look at the
list from any position, come late, leave and return. A reader that leaves stops nothing; stop is
a signal of its own. Whatever happens, a run gets exactly one terminal event, and one line in
the log. How events come about is the engine's business, how they look a face's. Made by
`chat.runs.Runs` alone.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from chat import turn_log
from chat.entries import Entries
from chat.errors import BUG, Failure
from chat.events import Entry, Event, TurnFailed
from chat.messages import Turn
from chat.transcript import State, Transcript

log = logging.getLogger("chat.turns")

STOPPED = Failure("stopped", "Stopped.")


class Run:
    """Made by `Runs.start` only. `leaving`: seconds after which it is stopped when nobody reads it."""

    def __init__(
        self, turn: Turn, events: AsyncGenerator[Event, None], *, leaving: float | None = None, log_text: bool
    ) -> None:
        self.id = secrets.token_urlsafe(12)
        self.turn = turn
        self.entries = Entries()
        self.transcript = Transcript()
        self.started = time.time()
        """Seconds since the epoch."""
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._leaving, self._log_text = leaving, log_text
        self._readers = 0
        self._left: asyncio.TimerHandle | None = None
        self._waiting: dict[asyncio.Future[None], tuple[int, bool]] = {}
        self._ended: list[Callable[[], None]] = []
        self._over: list[Callable[[], None]] = []
        self._ending: Failure | None = None
        self._settled = asyncio.Event()
        self._task = asyncio.create_task(self._drive(events), name=f"run {self.id}")
        # Here and not in `_drive`: a task that is cancelled before its first step runs nothing.
        self._task.add_done_callback(lambda _: self._settle())

    # -- for readers -----------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.transcript.state

    @property
    def seq(self) -> int:
        return self.transcript.seq

    @property
    def elapsed(self) -> float:
        """Seconds since it began, or that it took."""
        ended = self.transcript.ended
        return self._clock() - self._began if ended is None else ended

    async def follow(self, after: int = 0) -> AsyncGenerator[list[Entry], None]:
        """Everything past `after`, in as few lists as the reader's own speed makes it, to the end."""
        with self.reading():
            while True:
                if len(self.entries) > after:
                    batch = self.entries[after:]
                    after = batch[-1].seq
                    yield batch
                elif self.transcript.ended is not None:
                    return
                else:
                    await self.wait(after)

    async def wait(self, after: int, *, within: float | None = None, deltas: bool = True) -> None:
        """Until an event past `after` is there, the run is over, or `within` seconds have passed.

        With `deltas=False`, until an event that turned the transcript: more of the same does not count.
        """
        position = self.transcript.seq if deltas else self.transcript.turned
        if position > after:
            return
        if self.transcript.ended is not None and within is None:
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting[future] = (after, deltas)
        timer = None if within is None else loop.call_later(within, _wake, future)
        try:
            await future
        finally:
            self._waiting.pop(future, None)
            if timer is not None:
                timer.cancel()

    def nudge(self) -> None:
        """Whoever waits goes on, though nothing came: a reader may have become something else."""
        for future in self._waiting:
            _wake(future)

    def reading(self) -> "_Reading":
        """A context in which the run counts as read."""
        return _Reading(self)

    @property
    def readers(self) -> int:
        return self._readers

    # -- for whoever owns it ---------------------------------------------------------------

    def stop(self, why: Failure = STOPPED) -> None:
        """Ends the run and frees the provider at once. Harmless when it is over; the first one says why."""
        if not self._task.done():
            self._ending = self._ending or why
            self._task.cancel()

    def abandon(self) -> None:
        """Gives a stopped run its end now, though its provider has not let go: nobody waits for that."""
        if not self._settled.is_set():
            log.warning("run %s: what it was stopped in does not end", self.id)
            self._settle()

    async def finished(self) -> None:
        """Returns when the run is over. Never raises for what happened in it."""
        await self._settled.wait()

    def when_ended(self, call: Callable[[], None]) -> None:
        """`call` right after the terminal event, whoever reads."""
        if self._settled.is_set():
            call()
        else:
            self._ended.append(call)

    def when_over(self, call: Callable[[], None]) -> None:
        """`call` when the run is over and nobody reads it any more."""
        self._over.append(call)
        self._announce()

    # -- inside ----------------------------------------------------------------------------

    async def _drive(self, events: AsyncGenerator[Event, None]) -> None:
        async with aclosing(events):
            async for event in events:
                self._append(event)

    def _append(self, event: Event) -> None:
        if self.transcript.ended is not None:
            return
        at = self._clock() - self._began
        self.transcript.add(self.entries.append(at, event), at, event)
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        seq, turned, over = self.transcript.seq, self.transcript.turned, self.transcript.ended is not None
        for future, (after, deltas) in self._waiting.items():
            if over or (seq if deltas else turned) > after:
                _wake(future)

    def _settle(self) -> None:
        if self._settled.is_set():  # it was abandoned, and has let go after all
            return
        task, failure = self._task, self._ending or STOPPED
        if task.done() and not task.cancelled():
            failure = BUG
            if (error := task.exception()) is not None:
                log.error("run %s: a bug", self.id, exc_info=error)
            elif self.transcript.ended is None:
                log.error("run %s: the engine said no end", self.id)
        self._append(TurnFailed(failure))
        self._settled.set()
        question = self.turn.question if self._log_text else None
        log.info(turn_log.line(self.id, self.transcript, self.entries.times, question))
        for call in self._ended:
            try:
                call()
            except Exception:  # a bug, and the others are to hear of it too
                log.exception("run %s: a bug in what follows its end", self.id)
        self._announce()

    def _announce(self) -> None:
        if self._settled.is_set() and not self._readers:
            calls, self._over = self._over, []
            for call in calls:
                call()

    def _enter(self) -> None:
        self._readers += 1
        if self._left is not None:
            self._left.cancel()
            self._left = None

    def _leave(self) -> None:
        self._readers -= 1
        if self._readers:
            return
        if self._leaving is not None and not self._task.done():
            self._left = asyncio.get_running_loop().call_later(self._leaving, self.stop)
        self._announce()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class _Reading:
    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    def __enter__(self) -> Run:
        self._run._enter()
        return self._run

    def __exit__(self, *_: object) -> None:
        self._run._leave()
