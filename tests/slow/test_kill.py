"""A process killed in the middle of its answers, at twenty moments that nobody chose.

Given what the vendor sent and when: the next process finds a prefix of it that lacks no more than half
a second, says that it was interrupted, and goes on with the conversation. Another process on the same
database notices nothing.
"""

import asyncio
import contextlib
import random
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from tests.slow.talker import Asked, Talker, talker
from tests.upstream import Recorded, Upstream

pytestmark = pytest.mark.slow

KILLS = 20
LOST = 0.5
"""Seconds of text that a kill may cost."""
RATES = (20, 50, 200)
"""Tokens per second of the answers that are killed together."""


def tokens(count: int) -> str:
    return "".join(f"tok{number} " for number in range(1, count + 1))


def sent(upstream: Upstream, question: str) -> Recorded:
    return next(reply for reply in reversed(upstream.replies) if reply.question == question)


def sound(database: Path) -> bool:
    connection = sqlite3.connect(database)
    try:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


async def goes_on(neighbour: Talker, asked: list[Asked]) -> None:
    """Answers of two seconds, one after another, until it is cancelled; then the last one's end."""
    leave = False
    while not leave:
        asked.append(await neighbour.ask(f"text-100-50@neighbour{len(asked)}", owner="neighbour"))
        over = asyncio.create_task(neighbour.over(asked[-1].run))
        try:
            await asyncio.shield(over)
        except asyncio.CancelledError:
            leave = True
        assert await over == ("complete", tokens(100))


@dataclass
class Killed:
    """An answer that was being written."""

    chat: str
    question: str
    sent: int
    """Tokens, by the vendor."""
    at: float
    late: float
    """What the process had waited for a core in the second before."""


class Waiting:
    """How long a process has waited for a core: what a busy machine takes counts against nobody."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._seen: list[tuple[float, dict[str, float]]] = []

    async def watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(0.05)

    def look(self) -> None:
        waited: dict[str, float] = {}
        for task in Path(f"/proc/{self._pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # a thread that ended just now
                waited[task.parent.name] = int(task.read_text().split()[1]) / 1e9
        self._seen.append((time.time(), waited))

    def within(self, seconds: float) -> float:
        """Seconds that its threads waited in so many before the last look; 0 where that is not known."""
        now, waited = self._seen[-1]
        before = next(before for at, before in self._seen if at >= now - seconds)
        return sum(waited[thread] - before.get(thread, 0.0) for thread in waited)


async def test_a_kill_costs_half_a_second_at_most(upstream: Upstream, tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    chance = random.Random()
    lost: list[float] = []
    allowed: list[float] = []
    kept = 0
    before: list[Killed] = []
    chats: list[str] = [""] * len(RATES)
    known: list[list[tuple[str, str, str]]] = [[] for _ in RATES]
    neighbours: list[Asked] = []
    async with talker(database, upstream.url) as neighbour:
        going = asyncio.create_task(goes_on(neighbour, neighbours))
        for kill in range(KILLS + 1):
            async with talker(database, upstream.url) as here:
                for at, it in enumerate(before):
                    exchanges = await here.open(it.chat)
                    assert exchanges[:-1] == known[at], "what was there before has changed"
                    asked, state, text = exchanges[-1]
                    assert (asked, state) == (it.question, "interrupted")
                    assert tokens(it.sent).startswith(text), "not a prefix of what was sent"
                    moments = sent(upstream, it.question).tokens
                    kept += len(text)
                    first_lost = text.count(" ")  # tokens that are whole, each ends with a blank
                    lost.append(max(0.0, it.at - moments[first_lost]) if first_lost < it.sent else 0.0)
                    allowed.append(LOST + it.late)
                    following = f"text-5@{kill}-{at}-next"
                    next_turn = await here.ask(following, chat=it.chat)
                    assert await here.over(next_turn.run) == ("complete", tokens(5))
                    body = str(sent(upstream, following).body["messages"])
                    assert text in body, "the next turn did not know of it"
                    known[at] = [*exchanges, (following, "complete", tokens(5))]
                assert sound(database)
                if kill == KILLS:
                    break
                questions = [f"text-5000-{rate}@{kill}-{at}" for at, rate in enumerate(RATES)]
                begun = [await here.ask(q, chat=chat) for q, chat in zip(questions, chats, strict=True)]
                chats = [each.chat for each in begun]
                await asyncio.gather(*(spoken(upstream, question) for question in questions))
                waiting = Waiting(here.pid)
                watching = asyncio.create_task(waiting.watch())
                await asyncio.sleep(chance.uniform(0.0, 2.5))
                waiting.look()
                await here.kill()
                killed = time.time()
                watching.cancel()
                late = waiting.within(1)
                before = [
                    Killed(chat, question, len(sent(upstream, question).tokens), killed, late)
                    for chat, question in zip(chats, questions, strict=True)
                ]
        going.cancel()
        await going
    assert len(lost) == KILLS * len(RATES)
    assert len(neighbours) > KILLS / 4
    async with talker(database, upstream.url) as later:
        for asked in neighbours:
            ((_, state, text),) = await later.open(asked.chat, owner="neighbour")
            assert (state, text) == ("complete", tokens(100))
    print(
        f"\nkill -9, {KILLS} times {len(RATES)} answers: {median(lost) * 1000:.0f} ms of text lost (median), "
        f"{max(lost) * 1000:.0f} ms at most; in the second before the process waited for a core "
        f"{(median(allowed) - LOST) * 1000:.0f} ms, at most {(max(allowed) - LOST) * 1000:.0f}; "
        f"{kept} characters kept; {len(neighbours)} answers of the process beside it whole"
    )
    assert [(each, most) for each, most in zip(lost, allowed, strict=True) if each > most] == []


async def spoken(upstream: Upstream, question: str) -> None:
    """The vendor has said the first word of its answer to `question`."""
    number = 0
    while (reply := await upstream.request(number)).question != question:
        number += 1
    await reply.spoke.wait()
