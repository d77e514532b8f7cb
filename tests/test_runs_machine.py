"""Runs and the store against a model so simple that it can be believed.

Hypothesis asks, lets engines speak, reads from any position, leaves and returns, stops, fails, closes
and opens the store, and kills: a kill is the database's files as they lie there at that moment, opened
by another store, while all that the first one still holds in memory is thrown away.

What must hold: every run ends once; every reader sees each event once and in order; what was closed
is whole again, what was killed is a prefix that lacks no more than came since the last saving; nothing
goes on when all is closed.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chat.conversations import Conversation, Exchange
from chat.errors import BadRequest, Server
from chat.events import Entry, Event, TextDelta, ThinkingDelta, TurnFailed, TurnFinished, TurnStarted
from chat.messages import CONTINUE, Options, Turn
from chat.runs import Run, Runs
from chat.slots import Slots
from chat.store import Store, open_store
from chat.transcript import State

T = TypeVar("T")
PATIENCE = 20.0
"""Seconds for what needs milliseconds, on a machine with other things to do."""

OWNERS = ("anna", "ben")
thens = st.sampled_from([""] * 20 + ["stop", "restart", "kill"])
places = st.integers(0, 1000)
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


class Teller:
    """The engine's side of one run: it says what it is told to."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.says: asyncio.Queue[Event | BaseException] = asyncio.Queue()

    async def answer(self) -> AsyncGenerator[Event, None]:
        yield TurnStarted("acme:one", {})
        while True:
            said = await self.says.get()
            if isinstance(said, BaseException):
                raise said
            yield said
            if isinstance(said, TurnFinished | TurnFailed):
                return


@dataclass(eq=False)
class Answer:
    """What one run should be."""

    id: str
    text: str = ""
    thinking: str = ""
    state: State = "running"
    before: "list[Place]" = field(default_factory=list)
    """What stood in its place: a whole answer, with all that went on from it."""
    again: bool = False
    """What stood there can come back: this one is not over."""
    safe: tuple[State, int] | None = None
    """Its state and length when all was last known to be saved; None before that."""


@dataclass(eq=False)
class Place:
    """A question, and which answer to it is shown."""

    question: str
    shown: Answer
    continues: bool = False


@dataclass(eq=False)
class Chat:
    owner: str
    id: str
    places: list[Place] = field(default_factory=list)

    @property
    def last(self) -> Answer | None:
        return self.places[-1].shown if self.places else None


@dataclass(eq=False)
class Reader:
    run: Run
    after: int
    seen: list[Entry] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    async def read(self) -> None:
        async for batch in self.run.follow(self.after):
            assert batch, "an empty list"
            self.seen += batch


