"""SIGTERM while twenty people are being answered: all is stored, and the process leaves in order."""

import asyncio
import time
from pathlib import Path

import pytest

from chat.store import open_store
from tests.slow.served import served
from tests.slow.visitor import visitors
from tests.upstream import Upstream

pytestmark = pytest.mark.slow

PEOPLE = 20
SECONDS = 5.0
"""That the process may take to end."""


async def test_twenty_answers_are_kept_when_the_server_is_told_to_end(
    upstream: Upstream, tmp_path: Path
) -> None:
    database = tmp_path / "chat.db"
    async with served(database, upstream.url) as app, visitors(app.url, PEOPLE) as people:
        for number, person in enumerate(people):
            await person.ask(f"text-5000-50@{number}")
        replies = [await asyncio.wait_for(upstream.request(number), 30) for number in range(PEOPLE)]
        while min(len(reply.tokens) for reply in replies) < 50:
            await asyncio.sleep(0.05)
        owners = [next(iter(person.cookies.values())).partition(".")[0] for person in people]
        ended = time.time()
        code = await app.end()
        took = time.time() - ended
    assert code == 0, "".join(app.said)
    assert took < SECONDS
    lost = 0.0
    async with open_store(database) as store:
        for number, owner in enumerate(owners):
            (chat,) = await store.chats(owner)
            assert not chat.running
            conversation = await store.open(owner, chat.id)
            assert conversation is not None
            assert [each.question for each in conversation.exchanges] == [f"text-5000-50@{number}"]
            kept = conversation.exchanges[0].transcript
            assert kept.state == "interrupted"
            reply = next(each for each in replies if each.question == f"text-5000-50@{number}")
            count = kept.text.count(" ")
            assert kept.text == "".join(f"tok{number} " for number in range(1, count + 1))
            lost = max(lost, ended - reply.tokens[count] if count < len(reply.tokens) else 0.0)
    print(f"\nSIGTERM with {PEOPLE} answers: exit code 0 in {took:.2f} s, {lost * 1000:.0f} ms of text lost")
    assert lost < 0.5
