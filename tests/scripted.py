"""A vendor made of scripts: each `stream` plays the next one. For tests of what stands above providers.

A script is a list of reply events, of exceptions to raise, of `HANG`, which waits for ever, and of
`asyncio.Event`s, which are waited for.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chat.catalogue import Catalogue
from chat.engine import Engine
from chat.events import Event, ReplyEvent, ReplyFinished, TextDelta, to_dict
from chat.messages import Options, Request, Turn
from chat.models import Model
from chat.providers.vendors import Vendor
from chat.settings import Settings
from chat.tools import Tool, Tools

HANG = "hang"
Script = Sequence[ReplyEvent | BaseException | str | asyncio.Event]


def says(text: str) -> Script:
    return [TextDelta(text), ReplyFinished("end")]


@dataclass
class Scripted:
    scripts: list[Script]
    vendor: Vendor = field(default_factory=lambda: Vendor("acme", "Acme", ("openai_chat",), "http://acme/v1"))
    listed: list[Model] | BaseException = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    closed: int = 0
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    async def stream(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        self.asked.append(request)
        try:
            for step in self.scripts[len(self.asked) - 1]:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, str):
                    self.hanging.set()
                    await asyncio.Event().wait()
                else:
                    yield step
        finally:
            self.closed += 1

    async def models(self) -> list[Model]:
        if isinstance(self.listed, BaseException):
            raise self.listed
        return self.listed


def engine(provider: Scripted, *tools: Tool, **settings: Any) -> Engine:
    found = Settings(local=False, **settings)
    return Engine(found, Catalogue(found, {"acme": provider}), Tools(found, tools))


def turn(question: str = "Hello?", **options: Any) -> Turn:
    return Turn(question, Options(model="acme:one", **options))


async def answer(
    provider: Scripted, *tools: Tool, settings: dict[str, Any] | None = None, **options: Any
) -> list[Event]:
    """All events of one turn."""
    asked = engine(provider, *tools, **settings or {})
    return [event async for event in asked.answer(turn(**options))]


def types(events: Sequence[Event]) -> list[str]:
    return [to_dict(event)["type"] for event in events]


def text(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))