class Life(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir="."))
        self.files = 0
        self.runner = asyncio.Runner()
        self.chats: list[Chat] = []
        self.readers: list[Reader] = []
        self.asked = self.sendings = self.events = 0
        self.touched: list[Chat] = []
        self.runs_seen: list[Run] = []
        """All of this process's life, with their engines below."""
        self.tellers: dict[str, Teller] = {}
        self.do(self._open())

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.restart()
            self.do(self._close())
            self.do(self._nothing_goes_on())
        finally:
            self.runner.close()
            shutil.rmtree(self.folder)

    # -- what can happen ---------------------------------------------------------------------------

    @rule(owner=st.sampled_from(OWNERS), chat=places, fresh=st.booleans(), word=words, then=thens)
    def ask(self, owner: str, chat: int, fresh: bool, word: str, then: str) -> None:
        """A question, and a first word of the answer. `then`: what comes before its run takes a step."""
        mine = [each for each in self.chats if each.owner == owner]
        self.asked += 1
        asked = self.do(self._new(owner)) if fresh or not mine else pick(mine, chat)
        self.do(self._ask(asked, f"{word} {self.asked}?"))
        self._then(then)
        if (last := asked.last) is not None and last in self.speaking:
            self.do(self._tell(last, TextDelta(word)))
            last.text += word

    @precondition(lambda self: self.chats)
    @rule(chat=places, then=thens)
    def again(self, chat: int, then: str) -> None:
        self.do(self._ask(pick(self.chats, chat), "", again=True))
        self._then(then)

    @precondition(lambda self: self.chats)
    @rule(chat=places)
    def continues(self, chat: int) -> None:
        self.do(self._ask(pick(self.chats, chat), "", continues=True))
        self.do(self._settled())

    @precondition(lambda self: self.speaking)
    @rule(run=places, pieces=st.lists(words, min_size=1, max_size=5), thinking=st.booleans())
    def say(self, run: int, pieces: list[str], thinking: bool) -> None:
        answer = pick(self.speaking, run)
        self._touch_of(answer)
        kind = ThinkingDelta if thinking else TextDelta
        self.do(self._tell(answer, *map(kind, pieces)))
        if thinking:
            answer.thinking += unbroken("".join(pieces))
        else:
            answer.text += "".join(pieces)

    @precondition(lambda self: self.speaking)
    @rule(run=places, how=st.sampled_from(["finish", "fail", "break", "bug"]))
    def end(self, run: int, how: str) -> None:
        answer = pick(self.speaking, run)
        self._touch_of(answer)
        ends: dict[str, Event | BaseException] = {
            "finish": TurnFinished("end"),
            "fail": TurnFailed(Server("The vendor had an error. Ask again.").told(operator=True)),
            "break": TurnFailed(Server("The line broke. Ask again.").told(operator=True)),
            "bug": ZeroDivisionError("by a bug"),
        }
        self.do(self._tell(answer, ends[how], over=True))
        self._ended(answer, "complete" if how == "finish" else "failed")
        self.do(self._settled())

    @precondition(lambda self: self.running)
    @rule(run=places, twice=st.booleans())
    def stop(self, run: int, twice: bool) -> None:
        answer = pick(self.running, run)
        self._touch_of(answer)

        async def stop() -> None:
            found = self._run(answer)
            found.stop()
            if twice:
                found.stop()
            await wait(found.finished())

        self.do(stop())
        self._ended(answer, "stopped")
        self.do(self._settled())

    @precondition(lambda self: self.runs_seen)
    @rule(run=places, after=places)
    def read(self, run: int, after: int) -> None:
        """Somebody begins to read, or returns, from anywhere."""
        found = pick(self.runs_seen, run)

        async def read() -> None:
            reader = Reader(found, after % (found.seq + 1))
            reader.task = asyncio.create_task(reader.read())
            self.readers.append(reader)

        self.do(read())

    @precondition(lambda self: self.readers)
    @rule(reader=places)
    def leave(self, reader: int) -> None:
        self.do(self._leave(pick(self.readers, reader)))

    @precondition(lambda self: self.events > 3)
    @rule()
    def save(self) -> None:
        self.do(self._save())

    @precondition(lambda self: self.events > 5)
    @rule()
    def restart(self) -> None:
        """All is closed as SIGTERM does it, and opened again."""
        running = self.running
        self.do(self._close())
        for answer in running:
            self._ended(answer, "interrupted")
        self._marks()
        self.do(self._open())
        self._opened()

    @precondition(lambda self: self.events > 5)
    @rule()
    def kill(self) -> None:
        """The process is gone from one moment to the next, and another one begins."""
        self.do(self._kill())
        self._opened()

    def _then(self, what: str) -> None:
        if what == "stop":
            self.do(self._stop_all())
        elif what:
            getattr(self, what)()
        self.do(self._settled())

    # -- what must hold ----------------------------------------------------------------------------

    @invariant()
    def conversations_are_what_was_said(self) -> None:
        self.do(self._compare())

    @invariant()
    def runs_end_once_and_readers_miss_nothing(self) -> None:
        self.do(self._caught_up())
        for run in self.runs_seen:
            ends = [entry.seq for entry in run.entries if isinstance(entry.event, TurnFinished | TurnFailed)]
            over = run.transcript.ended is not None
            assert ends == ([run.seq] if over else []), "exactly one terminal event, the last one"
            assert [entry.seq for entry in run.entries] == [*range(1, run.seq + 1)]
        for reader in self.readers:
            assert reader.seen == reader.run.entries[reader.after :]

    # -- the model ---------------------------------------------------------------------------------

    @property
    def running(self) -> list[Answer]:
        return [c.last for c in self.chats if c.last is not None and c.last.state == "running"]

    @property
    def speaking(self) -> list[Answer]:
        """Those whose engine was called."""
        return [answer for answer in self.running if answer.id in self.tellers]

    def _ended(self, answer: Answer, state: State) -> None:
        answer.state = state
        if answer.again and not answer.text.strip():
            chat = next(chat for chat in self.chats if chat.last is answer)
            chat.places[-1:] = answer.before
        answer.again = False

    def _marks(self) -> None:
        """All that there is now is saved."""
        for chat in self.chats:
            for place in chat.places:
                place.shown.safe = (place.shown.state, len(place.shown.text))

    # -- the real thing ----------------------------------------------------------------------------

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(what)

    def _opened(self) -> None:
        self.touched, self.events = [*self.chats], 0

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        self.store: Store = await self.stack.enter_async_context(open_store(self._database()))
        self.slots = Slots(2, 3)
        self.runs = Runs(self._answer, self.store, self.slots)

    def _database(self) -> Path:
        return self.folder / f"{self.files}" / "chat.db"

    async def _close(self) -> None:
        await self._all_leave()
        await self.runs.aclose()
        await self.stack.aclose()
        self._forget()

    def _forget(self) -> None:
        self.runs_seen.clear()
        self.tellers.clear()

    async def _kill(self) -> None:
        there = self._database().parent
        self.files += 1
        copy(there, self._database().parent)
        await self._all_leave()
        await self.runs.aclose()
        await self.stack.aclose()  # what this still saves is in files that nobody looks at
        self._forget()
        await self._open()
        for chat in self.chats[:]:
            found = await self.store.open(chat.owner, chat.id)
            if found is None:
                assert all(place.shown.safe is None for place in chat.places)
                self.chats.remove(chat)
                continue
            for number, exchange in enumerate(found.exchanges):
                assert number < len(chat.places), "something that was never asked"
                self._survived(chat, number, exchange)
            for place in chat.places[len(found.exchanges) :]:
                assert place.shown.safe is None, "a saved question is gone"
                chat.places.remove(place)
        self._marks()

    def _survived(self, chat: Chat, number: int, exchange: Exchange) -> None:
        """Takes over what the kill left, if it may be so."""
        text, state = exchange.transcript.text, exchange.transcript.state
        while exchange.run != (answer := chat.places[number].shown).id:
            # Asked again: the new answer had no word on the disk yet, and the old one is back.
            assert answer.safe is None or answer.safe[1] == 0, "what was saved is gone"
            assert answer.before, "an answer from nowhere"
            chat.places[number : number + 1] = answer.before
        safe_state, safe_length = answer.safe or ("running", 0)
        assert answer.text.startswith(text), "not a prefix of what was said"
        assert len(text) >= safe_length, "what was saved is gone"
        if safe_state != "running":
            assert (state, text) == (answer.state, answer.text), "what was over and saved has changed"
        elif state != "interrupted":
            assert (state, text) == (answer.state, answer.text), "half of an end"
        thinking = unbroken(exchange.transcript.thinking)
        assert answer.thinking.startswith(thinking)
        answer.text, answer.thinking, answer.state, answer.again = text, thinking, state, False

    async def _save(self) -> None:
        assert await self.store.saved(PATIENCE)
        assert self.store.trouble == ""
        self._marks()

    async def _answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        run = next(run for run in self.runs_seen if run.turn is turn)
        teller = self.tellers[run.id] = Teller(turn)
        # The question is in the database before a provider hears of it.
        answer = next(a for a in self.running if a.id == run.id)
        answer.safe = answer.safe or ("running", 0)
        async for event in teller.answer():
            yield event

    async def _new(self, owner: str) -> Chat:
        self.chats.append(Chat(owner, self.store.new(owner).id))
        return self.chats[-1]

    async def _ask(self, chat: Chat, question: str, *, again: bool = False, continues: bool = False) -> None:
        self._touch(chat)
        found = await self._found(chat)
        last = chat.last
        question = chat.places[-1].question if again and chat.places else question
        self.sendings += 1
        key = f"sending {self.sendings}"

        async def send() -> Run:
            options = Options(model="acme:one")
            return await self.runs.ask(found, question, options, again=again, continues=continues, key=key)

        nothing = last is None and (again or continues)
        wordless = last is not None and continues and not last.text.strip()
        if nothing or wordless or (last is not None and last.state == "running"):
            with pytest.raises(BadRequest):
                await send()
            return
        run = await send()
        self.runs_seen.append(run)
        answer = Answer(run.id, again=again)
        if again:
            # What went on from a part of the answer goes with it; a continuation without a word is all
            # that is asked again.
            first = len(chat.places) - 1
            if last is not None and last.text.strip():
                while chat.places[first].continues:
                    first -= 1
            answer.before = chat.places[first:]
            head = answer.before[0]
            chat.places[first:] = [Place(head.question, answer, head.continues)]
        else:
            chat.places.append(Place(CONTINUE if continues else question, answer, continues))
        if self.sendings % 2:
            assert await send() is run, "sent twice, asked twice"

    async def _stop_all(self) -> None:
        stopped = self.running
        for answer in stopped:
            self._touch_of(answer)
        for answer in stopped:
            self._run(answer).stop()
        for answer in stopped:
            await wait(self._run(answer).finished())
            self._ended(answer, "stopped")

    async def _settled(self) -> None:
        """Whoever has a slot was called, and the question of whoever waits for one is saved."""

        async def settle() -> None:
            while len(self.speaking) < self.slots.held:
                await asyncio.sleep(0)
            if self.slots.waiting:
                assert await self.store.saved(PATIENCE)

        await wait(settle())

    async def _tell(self, answer: Answer, *events: Event | BaseException, over: bool = False) -> None:
        run, seq = self._run(answer), self._run(answer).seq
        for event in events:
            self.tellers[answer.id].says.put_nowait(event)
        if over:
            await wait(run.finished())
        while run.seq < seq + len(events):
            await run.wait(run.seq, within=PATIENCE)

    def _run(self, answer: Answer) -> Run:
        return next(run for run in self.runs_seen if run.id == answer.id)

    def _touch(self, *chats: Chat) -> None:
        self.events += 1
        self.touched += [chat for chat in chats if chat not in self.touched]

    def _touch_of(self, answer: Answer) -> None:
        self._touch(*(chat for chat in self.chats if chat.last is answer))

    async def _found(self, chat: Chat) -> Conversation:
        found = await self.store.open(chat.owner, chat.id)
        assert found is not None, "a conversation is gone"
        other = next(owner for owner in OWNERS if owner != chat.owner)
        assert await self.store.open(other, chat.id) is None, "somebody else's can be opened"
        return found

    async def _compare(self) -> None:
        """Those that something happened to since the last time."""
        if not self.touched:
            return
        for chat in self.touched:
            found = await self._found(chat)
            await self.store.earlier(found, len(found.exchanges))
            said = [(e.question, e.run, e.transcript.state, e.transcript.text) for e in found.exchanges]
            assert said == [(p.question, p.shown.id, p.shown.state, p.shown.text) for p in chat.places]
            thought = [unbroken(exchange.transcript.thinking) for exchange in found.exchanges]
            assert thought == [place.shown.thinking for place in chat.places]
            assert [e.continues for e in found.exchanges] == [place.continues for place in chat.places]
        self.touched.clear()
        for owner in OWNERS:
            listed = {each.id for each in await self.store.chats(owner, limit=1000)}
            assert listed == {chat.id for chat in self.chats if chat.owner == owner}

    async def _caught_up(self) -> None:
        async def up(reader: Reader) -> None:
            while len(reader.seen) < reader.run.seq - reader.after:
                await asyncio.sleep(0)
            if reader.run.transcript.ended is not None and reader.task is not None:
                await reader.task

        await wait(asyncio.gather(*map(up, self.readers)))

    async def _leave(self, reader: Reader) -> None:
        self.readers.remove(reader)
        assert reader.task is not None
        reader.task.cancel()
        await asyncio.wait([reader.task])

    async def _all_leave(self) -> None:
        for reader in self.readers[:]:
            await self._leave(reader)

    async def _nothing_goes_on(self) -> None:
        me = asyncio.current_task()
        while left := asyncio.all_tasks() - {me}:
            await wait(asyncio.wait(left))


def copy(there: Path, here: Path) -> None:
    """The database as it is on the disk, at one moment of it: its thread may still write."""
    while True:
        before = {file: file.stat().st_mtime_ns for file in there.iterdir()}
        shutil.copytree(there, here, ignore=shutil.ignore_patterns("*-shm"), dirs_exist_ok=True)
        if before == {file: file.stat().st_mtime_ns for file in there.iterdir()}:
            return
        shutil.rmtree(here)


def unbroken(text: str) -> str:
    """Without line breaks: thoughts are shown with some between them."""
    return text.replace("\n", "")


def pick(among: list[T], number: int) -> T:
    return among[number % len(among)]


async def wait(what: Any) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await what


def lives(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def test_nothing_is_lost_whatever_happens() -> None:
    lives(8, 25)


@pytest.mark.slow
def test_nothing_is_lost_in_longer_lives() -> None:
    lives(100, 50)
