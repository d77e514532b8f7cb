"""Given a stream of deltas and a clock of our own, these are the frames."""

from contextlib import aclosing
from itertools import pairwise

import pytest

from chat.errors import Failure
from chat.events import Event, Notice, TextDelta, TurnFailed, TurnFinished
from chat.pacing import FRAME, Budget, Frame, Pace, frames
from chat.transcript import Transcript


class Told:
    """A source with a clock that moves only while somebody waits: `(seconds, event)` in order."""

    def __init__(self, *script: tuple[float, Event]) -> None:
        self.transcript = Transcript()
        self.now = 0.0
        self._script = list(script)

    def clock(self) -> float:
        return self.now

    async def wait(self, after: int, *, within: float | None = None, deltas: bool = True) -> None:
        end = float("inf") if within is None else self.now + within
        while (self.transcript.seq if deltas else self.transcript.turned) <= after:
            if not self._script or self._script[0][0] > end:
                assert end != float("inf"), "waits for ever"
                self.now = end
                return
            at, event = self._script.pop(0)
            self.now = max(self.now, at)
            self.transcript.add(self.transcript.seq + 1, at, event)


def stream(count: int, rate: float, text: str = "word ") -> list[tuple[float, Event]]:
    return [(place / rate, TextDelta(text)) for place in range(count)]


async def played(
    source: Told, pace: Pace = "as it comes", budget: Budget | None = None, above: int = 0, owner: str = ""
) -> list[tuple[float, Frame]]:
    moments = frames(source, budget or Budget(), pace, above, owner, source.clock)
    async with aclosing(moments):
        return [(source.now, frame) async for frame in moments]


DONE = TurnFinished("end")


async def test_five_hundred_tokens_a_second_are_few_frames_and_no_tail_is_lost() -> None:
    seen = await played(Told(*stream(1000, 500), (2.0, DONE)))
    assert len(seen) <= 2 / FRAME + 3
    assert seen[-1][1] == Frame(5000, last=True)
    assert sum(frame.last for _, frame in seen) == 1


async def test_the_first_words_come_at_once() -> None:
    seen = await played(Told((1.0, TextDelta("Hi")), (5.0, DONE)))
    assert seen[0] == (1.0, Frame(2, last=False))


async def test_anything_but_a_delta_comes_at_once() -> None:
    seen = await played(Told((0, TextDelta("a")), (0.01, Notice("x", "y")), (5, DONE)))
    assert [at for at, _ in seen] == [0, 0.01, 5]


async def test_no_frame_while_nothing_happens() -> None:
    seen = await played(Told((0, TextDelta("a")), (60, TextDelta("b")), (60, DONE)))
    assert len(seen) <= 4


async def test_the_budget_is_shared() -> None:
    budget = Budget()
    budget.streams.update(f"owner {number}" for number in range(99))
    source = Told(*stream(1000, 500), (2.0, DONE))
    seen = await played(source, budget=budget)
    assert len(seen) <= 2 / (100 / budget.rate) + 3
    assert budget.streams.total() == 99


async def test_many_streams_of_one_owner_slow_down_nobody_else() -> None:
    budget, script = Budget(), (*stream(1000, 500), (2.0, DONE))
    alone = await played(Told(*script), budget=budget, owner="other")
    budget.streams["me"] = 400
    assert len(await played(Told(*script), budget=budget, owner="other")) == len(alone)
    assert len(await played(Told(*script), budget=budget, owner="me")) < 5
    assert budget.streams == {"me": 400}


async def test_a_long_chat_gets_fewer_frames() -> None:
    script = (*stream(200, 100), (2.0, DONE))
    short, long = [await played(Told(*script), above=above) for above in (0, 180_000)]
    assert len(long) < 0.6 * len(short)
    assert long[-1][1] == short[-1][1]


async def test_slow_types_at_its_own_rate_and_to_the_end() -> None:
    seen = await played(Told((0, TextDelta("a")), (0, TextDelta("x" * 4000)), (0.1, DONE)), "slow")
    assert seen[-1][1] == Frame(4001, last=True)
    assert 8 < seen[-1][0] < 12
    steps = [b.shown - a.shown for (_, a), (_, b) in pairwise(seen)]
    assert max(steps) < 100


async def test_smooth_spreads_a_burst_and_then_is_done() -> None:
    seen = await played(Told((0, TextDelta("a")), (0.1, TextDelta("x" * 1000)), (0.1, DONE)), "smooth")
    assert len(seen) > 5
    assert seen[-1][1] == Frame(1001, last=True)
    assert seen[-1][0] < 2


@pytest.mark.parametrize("pace", ["smooth", "slow"])
async def test_what_is_stopped_is_shown_whole_at_once(pace: Pace) -> None:
    source = Told(
        (0, TextDelta("a")), (0.1, TextDelta("x" * 4000)), (0.2, TurnFailed(Failure("stopped", "")))
    )
    seen = await played(source, pace)
    assert seen[-1] == (0.2, Frame(4001, last=True))


async def test_a_run_that_is_over_is_one_frame() -> None:
    source = Told()
    source.transcript.add(1, 0, TextDelta("All of it"))
    source.transcript.add(2, 1, DONE)
    assert await played(source, "slow") == [(0, Frame(9, last=True))]
