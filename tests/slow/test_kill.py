"""A process killed in the middle of its answers, at twenty moments that nobody chose.

Given what the vendor sent and when: the next process finds a prefix of it that lacks no more than half
a second, says that it was interrupted, and goes on with the conversation. Another process on the same
database notices nothing.
"""

import asyncio
import random
import sqlite3
import time
from pathlib import Path

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


async def test_a_kill_costs_half_a_second_at_most(upstream: Upstream, tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    chance = random.Random()
    lost: list[float] = []
    kept = 0
    before: list[tuple[str, str, int, float]] = []
    """Of the answers that were killed: chat, question, tokens sent, when it was killed."""
    chats: list[str] = [""] * len(RATES)
    known: list[list[tuple[str, str, str]]] = [[] for _ in RATES]
    neighbours: list[Asked] = []
    async with talker(database, upstream.url) as neighbour:
        going = asyncio.create_task(goes_on(neighbour, neighbours))
        for kill in range(KILLS + 1):
            async with talker(database, upstream.url) as here:
                for at, (chat, question, count, killed) in enumerate(before):
                    exchanges = await here.open(chat)
                    assert exchanges[:-1] == known[at], "what was there before has changed"
                    asked, state, text = exchanges[-1]
                    assert (asked, state) == (question, "interrupted")
                    assert tokens(count).startswith(text), "not a prefix of what was sent"
                    moments = sent(upstream, question).tokens
                    kept += len(text)
                    first_lost = text.count(" ")  # tokens that are whole, each ends with a blank
                    lost.append(max(0.0, killed - moments[first_lost]) if first_lost < count else 0.0)
                    following = f"text-5@{kill}-{at}-next"
                    next_turn = await here.ask(following, chat=chat)
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
                await asyncio.sleep(chance.uniform(0.0, 2.5))
                await here.kill()
                killed = time.time()
                before = [
                    (chat, question, len(sent(upstream, question).tokens), killed)
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
    lost.sort()
    print(
        f"\nkill -9, {KILLS} times {len(RATES)} answers: lost {lost[len(lost) // 2] * 1000:.0f} ms of text "
        f"(median), {lost[-1] * 1000:.0f} ms at most; {kept} characters kept; "
        f"{len(neighbours)} answers of the process beside it whole"
    )
    assert lost[-1] <= LOST


async def spoken(upstream: Upstream, question: str) -> None:
    """The vendor has said the first word of its answer to `question`."""
    number = 0
    while (reply := await upstream.request(number)).question != question:
        number += 1
    await reply.spoke.wait()
