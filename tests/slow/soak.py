"""Ten thousand turns in one process: `python -m tests.slow.soak DATABASE TURNS` prints figures as JSON.

All is real but the vendor's wire: SDK client, provider, engine, runs, store and a database on the disk.
Some hundred people ask in chats of twenty turns; some of them stop, are failed, ask again, have the rest
told, read along, come back to old chats, look at the list and search it.
"""

import asyncio
import gc
import itertools
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx2

from chat import attempts, build
from chat.build import App, open_app
from chat.messages import Options
from chat.run import Run
from chat.runs import Runs
from chat.settings import Settings

PEOPLE, CHATS_EACH, TURNS_EACH = 260, 2, 20
"""Together a little more than the turns that are counted."""
AT_ONCE = 20
PIECES = 30
EVERY = 250
"""Turns between two looks at the memory."""


# -- the vendor ------------------------------------------------------------------------------------


def _chunk(text: str | None, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


class Body(httpx2.AsyncByteStream):
    """Words; then the end, nothing at all, or silence."""

    def __init__(self, how: str) -> None:
        self._how = how

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        for number in range(PIECES):
            yield _chunk(f"word{number} ")
            if number % 10 == 9:
                await asyncio.sleep(0)
        if self._how == "stopped":
            await asyncio.Event().wait()
        if self._how != "broken":
            yield _chunk(None, "stop") + b"data: [DONE]\n\n"


def vendor(request: httpx2.Request) -> httpx2.Response:
    if request.method == "GET":
        return httpx2.Response(200, json={"object": "list", "data": [{"id": "m", "object": "model"}]})
    asked = json.loads(request.content)["messages"][-1]["content"]
    if asked.startswith("refused"):
        return httpx2.Response(401, json={"error": {"message": "The key is not valid."}})
    stream = Body(asked.split()[0])
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)


# -- the people ------------------------------------------------------------------------------------


async def person(
    app: App, number: int, turns: "itertools.count[int]", last: int, outcomes: Counter[str]
) -> None:
    owner, chance = f"person{number}", random.Random(number)
    for _ in range(CHATS_EACH):
        conversation = app.store.new(owner)
        for _ in range(TURNS_EACH):
            if (turn := next(turns)) >= last:
                return
            how = chance.choices(("told", "stopped", "broken", "refused"), (80, 10, 5, 5))[0]
            before = conversation.last
            acts = ["ask", "ask", "ask"]
            if before is not None:
                acts += ["again", "continues"] if before.transcript.text else ["again"]
            act = chance.choice(acts)
            question = before.question if before and act == "again" else f"{how} {turn}: why is it so?"
            run = await app.runs.ask(
                conversation,
                question,
                Options(model="acme:m"),
                again=act == "again",
                continues=act == "continues",
                key=f"key{turn}",
            )
            await read(run, chance)
            outcomes[run.state] += 1
        await app.store.chats(owner, limit=50)
        found = await app.store.chats(owner, "why is it", limit=5)
        if old := await app.store.open(owner, chance.choice(found).id if found else ""):
            await app.store.earlier(old, 5)


async def read(run: Run, chance: random.Random) -> None:
    """To the end, or to somewhere and then again; stops what would never end."""
    silent = run.turn.question.startswith("stopped")
    async with aclosing(run.follow()) as batches:
        async for _ in batches:
            if silent and run.transcript.length > 5 * PIECES:
                run.stop()
            if chance.random() < 0.1:
                break
    while run.transcript.ended is None:
        if silent and run.transcript.length > 5 * PIECES:
            run.stop()
        await run.wait(run.seq)


# -- the figures -----------------------------------------------------------------------------------


def memory() -> float:
    """MB of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def soak(database: Path, last: int) -> dict[str, object]:
    before = asyncio.all_tasks()
    attempts.FIRST_WAIT = 0.001
    # What is over is kept for a second, not for a minute: else the memory of a minute would be measured.
    build.Runs = partial(Runs, kept=1.0)  # type: ignore[assignment,misc]
    environ = {"CHAT_ENDPOINTS": "acme=http://acme.invalid/v1", "CHAT_LOCAL": "0", "CHAT_MODEL": "acme:m"}
    settings = replace(Settings.read(environ), database=database)
    turns, outcomes = itertools.count(), Counter[str]()
    sizes: list[float] = []
    began = time.perf_counter()
    async with open_app(settings, transport=httpx2.MockTransport(vendor)) as app:
        people = iter(range(PEOPLE))
        done = 0

        async def visits() -> None:
            for number in people:
                await person(app, number, turns, last, outcomes)

        async def watch() -> None:
            nonlocal done
            while done < last:
                await asyncio.sleep(0.05)
                if sum(outcomes.values()) >= done + EVERY:
                    done += EVERY
                    sizes.append(memory())

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(visits() for _ in range(AT_ONCE)))
        watching.cancel()
        await asyncio.wait([watching])
        assert await app.store.saved(10)
        trouble = app.store.trouble
    left = [task.get_name() for task in asyncio.all_tasks() - before]
    return {
        "turns": sum(outcomes.values()),
        "outcomes": outcomes,
        "seconds": time.perf_counter() - began,
        "memory": sizes,
        "tasks": left,
        "trouble": trouble,
    }


def main() -> None:
    import anthropic
    import openai

    assert openai.AsyncOpenAI
    assert anthropic.AsyncAnthropic
    files = set(os.listdir("/proc/self/fd"))
    figures = asyncio.run(soak(Path(sys.argv[1]), int(sys.argv[2])))
    gc.collect()
    figures["threads"] = [thread.name for thread in threading.enumerate()][1:]
    figures["files"] = len(set(os.listdir("/proc/self/fd")) - files)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
