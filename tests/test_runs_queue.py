"""Runs at once: who has to wait is told so, asks nobody meanwhile, and never keeps a slot."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import slots
from chat.conversations import Conversation
from chat.errors import RateLimited
from chat.events import Event, Queued, TextDelta, TurnFinished, TurnStarted
from chat.messages import Options, Turn
from chat.runs import Run, Runs
from chat.slots import Slots


class Engine:
    """Answers `hold` until told to go on, `bug` with a bug, and all else at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now: Counter[str] = Counter()
        """Answers that are being written, by owner: a question is `owner …`."""
        self.most = 0
        self.go = asyncio.Event()

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        owner, what = turn.question.split()[:2]
        self.asked.append(turn.question)
        self.now[owner] += 1
        self.most = max(self.most, self.now.total())
        assert self.now[owner] <= 2
        try:
            yield TurnStarted("acme:one", {})
            if what == "bug":
                raise ZeroDivisionError
            if what == "hold":
                await self.go.wait()
            yield TextDelta("Yes.")
            yield TurnFinished("end")
        finally:
            self.now[owner] -= 1


def places(run: Run) -> list[int]:
    return [entry.event.place for entry in run.entries if isinstance(entry.event, Queued)]


async def steps(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_waits_is_told_how_many_are_before_and_asks_nobody() -> None:
    engine, limits = Engine(), Slots(1, 9)
    runs = Runs(engine.answer, slots=limits)
    first, second, third = (runs.start(Turn(f"ann hold {n}"), "ann") for n in range(3))
    await steps()
    assert engine.asked == ["ann hold 0"]
    assert [places(run) for run in (first, second, third)] == [[], [0], [1]]
    assert third.transcript.phase.phase == "queued"
    assert third.transcript.phase.detail == "1"
    first.stop()
    await first.finished()
    await steps()
    assert engine.asked == ["ann hold 0", "ann hold 1"]
    assert places(third) == [1, 0]
    engine.go.set()
    await third.finished()
    assert third.state == "complete"
    assert [step.phase for step in third.transcript.steps].count("queued") == 1
    assert limits.held == 0


async def test_a_free_slot_at_once_tells_nothing() -> None:
    runs = Runs(Engine().answer, slots=Slots(1, 1))
    run = runs.start(Turn("ann quick"), "ann")
    await run.finished()
    assert isinstance(run.entries[0].event, TurnStarted)


async def test_stopped_while_it_waits_it_asks_nobody_and_lets_the_next_one_up() -> None:
    engine, limits = Engine(), Slots(1, 9)
    runs = Runs(engine.answer, slots=limits)
    first, second, third = (runs.start(Turn(f"ann hold {n}"), "ann") for n in range(3))
    await steps()
    second.stop()
    await second.finished()
    await steps()
    assert second.state == "stopped"
    assert places(third) == [1, 0]
    assert (limits.held, limits.waiting) == (1, 1)
    first.stop()
    await first.finished()
    await steps()
    assert engine.asked == ["ann hold 0", "ann hold 2"]
    await runs.aclose()
    assert (limits.held, limits.waiting) == (0, 0)


async def test_stopped_before_its_first_step_it_keeps_no_slot() -> None:
    limits = Slots(1, 1)
    runs = Runs(Engine().answer, slots=limits)
    first, second = runs.start(Turn("ann hold"), "ann"), runs.start(Turn("bob quick"), "bob")
    first.stop()
    await second.finished()
    assert second.state == "complete"
    assert limits.held == 0


async def test_a_bug_frees_the_slot(caplog: pytest.LogCaptureFixture) -> None:
    limits = Slots(1, 1)
    runs = Runs(Engine().answer, slots=limits)
    runs.start(Turn("ann bug"), "ann")
    run = runs.start(Turn("ann quick"), "ann")
    await run.finished()
    assert run.state == "complete"
    assert limits.held == 0


async def test_one_question_too_many_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "WAITING_EACH", 1)
    runs = Runs(Engine().answer, slots=Slots(1, 9))
    for _ in range(2):
        runs.start(Turn("ann hold"), "ann")
    conversation = Conversation("ann")
    with pytest.raises(RateLimited, match="waiting already"):
        await runs.ask(conversation, "Three?", Options())
    assert conversation.exchanges == []
    assert len(runs) == 2
    await runs.aclose()


async def test_at_the_end_who_waits_is_interrupted_and_asks_nobody() -> None:
    engine, limits = Engine(), Slots(1, 9)
    runs = Runs(engine.answer, slots=limits)
    started = [runs.start(Turn(f"ann hold {n}"), "ann") for n in range(4)]
    await steps()
    await runs.aclose()
    assert [run.state for run in started] == ["interrupted"] * 4
    assert engine.asked == ["ann hold 0"]
    assert (limits.held, limits.waiting) == (0, 0)


asking = st.tuples(st.sampled_from(("ann", "bob", "eve")), st.sampled_from(("hold", "quick", "bug")))


@given(st.lists(asking | st.integers(0, 30) | st.none(), max_size=40))
def test_limits_hold_and_no_slot_is_lost_whatever_happens(
    script: list[tuple[str, str] | int | None],
) -> None:
    """A script asks, stops the run of a number, or lets time pass."""

    async def play() -> None:
        engine, limits = Engine(), Slots(2, 3)
        runs = Runs(engine.answer, slots=limits)
        started: list[Run] = []
        for step in script:
            match step:
                case (owner, what):
                    with suppress(RateLimited):
                        started.append(runs.start(Turn(f"{owner} {what}"), owner))
                case int(number):
                    if number < len(started):
                        started[number].stop()
                case None:
                    await steps(3)
            assert limits.held <= 3
        engine.go.set()
        for run in started:
            await run.finished()
        await steps()
        assert engine.most <= 3
        assert (limits.held, limits.waiting) == (0, 0)
        assert not engine.now.total()
        assert all(run.state != "running" for run in started)
        assert all(before != after for run in started for before, after in pairwise(places(run)))
        await runs.aclose()

    asyncio.run(play())
