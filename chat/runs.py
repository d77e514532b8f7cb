"""A run: a turn with a life of its own.

A task drives the engine's events into a list of numbered, timed entries; readers look at the
list from any position, come late, leave and return. A reader that leaves stops nothing; stop is
a signal of its own. Whatever happens, a run gets exactly one terminal event, and one line in
the log. How events come about is the engine's business, how they look a face's.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from chat import turn_log
from chat.conversations import CONTINUE, Conversation, Exchange
from chat.errors import BUG, BadRequest, Failure
from chat.events import Entry, Event, TurnFailed
from chat.messages import Options, Turn
from chat.store import Store
from chat.transcript import State, Transcript

log = logging.getLogger("chat.turns")

KEPT = 60.0
"""Seconds that a finished run stays readable after its last reader left."""

SAVING = 0.5
"""Seconds that a question may take to be saved before a provider is asked all the same."""

STOPPED = Failure("stopped", "Stopped.")
SHUTDOWN = Failure("shutdown", "Interrupted: Runnel was shut down while this was being written.")


class Run:
    """Made by `Runs.start` only."""

    def __init__(
        self, turn: Turn, events: AsyncGenerator[Event, None], *, leaving: float | None = None, log_text: bool
    ) -> None:
        self.id = secrets.token_urlsafe(12)
        self.turn = turn
        self.entries: list[Entry] = []
        self.transcript = Transcript()
        self.started = time.time()
        """Seconds since the epoch."""
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._leaving, self._log_text = leaving, log_text
        self._readers = 0
        self._left: asyncio.TimerHandle | None = None
        self._waiting: dict[asyncio.Future[None], tuple[int, bool]] = {}
        self._over: list[Callable[[], None]] = []
        self._ending = STOPPED
        self._settled = asyncio.Event()
        self._task = asyncio.create_task(self._drive(events), name=f"run {self.id}")
        # Here and not in `_drive`: a task that is cancelled before its first step runs nothing.
        self._task.add_done_callback(self._settle)

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
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = (after, deltas)
        try:
            async with asyncio.timeout(within):
                await future
        except TimeoutError:
            pass
        finally:
            self._waiting.pop(future, None)

    def reading(self) -> "_Reading":
        """A context in which the run counts as read."""
        return _Reading(self)

    @property
    def readers(self) -> int:
        return self._readers

    # -- for whoever owns it ---------------------------------------------------------------

    def stop(self, why: Failure = STOPPED) -> None:
        """Ends the run and frees the provider at once. Harmless when it is over."""
        if not self._task.done():
            self._ending = why
            self._task.cancel()

    async def finished(self) -> None:
        """Returns when the run is over. Never raises for what happened in it."""
        await self._settled.wait()

    def when_ended(self, call: Callable[[], None]) -> None:
        """`call` right after the terminal event, whoever reads."""
        self._task.add_done_callback(lambda _: call())

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
        entry = Entry(len(self.entries) + 1, self._clock() - self._began, event)
        self.entries.append(entry)
        self.transcript.add(entry.seq, entry.at, event)
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        seq, turned, over = self.transcript.seq, self.transcript.turned, self.transcript.ended is not None
        for future, (after, deltas) in self._waiting.items():
            if not future.done() and (over or (seq if deltas else turned) > after):
                future.set_result(None)

    def _settle(self, task: asyncio.Task[None]) -> None:
        failure = self._ending
        if not task.cancelled():
            failure = BUG
            if (error := task.exception()) is not None:
                log.error("run %s: a bug", self.id, exc_info=error)
            elif self.transcript.ended is None:
                log.error("run %s: the engine said no end", self.id)
        self._append(TurnFailed(failure))
        self._settled.set()
        question = self.turn.question if self._log_text else None
        log.info(turn_log.line(self.id, self.transcript, [entry.at for entry in self.entries], question))
        self._announce()

    def _announce(self) -> None:
        if self._task.done() and not self._readers:
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


class _Reading:
    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    def __enter__(self) -> Run:
        self._run._enter()
        return self._run

    def __exit__(self, *_: object) -> None:
        self._run._leave()


class Runs:
    """All runs that are going on, and for a while those that are over."""

    def __init__(
        self,
        answer: Callable[[Turn], AsyncGenerator[Event, None]],
        store: Store | None = None,
        *,
        leaving: float | None = None,
        log_text: bool = False,
        kept: float = KEPT,
    ) -> None:
        self._answer, self._store = answer, store or Store()
        self._leaving, self._log_text, self._kept = leaving, log_text, kept
        self._runs: dict[str, Run] = {}
        self._expiring: dict[str, asyncio.TimerHandle] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, id: str) -> Run | None:
        return self._runs.get(id)

    def start(self, turn: Turn, owner: str = "") -> Run:
        """Begins to answer `turn`, in a task of its own."""
        if self._closed:
            raise BadRequest("Runnel is shutting down. Ask again in a moment.")
        events = self._events(turn, owner)
        run = Run(turn, events, leaving=self._leaving, log_text=self._log_text)
        self._runs[run.id] = run
        run.when_over(lambda: self._expire(run))
        return run

    async def ask(
        self,
        conversation: Conversation,
        question: str,
        options: Options,
        *,
        again: bool = False,
        continues: bool = False,
        key: str = "",
    ) -> Run:
        """Begins to answer `question` in `conversation`. Raises `BadRequest` for one that cannot be asked.

        `again`: the last question once more, whose answer returns if the new one has not a word.
        `continues`: the rest of the last answer; the question is ours. `key`: the asker's name for this
        sending; the same key once more begins nothing, and the run that it began is returned while it
        can still be read (`BadRequest` afterwards).
        """
        if key and (known := await self._store.asked(conversation.owner, key)) is not None:
            if (run := self.get(known)) is not None:
                return run
            raise BadRequest("This question was sent already, and answered.")
        last = conversation.last
        if key and last is not None and last.key == key and (run := self.get(last.run)) is not None:
            return run  # the same sending twice at once
        if last is not None and last.transcript.state == "running":
            raise BadRequest("The last answer is still being written: wait for it, or stop it.")
        if last is None and (again or continues):
            raise BadRequest("There is no answer yet to go on from.")
        question = CONTINUE if continues else question
        if not question.strip():
            raise BadRequest("There is nothing to answer yet: write a question first.")
        replaced = last if again else None
        turn = Turn(question, options, conversation.messages(-1 if replaced else None))
        run = self.start(turn, conversation.owner)
        exchange = Exchange(question, run.id, run.transcript, options=options, continues=continues, key=key)
        if replaced is not None:
            exchange.asked, exchange.continues = replaced.asked, replaced.continues
            exchange.versions, exchange.replaces = replaced.versions, replaced
            exchange.versions.append(run.id)
        self._store.add(conversation, exchange, run)  # before the run's task takes its first step
        run.when_ended(lambda: self._store.ended(conversation, exchange))
        return run

    async def aclose(self, patience: float = 2.0) -> None:
        """Stops what runs; every run gets its terminal event."""
        self._closed = True
        for run in self._runs.values():
            run.stop(SHUTDOWN)
        going = [run.finished() for run in self._runs.values()]
        if going:
            await asyncio.wait([asyncio.ensure_future(f) for f in going], timeout=patience)
        for timer in self._expiring.values():
            timer.cancel()
        self._runs.clear()

    async def _events(self, turn: Turn, owner: str) -> AsyncGenerator[Event, None]:
        """Nothing is asked of a provider before the question is saved, or has had its chance."""
        await self._store.saved(SAVING)
        async with aclosing(self._answer(turn)) as events:
            async for event in events:
                yield event

    def _expire(self, run: Run) -> None:
        def drop() -> None:
            self._expiring.pop(run.id, None)
            if run.readers:
                run.when_over(lambda: self._expire(run))
            else:
                self._runs.pop(run.id, None)

        if old := self._expiring.pop(run.id, None):
            old.cancel()
        self._expiring[run.id] = asyncio.get_running_loop().call_later(self._kept, drop)
