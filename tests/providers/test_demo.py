"""The demo model: given these words, these events. No delay is ever waited for here."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from chat import errors
from chat.events import (
    KeepAlive,
    ReplyEvent,
    ReplyFinished,
    RequestSent,
    ResponseOpened,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.messages import Assistant, Message, Request, Text, ToolCall, ToolResult, ToolResults, ToolSpec, User
from chat.models import Model
from chat.providers.demo import EXAMPLES, Demo
from chat.providers.vendors import VENDORS

ALL = ("calculate", "current_time", "get_weather", "search_docs")


def demo(**options: Any) -> Demo:
    return Demo(VENDORS[0], **{"pace": 0, **options})


def asked(*said: str | Message, model: str = "tour", tools: tuple[str, ...] = ALL, **options: Any) -> Request:
    """A request; plain strings are questions."""
    return Request(
        Model("demo", model, thinking="always" if model == "thinker" else None),
        tuple(User(s) if isinstance(s, str) else s for s in said),
        tools=tuple(ToolSpec(name, "", {}) for name in tools),
        **options,
    )


async def reply(request: Request, provider: Demo | None = None) -> list[ReplyEvent]:
    async with aclosing((provider or demo()).stream(request)) as events:
        return [event async for event in events]


async def broken(request: Request, provider: Demo | None = None) -> tuple[list[ReplyEvent], errors.Fault]:
    """The events before the reply fails, and how it fails."""
    got: list[ReplyEvent] = []
    with pytest.raises(errors.Fault) as caught:
        async for event in (provider or demo()).stream(request):
            got.append(event)
    return got, caught.value


def text(events: list[ReplyEvent]) -> str:
    return "".join(e.text for e in events if isinstance(e, TextDelta))


def thinking(events: list[ReplyEvent]) -> str:
    return "".join(e.text for e in events if isinstance(e, ThinkingDelta))


def calls(events: list[ReplyEvent]) -> list[tuple[str, Any]]:
    """Name and decoded arguments of each call, put together as the engine does it."""
    found = {e.id: (e.name, "") for e in events if isinstance(e, ToolCallStarted)}
    for event in events:
        if isinstance(event, ToolCallDelta):
            name, so_far = found[event.id]
            found[event.id] = name, so_far + event.text
    return [(name, json.loads(arguments)) for name, arguments in found.values()]


def stop(events: list[ReplyEvent]) -> str:
    last = events[-1]
    assert isinstance(last, ReplyFinished)
    return last.stop


async def test_begins_and_ends_like_a_vendor():
    events = await reply(asked("hello"))
    assert isinstance(events[0], RequestSent)
    assert events[1] == ResponseOpened(200)
    assert isinstance(events[-2], Usage)
    assert events[-1] == ReplyFinished("end", events[-2])


@pytest.mark.parametrize("example", EXAMPLES[:3], ids=lambda e: e.label)
async def test_examples_answer(example):
    assert len(text(await reply(asked(example.text)))) > 20


async def test_the_last_example_fails_in_mid_stream():
    events, fault = await broken(asked(EXAMPLES[3].text))
    assert len(text(events)) > 20
    assert fault.kind == "overloaded"
