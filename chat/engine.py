"""A turn: reply ⇄ tools, until the answer is there. Exactly one terminal event, always the last.

`Engine.answer` is the async generator that a run drives. It knows neither the wire (providers),
nor time and retries (`deadlines`, `attempts`), nor who reads (`runs`, the faces).
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, replace
from typing import Any, assert_never

from chat.attempts import attempts
from chat.catalogue import Catalogue
from chat.deadlines import turn_too_long
from chat.errors import Empty, Fault, TooManyRounds
from chat.events import (
    Citation,
    Event,
    KeepAlive,
    Notice,
    Opaque,
    Progress,
    ReplyEvent,
    ReplyFinished,
    RequestSent,
    ResponseOpened,
    Retrying,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from chat.messages import (
    Assistant,
    Message,
    Options,
    Raw,
    Request,
    Text,
    ToolCall,
    ToolResult,
    ToolResults,
    Turn,
    User,
)
from chat.models import Model
from chat.settings import Settings
from chat.tools import Outcome, Tools

ROUNDS = 8
"""Replies of one turn. A model that still asks for tools then is going round in circles."""


class Engine:
    def __init__(self, settings: Settings, catalogue: Catalogue, tools: Tools) -> None:
        self._settings, self._catalogue, self._tools = settings, catalogue, tools

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """The events of `turn`. Raises nothing but a programming error and CancelledError."""
        try:
            async with aclosing(self._rounds(turn)) as events:
                async for event in events:
                    yield event
        except Fault as fault:
            failure = fault.failure
        else:
            return
        yield TurnFailed(failure)

    async def _rounds(self, turn: Turn) -> AsyncGenerator[Event, None]:
        limits = self._settings.deadlines
        until = asyncio.get_running_loop().time() + limits.turn
        options = turn.options
        name = options.model or self._catalogue.default
        yield TurnStarted(name, _shown(options))
        provider, model = self._catalogue.find(name)
        request, notices = self._request(turn, model)
        for notice in notices:
            yield notice
        enabled = {spec.name for spec in request.tools}
        usage, written, separate = None, False, False
        for _ in range(ROUNDS):
            reply = _Reply(separate)
            async with aclosing(attempts(provider, request, limits, until, self._catalogue)) as events:
                async for event in events:
                    if isinstance(event, ReplyFinished):
                        reply.finish(event)
                        continue
                    for shown in reply.take(event):
                        yield shown
            usage = usage + reply.usage if usage and reply.usage else reply.usage or usage
            written = written or reply.written
            separate = reply.unfinished if reply.written else separate
            stop, calls = reply.stop, reply.calls
            if stop == "tool_use" and calls:
                results: dict[str, ToolResult] = {}
                async with aclosing(self._run(calls, enabled, until)) as happenings:
                    async for happening in happenings:
                        if isinstance(happening, ToolResult):
                            results[happening.id] = happening
                        else:
                            yield happening
                said = (reply.message, ToolResults(tuple(results[call.id] for call in calls)))
            elif stop == "pause":
                said = (reply.message,)
            else:
                if not written and not reply.anything and stop in ("end", "tool_use"):
                    raise Empty(
                        f"{provider.vendor.title} ended the answer without a word. "
                        "Try again, or ask in another way."
                    )
                yield TurnFinished("end" if stop == "tool_use" else stop, usage)
                return
            request = replace(request, messages=(*request.messages, *said))
        raise TooManyRounds(
            f"{model.id} asked for tools {ROUNDS} times in a row without coming to an answer. "
            "Ask for less at once, or switch tools off."
        )

    def _request(self, turn: Turn, model: Model) -> tuple[Request, list[Notice]]:
        """The first request of a turn, without what is known not to be accepted, and a notice of each."""
        options, notices = turn.options, list[Notice]()
        temperature, rule = options.temperature, self._catalogue.temperature(model.name)
        if temperature is not None and rule.reason:
            notices.append(Notice("temperature_not_sent", f"{rule.reason} Sent without it."))
            temperature = None
        elif temperature is not None and temperature > rule.high:
            notices.append(
                Notice(
                    "temperature_lowered", f"{model.id} takes temperatures up to {rule.high:g}: sent that."
                )
            )
            temperature = rule.high
        specs = self._tools.specs(options.tools)
        if specs and model.tools is False:
            notices.append(Notice("tools_not_sent", f"{model.id} takes no tools: asked without them."))
            specs = ()
        system = self._settings.system if options.system is None else options.system
        messages: tuple[Message, ...] = (*turn.history, User(turn.question))
        request = Request(
            model=model,
            messages=messages,
            system=system.strip() or None,
            temperature=temperature,
            max_tokens=options.max_tokens,
            effort=options.effort,
            tools=specs,
            stream=options.stream,
        )
        return request, notices

    async def _run(
        self, calls: list[ToolCall], enabled: set[str], until: float
    ) -> AsyncGenerator[Event | ToolResult, None]:
        """Runs `calls` side by side: their events as they happen, and the result of each."""
        happenings: asyncio.Queue[Event | ToolResult] = asyncio.Queue()

        async def run(call: ToolCall) -> None:
            began = time.monotonic()
            happenings.put_nowait(ToolStarted(call.id, call.name, _parsed(call.arguments)))
            if call.name in enabled or call.name not in self._tools.names:
                progress = happenings.put_nowait
                outcome = await self._tools.run(
                    call.name, call.arguments, lambda text: progress(Progress(text))
                )
            else:
                off = f"The tool {call.name} is switched off. Answer without it."
                outcome = Outcome(None, off, off)
            for citation in outcome.citations:
                happenings.put_nowait(citation)
            seconds = time.monotonic() - began
            happenings.put_nowait(ToolFinished(call.id, call.name, outcome.result, outcome.error, seconds))
            happenings.put_nowait(ToolResult(call.id, call.name, outcome.text, outcome.error is not None))

        tasks = [asyncio.create_task(run(call), name=f"tool {call.name}") for call in calls]
        try:
            left = len(tasks)
            while left:
                try:
                    async with asyncio.timeout_at(until):
                        happening = await happenings.get()
                except TimeoutError as error:
                    raise turn_too_long(self._settings.deadlines) from error
                left -= isinstance(happening, ToolResult)
                yield happening
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Reply:
    """What the engine keeps of one reply, to send it back in the tool loop."""

    def __init__(self, separate: bool) -> None:
        self.stop: Stop = "end"
        self.usage: Usage | None = None
        self.written = False
        self.unfinished = False
        """Whether its text stops within a line."""
        self._tail = ""
        self._separate = separate
        self._parts: list[Text | ToolCall | Raw] = []
        self._text: list[str] = []
        self._arguments: dict[str, list[str]] = {}
        self._elsewhere = False

    def take(self, event: ReplyEvent | Retrying) -> tuple[Event, ...]:
        """Keeps what is needed of `event`; what is to be shown for it."""
        match event:
            case TextDelta(text):
                self._text.append(text)
                self._tail = text or self._tail
                if self.written or not text:
                    return (event,)
                self.written = True
                # The text of a later round begins a new paragraph, for every face alike.
                return (TextDelta("\n\n"), event) if self._separate else (event,)
            case ToolCallStarted(id, name, "here"):
                self._flush()
                self._arguments[id] = []
                self._parts.append(ToolCall(id, name, ""))
            case ToolCallStarted():
                self._elsewhere = True
            case ToolCallDelta(id, text):
                if id in self._arguments:
                    self._arguments[id].append(text)
            case Opaque(data):
                self._flush()
                self._parts.append(Raw(data))
            case Usage():
                self.usage = event
            case ReplyFinished():
                raise AssertionError("the end is taken by `finish`")
            case (
                RequestSent()
                | ResponseOpened()
                | ThinkingDelta()
                | Citation()
                | Notice()
                | KeepAlive()
                | Retrying()
            ):
                pass
            case _:
                assert_never(event)
        return (event,)

    def finish(self, event: ReplyFinished) -> None:
        self._flush()
        self.unfinished = self.written and not self._tail.endswith("\n")
        self._parts = [
            replace(part, arguments="".join(self._arguments[part.id])) if isinstance(part, ToolCall) else part
            for part in self._parts
        ]
        self.stop = event.stop
        self.usage = event.usage or self.usage

    @property
    def calls(self) -> list[ToolCall]:
        return [part for part in self._parts if isinstance(part, ToolCall)]

    @property
    def anything(self) -> bool:
        return self.written or self._elsewhere or bool(self._arguments)

    @property
    def message(self) -> Assistant:
        return Assistant(tuple(self._parts))

    def _flush(self) -> None:
        if self._text:
            self._parts.append(Text("".join(self._text)))
            self._text = []


def _shown(options: Options) -> dict[str, Any]:
    """The options that were set, for the record of the turn."""
    return {
        name: value
        for name, value in asdict(options).items()
        if name != "model" and value not in (None, ()) and not (name == "stream" and value)
    }


def _parsed(arguments: str) -> Any:
    """The arguments as a value to show; the raw text when they are broken."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments
