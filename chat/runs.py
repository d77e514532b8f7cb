"""All runs that are going on, and for a while those that are over: beginning them, finding them.

What a run is, is in `chat.run`, what is kept of it, in the store.
Used by the faces.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from weakref import WeakValueDictionary

from chat.conversations import Conversation, Exchange
from chat.errors import BadRequest, Failure, Shutdown
from chat.events import Event, Queued
from chat.limits import Limits
from chat.messages import CONTINUE, Message, Options, Turn
from chat.owners import LOCAL
from chat.quotas import Quotas
from chat.run import Run
from chat.settings import Settings
from chat.slots import Slots, Ticket
from chat.store import Store

__all__ = ["Run", "Runs"]

KEPT = 60.0
"""Seconds that a finished run stays readable after its last reader left."""

SAVING = 0.5
"""Seconds that a question may take to be saved before a provider is asked all the same."""

LONGEST, LONGEST_NAME = 100_000, 200
"""Characters of a question, or of a system prompt: some 25,000 tokens. Of a model's name, or of its effort's.
Whoever asks at this machine's terminal may have them longer."""

MOST = (
    ("Your question", LONGEST),
    ("The system prompt", LONGEST),
    ("The model's name", LONGEST_NAME),
    ("The name of the effort", LONGEST_NAME),
)
"""What a person sends, and the characters of it that fit. The page says so before it sends more."""

LETTING_GO_S = 0.25
"""For providers at the program's end, before the answers end without them: all have their end within half a
second of the signal."""

SHUTDOWN = Failure("shutdown", "Interrupted: Runnel was shut down while this was being written.")


