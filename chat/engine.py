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
from typing import Any

from chat.allowance import Allowance
from chat.attempts import attempts
from chat.catalogue import Catalogue
from chat.deadlines import turn_too_long
from chat.errors import Empty, Fault, TooManyRounds
from chat.events import (
    Event,
    Notice,
    Progress,
    ReplyFinished,
    ToolFinished,
    ToolStarted,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
)
from chat.menu import Range
from chat.messages import (
    Message,
    Options,
    Request,
    ToolCall,
    ToolResult,
    ToolResults,
    Turn,
    User,
)
from chat.models import Model
from chat.owners import LOCAL
from chat.providers import Provider
from chat.public import Public, Told
from chat.reply import MAX_CALLS_PER_REPLY, Reply
from chat.settings import Settings
from chat.tools import Outcome, Tools

ROUNDS = 8
"""Replies of one turn. A model that still asks for tools then is going round in circles."""
MAX_CALLS_PER_TURN = 128
"""Tool calls that are run in all rounds together."""
BREATH = 100
"""Events after which others get their turn: a vendor may send thousands at once."""


class Engine:
    def __init__(self, settings: Settings, catalogue: Catalogue, tools: Tools) -> None:
        self._settings, self._catalogue, self._tools = settings, catalogue, tools
        self._public = Public((*settings.urls.values(), *(each.url for each in settings.endpoints)))

    def own_key(self, owner: str, model: str | None) -> bool:
        """Whether `owner` asks `model` with a key of their own."""
        menu = self._catalogue.of(owner)
        try:
            return menu.find(model or menu.default)[0].vendor.brought
        except Fault:
            return False

    def _operator(self, turn: Turn) -> bool:
        """Whether the asker may read what only the operator can use."""
        return turn.owner == LOCAL or self._settings.alone

    async def answer(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """The events of `turn`. Raises nothing but a programming error and CancelledError."""
        operator = self._operator(turn)
        public = self._public.event
        try:
            async with aclosing(self._rounds(turn)) as events:
                async for event in events:
                    yield event if operator or not isinstance(event, Told) else public(event)
        except Fault as fault:
            failed = TurnFailed(fault.told(operator=operator))
        else:
            return
        yield failed if operator else public(failed)

    async def _rounds(self, turn: Turn) -> AsyncGenerator[Event, None]:
        limits = self._settings.deadlines
        until = asyncio.get_running_loop().time() + limits.turn
        options = turn.options
        menu, known = self._catalogue.of(turn.owner), self._catalogue.known(turn.owner)
        name = options.model or menu.default
        yield TurnStarted(name, _shown(options))
        provider, model = menu.find(name)
        request, notices = self._request(turn, provider, model, menu.temperature(model.name))
        for notice in notices:
            yield notice
        told = set[Notice]()
        enabled = {spec.name for spec in request.tools}
        usage, written, separate = None, False, False
        allowance = Allowance(self._settings.max_answer_bytes)
        left, taken = MAX_CALLS_PER_TURN, 0
        for _ in range(ROUNDS):
            reply = Reply(separate, min(MAX_CALLS_PER_REPLY, left))
            replying = attempts(provider, request, limits, until, known, other=menu.other(provider))
            async with aclosing(replying) as events:
                async for event in events:
                    taken += 1
                    if not taken % BREATH:
                        await asyncio.sleep(0)
                    if isinstance(event, Usage):
                        reply.usage = event
                    if (event := allowance.take(event)) is None:
                        continue
                    if isinstance(event, ReplyFinished):
                        reply.finish(event)
                        continue
                    if isinstance(event, Notice) and event in told:
                        continue  # each round leaves out the same messages again
                    if isinstance(event, Notice):
                        told.add(event)
                    for shown in reply.take(event):
                        yield shown
                    if allowance.spent:
                        allowance.refuse()
            usage = usage + reply.usage if usage and reply.usage else reply.usage or usage
            written = written or reply.written
            separate = reply.unfinished if reply.written else separate
            stop, calls = reply.stop, reply.calls
            left -= len(calls)
            if (beyond := reply.left_out) and stop == "tool_use":
                asked = len(calls) + beyond
                text = f"{model.id} asked for {asked:,} tools at once: {beyond:,} of them did not run."
                yield Notice("calls_left_out", text)
            if stop == "tool_use" and reply.asked:
                results = {result.id: result for result in reply.refusals(_TOO_MANY)}
                async with aclosing(self._run(calls, enabled, until)) as happenings:
                    async for happening in happenings:
                        if isinstance(happening, ToolResult):
                            results[happening.id] = happening
                        else:
                            yield happening
                said = (reply.message, ToolResults(tuple(results[id] for id in reply.asked)))
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
            if request.capped:
                free = self._settings.max_tokens - (usage.output or 0 if usage else 0)
                if free <= 0:
                    yield TurnFinished("length", usage)
                    return
                request = replace(request, max_tokens=min(request.max_tokens or free, free))
        raise TooManyRounds(
            f"{model.id} asked for tools {ROUNDS} times in a row without coming to an answer. "
            "Ask for less at once, or switch tools off."
        )

    def _request(
        self, turn: Turn, provider: Provider, model: Model, rule: Range
    ) -> tuple[Request, list[Notice]]:
        """The first request of a turn, without what is known not to be accepted, and a notice of each."""
        options, notices = turn.options, list[Notice]()
        temperature = options.temperature
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
        longest, most = options.max_tokens, self._settings.max_tokens
        if capped := bool(most) and turn.owner != LOCAL and not provider.vendor.brought:
            if longest is not None and longest > most:
                notices.append(Notice("max_tokens_lowered", f"An answer has at most {most:,} tokens here."))
            longest = min(longest or most, most)
        system = self._settings.system if options.system is None else options.system
        messages: tuple[Message, ...] = (*turn.history, User(turn.question))
        request = Request(
            model=model,
            messages=messages,
            system=system.strip() or None,
            temperature=temperature,
            max_tokens=longest,
            capped=capped,
            effort=options.effort,
            tools=specs,
            stream=options.stream,
            history=len(turn.history),
        )
        return request, notices

    async def _run(
        self, calls: list[ToolCall], enabled: set[str], until: float
    ) -> AsyncGenerator[Event | ToolResult, None]:
        """Runs `calls` side by side: their events as they happen, and the result of each."""
        happenings: asyncio.Queue[Event | ToolResult | BaseException] = asyncio.Queue()

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

        def died(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                happenings.put_nowait(error)

        tasks = [asyncio.create_task(run(call), name=f"tool {call.name}") for call in calls]
        for task in tasks:
            task.add_done_callback(died)
        try:
            left = len(tasks)
            while left:
                try:
                    async with asyncio.timeout_at(until):
                        happening = await happenings.get()
                except TimeoutError as error:
                    raise turn_too_long(self._settings.deadlines) from error
                if isinstance(happening, BaseException):
                    raise happening  # a bug of ours: tools themselves never raise
                left -= isinstance(happening, ToolResult)
                yield happening
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


_TOO_MANY = (
    f"This call was not run: at most {MAX_CALLS_PER_REPLY} calls in one reply are, and at most "
    f"{MAX_CALLS_PER_TURN} in one answer. Ask for what is still needed in your next reply."
)


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
    except (ValueError, RecursionError):
        return arguments
