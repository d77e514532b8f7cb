"""The provider of the vendor `demo`: plays a script as a vendor's stream.

Plays the steps of `scripts` as a vendor's stream would arrive: at a human pace, in pieces
of a token, with its own delays (here the provider *is* the vendor, so it may sleep; `sleep` is
the seam). The same talk gives the same events. `build` makes it; `EXAMPLES` lead through it.
"""

import asyncio
import json
import random
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, assert_never

from chat import errors
from chat.events import (
    KeepAlive,
    ReplyEvent,
    ReplyFinished,
    RequestSent,
    ResponseOpened,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.messages import Request, ToolResults, User
from chat.models import Model
from chat.providers.demo import going_on, scripts, steps
from chat.providers.demo.body import body, tokens_in
from chat.providers.vendors import Vendor

Sleep = Callable[[float], Awaitable[Any]]


RATE = 80
"""Tokens a second, about as fast as a hosted model of middle size."""
CONNECT, FIRST = 0.1, 0.15
"""Seconds to the response's head, and from there to the first word."""
PING = 1.0
"""Seconds between the signs of life of a hanging stream."""
LONGEST_MEMORY = 1000
"""Questions turned away once that are kept in mind."""

_THINKS = ("none", "low", "medium", "high")


@dataclass(slots=True)
class _Budget:
    """Tokens said so far, and how many may be."""

    most: int | None
    said: int = 0
    thought: int = 0

    def take(self, thinking: bool = False) -> bool:
        if self.most is not None and self.said >= self.most:
            return False
        self.said += 1
        self.thought += thinking
        return True


class Demo:
    """The provider of the vendor `demo`. `pace` stretches all delays; 0 means none."""

    def __init__(
        self, vendor: Vendor, pace: float = 1.0, sleep: Sleep = asyncio.sleep, seed: int = 0
    ) -> None:
        self.vendor = vendor
        self._pace = pace
        self._sleep = sleep
        self._seed = seed
        self._turned_away: OrderedDict[str, None] = OrderedDict()
        self._models = {model.id: model for model in _models(vendor.name)}

    async def models(self) -> list[Model]:
        return list(self._models.values())

    async def stream(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        async with aclosing(self._play(request)) as events:
            async for event in events if request.stream else _whole(events):
                yield event

    async def _play(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        clock = self._dice(request)
        pace = 0.0 if request.model.id == "fast" else self._pace
        budget = _Budget(request.max_tokens)

        async def rest(seconds: float) -> None:
            # Also without delay the loop gets its turn, so that a long answer can be stopped.
            await self._sleep(seconds * clock.uniform(0.4, 1.6) * pace)

        yield RequestSent("demo:", body(request))
        await rest(CONNECT)
        request = replace(request, model=self._known(request))
        round = sum(isinstance(message, ToolResults) for message in request.messages)
        opened = False
        stop: Stop = "end"
        if going_on.asked(request):
            chosen = going_on.steps(request, self._dice)
        else:
            chosen = scripts.choose(steps.Talk.of(request, self._dice(request)))
        for step in chosen:
            if isinstance(step, steps.Fail):
                if step.once and not self._first_time(request):
                    continue
                raise step.fault
            if not opened:
                opened = True
                yield ResponseOpened(200)
                await rest(FIRST)
            match step:
                case steps.Say(text) | steps.Think(text):
                    thinking = isinstance(step, steps.Think)
                    for piece in pieces(text):
                        if not budget.take(thinking):
                            stop = "length"
                            break
                        yield ThinkingDelta(piece) if thinking else TextDelta(piece)
                        await rest(1 / RATE)
                case steps.Tick(text, seconds):
                    if not budget.take():
                        stop = "length"
                        break
                    yield TextDelta(text)
                    await self._sleep(seconds)
                case steps.Call(calls):
                    stop = "tool_use"
                    for event in call_events(calls, round):
                        if isinstance(event, ToolCallDelta) and not budget.take():
                            stop = "length"
                            break
                        yield event
                        await rest(1 / RATE)
                case steps.Hang(pings):
                    while True:
                        await self._sleep(PING) if pings else await asyncio.get_running_loop().create_future()
                        yield KeepAlive()
                case steps.Limit(tokens):
                    budget.most = tokens
                case steps.End():
                    stop = step.stop
                case _:
                    assert_never(step)
            if stop != "end":
                break
        usage = Usage(tokens_in(request), budget.said, thinking=budget.thought)
        yield usage
        yield ReplyFinished(stop, usage)

    def _dice(self, request: Request) -> random.Random:
        """Chance that is the same for the same talk."""
        return random.Random(f"{self._seed} {request.model.name} {len(request.messages)} {_last(request)}")

    def _known(self, request: Request) -> Model:
        """The model that is asked, as it really is. Raises as a strict vendor would."""
        if (model := self._models.get(request.model.id)) is None:
            raise errors.NotFound(
                f"The demo has no model “{request.model.id}”. It has {', '.join(self._models)}.", status=404
            )
        if not model.temperature and request.temperature is not None and "temperature" not in request.omit:
            raise errors.Refused(f"{model.name} takes no temperature.", parameter="temperature", status=400)
        return model

    def _first_time(self, request: Request) -> bool:
        """Whether this question was not turned away before. The next time it is forgotten again."""
        key = f"{len(request.messages)} {_last(request)}"
        if key in self._turned_away:
            del self._turned_away[key]
            return False
        self._turned_away[key] = None
        if len(self._turned_away) > LONGEST_MEMORY:
            self._turned_away.popitem(last=False)
        return True


def _models(vendor: str) -> Iterator[Model]:
    """The tour first: it is what somebody without a key meets."""
    able = Model(vendor, "tour", "Demo: the tour", 32_000, temperature=True, tools=True, efforts=_THINKS)
    yield able
    yield replace(able, id="fast", title="Demo: as fast as it comes")
    yield replace(
        able, id="thinker", title="Demo: always thinks first", thinking="always", efforts=_THINKS[1:]
    )
    yield Model(vendor, "strict", "Demo: no temperature, no tools", 32_000, temperature=False, tools=False)


async def _whole(events: AsyncIterator[ReplyEvent]) -> AsyncIterator[ReplyEvent]:
    """The same reply as it comes when it was not asked for as a stream: each text in one piece."""
    text: dict[type[TextDelta | ThinkingDelta], str] = {}
    async for event in events:
        if isinstance(event, TextDelta | ThinkingDelta):
            text[type(event)] = text.get(type(event), "") + event.text
            continue
        if isinstance(event, ToolCallStarted | Usage):
            for kind, whole in text.items():
                yield kind(whole)
            text.clear()
        yield event


def pieces(text: str) -> list[str]:
    """`text` in bits of about a token's size. Joined they are the text again."""
    return re.findall(r"\s*\w{1,6}|\s*[^\w\s]{1,4}|\s+", text)


def call_events(
    calls: Iterable[tuple[str, Mapping[str, Any]]], round: int
) -> Iterator[ToolCallStarted | ToolCallDelta]:
    """Calls as a vendor streams them: the arguments in pieces, parallel calls interleaved."""
    named = [(f"demo_{round}_{n}", name, arguments) for n, (name, arguments) in enumerate(calls)]
    texts = [pieces(json.dumps(arguments, ensure_ascii=False)) for _, _, arguments in named]
    for id, name, _ in named:
        yield ToolCallStarted(id, name)
    for row in zip_longest(*texts):
        for (id, _, _), piece in zip(named, row, strict=True):
            if piece is not None:
                yield ToolCallDelta(id, piece)


def _last(request: Request) -> str:
    return next((m.text for m in reversed(request.messages) if isinstance(m, User)), "")