class Runs:
    def __init__(
        self,
        answer: Callable[[Turn], AsyncGenerator[Event, None]],
        store: Store | None = None,
        slots: Slots | None = None,
        limits: Limits | None = None,
        quotas: Quotas | None = None,
        *,
        own_key: Callable[[str, str | None], bool] = lambda owner, model: False,
        leaving: float | None = None,
        log_text: bool = False,
        kept: float = KEPT,
    ) -> None:
        """`own_key`: whether that owner asks that model with a key of their own."""
        self._answer, self._store, self._slots = answer, store or Store(), slots or Slots()
        self._limits, self._own_key = limits or Limits(), own_key
        self._quotas = quotas or Quotas(Settings(), self._store)
        self._leaving, self._log_text, self._kept = leaving, log_text, kept
        self._runs: dict[str, Run] = {}
        self._where: dict[str, Conversation] = {}
        """The conversations that the runs were asked in."""
        self._by_key: WeakValueDictionary[tuple[str, str], Run] = WeakValueDictionary()
        """The runs that can still be read, by owner and by the key of the sending that began them."""
        self._expiring: dict[str, asyncio.TimerHandle] = {}
        self._closed = False
        self._store.when_stop_asked(self.stop)  # another process asks for it

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, id: str) -> Run | None:
        return self._runs.get(id)

    def stop(self, id: str) -> None:
        """Stops the run `id`, whosever it is. Harmless when there is none."""
        if (run := self.get(id)) is not None:
            run.stop()

    def conversation(self, owner: str, id: str) -> Conversation | None:
        """Where the run `id` was asked, when it can still be read and is `owner`'s."""
        found = self._where.get(id)
        return found if found is not None and owner and found.owner == owner else None

    @property
    def closed(self) -> bool:
        """Whether the program is ending: nothing begins any more."""
        return self._closed

    def start(
        self,
        turn: Turn,
        owner: str = "",
        network: str = "",
        *,
        saved: bool = True,
        stops_when_left: bool = False,
    ) -> Run:
        """Begins to answer `turn`, in a task of its own, when it is the owner's turn. `network`: where a
        stranger comes from. `saved`: whether the question is saved before a provider is asked.
        `stops_when_left`: whether its last reader's leaving stops it, whatever the settings say.

        Raises `Shutdown` at the program's end, and `RateLimited` when too many wait already.
        """
        if self._closed:
            raise Shutdown("Runnel is shutting down. Ask again in a moment.")
        ticket = self._slots.join(owner, network)
        leaving = 0.0 if stops_when_left else self._leaving
        run = Run(turn, self._events(turn, ticket, saved), leaving=leaving, log_text=self._log_text)
        # Here and not in `_events`: a task that is cancelled before its first step runs nothing.
        run.when_ended(ticket.leave)
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
        history: tuple[Message, ...] | None = None,
        address: str = "",
        keep: bool = True,
        stops_when_left: bool = False,
    ) -> Run:
        """Begins to answer `question` in `conversation`. Raises `BadRequest` for one that cannot be asked,
        `RateLimited` when too many wait already, or were asked from there lately, `NoRoom` when nothing more
        can be kept, and `Shutdown`.

        `again`: the last question once more (`question` is not looked at), whose answer, with all that went
        on from it, returns if the new one has not a word. `continues`: the rest of the last answer; the
        question is ours. `key`: the asker's name for this sending; the same key once more begins nothing,
        and the run that it began is returned while it can still be read (`BadRequest` afterwards).
        `history`: what the model is told was said before, in the place of what the conversation holds;
        nothing of it is kept. `address`: where the asker comes from; "" for this very process. `keep`:
        whether the store gets question and answer, which otherwise are gone when the run is.
        `stops_when_left`: as in `start`.
        """
        # What another process wrote in it meanwhile comes before this question.
        await self._store.peek(conversation.owner, conversation.id)
        if key and (known := await self._store.asked(conversation.owner, key)) is not None:
            if (run := self.get(known)) is not None:
                return run
            raise BadRequest("This question was sent already, and answered.")
        if address or conversation.owner != LOCAL:
            _fits("" if again or continues else question, options)
        network = self._limits.network(conversation.owner, address)
        if keep:
            await self._quotas.check(conversation.owner, network)
        # Nothing is awaited from here on: a sending that comes several times at once begins one run.
        if key and (run := self._by_key.get((conversation.owner, key))) is not None:
            return run
        last = conversation.last
        if last is not None and last.transcript.state == "running":
            raise BadRequest("The last answer is still being written: wait for it, or stop it.")
        if again or continues:
            if last is None:
                raise BadRequest("There is no answer yet to go on from.")
            if continues and not last.transcript.text.strip():
                raise BadRequest("The last answer has not a word to go on from: try again instead.")
            question = CONTINUE
        if not question.strip():
            raise BadRequest("There is nothing to answer yet: write a question first.")
        replaced: list[Exchange] = []
        if again and last is not None:
            # The question's whole answer: what went on from a part of it goes with it. But a continuation
            # that has not a word is all that failed.
            nothing = last.continues and not last.transcript.text.strip()
            replaced = [last] if nothing else conversation.answer(-1)
            question = replaced[0].question
        if history is None:
            history = conversation.messages(-len(replaced) if replaced else None)
        owner = conversation.owner
        own = self._own_key(owner, options.model)
        self._limits.check(owner, network, own=own)
        turn = Turn(question, options, history, owner)
        run = self.start(turn, owner, network, saved=keep, stops_when_left=stops_when_left)
        self._limits.count(owner, network, own=own)
        self._where[run.id] = conversation
        if not keep:
            return run
        exchange = Exchange(question, run.id, run.transcript, options=options, continues=continues, key=key)
        if replaced:
            exchange.asked, exchange.continues = replaced[0].asked, replaced[0].continues
            exchange.versions, exchange.replaces = replaced[0].versions, replaced
            exchange.versions.append(run.id)
        if key:
            self._by_key[owner, key] = run
        usage = self._quotas.disk_usage(network)
        usage.expect("" if replaced else question)
        # Before the run's task takes its first step.
        self._store.add(conversation, exchange, run, usage.saved)
        run.when_ended(lambda: usage.expect(exchange.transcript.text))
        run.when_ended(lambda: self._store.ended(conversation, exchange))
        return run

    async def aclose(self, patience: float = LETTING_GO_S) -> None:
        """Stops what runs; every run gets its terminal event. `patience`: seconds for providers to let go."""
        self._closed = True
        runs = list(self._runs.values())
        for run in runs:
            run.stop(SHUTDOWN)
        going = [asyncio.ensure_future(run.finished()) for run in runs]
        if going:
            await asyncio.wait(going, timeout=patience)
        for run, over in zip(runs, going, strict=True):
            over.cancel()
            run.abandon()
        for timer in self._expiring.values():
            timer.cancel()
        self._runs.clear()
        self._where.clear()

    async def _events(self, turn: Turn, ticket: Ticket, saved: bool) -> AsyncGenerator[Event, None]:
        """With `saved`, a provider is asked when the question is saved, or has had its chance."""
        async for place in ticket:
            yield Queued(place)
        if saved:
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
                self._where.pop(run.id, None)

        if old := self._expiring.pop(run.id, None):
            old.cancel()
        self._expiring[run.id] = asyncio.get_running_loop().call_later(self._kept, drop)


def _fits(question: str, options: Options) -> None:
    """Raises `BadRequest` for what is too long: every visitor's questions cost money."""
    for text, (what, most) in zip(
        (question, options.system or "", options.model or "", options.effort or ""), MOST, strict=True
    ):
        if len(text) > most:
            raise BadRequest(f"{what} has {len(text):,} characters, and {most:,} fit: shorten it.")
