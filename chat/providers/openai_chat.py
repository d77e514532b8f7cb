"""Chat Completions: `POST {url}/chat/completions`, as OpenAI wrote it and as everybody else speaks it.

`body` makes what is sent, `OpenAIChat` sends it and holds the wire. What comes back is read in
`chat_reading`, the lists of models in `chat_models`.
"""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from chat.errors import CutOff, Fault, Malformed, Stalled, TooLarge
from chat.events import (
    KeepAlive,
    ReplyEvent,
    RequestSent,
    ResponseOpened,
)
from chat.messages import Assistant, Message, Request, ToolCall, ToolResults, User
from chat.models import Model
from chat.providers import loaded, nearby
from chat.providers.back import brought
from chat.providers.bodies import paired, without
from chat.providers.chat_models import chats, listed
from chat.providers.chat_reading import Chunks, wants_thinking
from chat.providers.clients import Clients
from chat.providers.error_bodies import PROTECTED
from chat.providers.faults import Call
from chat.providers.halves import Halves
from chat.providers.lists import entries, models
from chat.providers.payloads import DONE, KEEP_ALIVE, WHOLE, Payload
from chat.providers.vendors import Vendor
from chat.providers.wire import Wire, open_wire

_MAX_TOKENS: Final = ("max_tokens", "max_completion_tokens")


# -- what is sent ------------------------------------------------------------------------


def body(request: Request, vendor: Vendor) -> dict[str, Any]:
    """The body of the request. Unset means not sent."""
    made: dict[str, Any] = {
        "model": request.model.id,
        "messages": list(_messages(request, vendor)),
        "stream": request.stream and "stream" not in request.omit,
    }
    if made["stream"]:
        made["stream_options"] = {"include_usage": True}
    if request.temperature is not None:
        made["temperature"] = request.temperature
    if request.max_tokens is not None:
        names = sorted(_MAX_TOKENS, key=lambda name: name != vendor.max_tokens)
        made |= dict.fromkeys([n for n in names if n not in request.omit][:1], request.max_tokens)
    if request.effort is not None:
        made["reasoning_effort"] = request.effort
    if request.tools:
        made["tools"] = [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)},
            }
            for t in request.tools
        ]
    return without(made, request.omit - PROTECTED - {"stream"})


def _messages(request: Request, vendor: Vendor) -> Iterator[dict[str, Any]]:
    if request.system:
        yield {"role": "system", "content": request.system}
    for message in paired(request.messages):
        yield from _message(message, vendor, request.omit)


def _message(message: Message, vendor: Vendor, omit: frozenset[str]) -> Iterator[dict[str, Any]]:
    match message:
        case User(text):
            yield {"role": "user", "content": text}
        case Assistant(parts):
            # Blank text is as good as none, and servers that ask Anthropic refuse it.
            said: dict[str, Any] = {
                "role": "assistant",
                "content": message.text if message.text.strip() else None,
            }
            calls = [part for part in parts if isinstance(part, ToolCall)]
            if not calls and said["content"] is None:
                return  # nothing but thinking; servers refuse an empty message
            if calls:
                said["tool_calls"] = [
                    {
                        "id": _id(call.id, vendor),
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments or "{}"},
                    }
                    for call in calls
                ]
                if wants_thinking(vendor):
                    said["reasoning_content"] = ""
                for data in brought(parts, vendor.name):
                    said |= _left(data["fields"], omit)
                    for call, made in zip(calls, said["tool_calls"], strict=True):
                        extra = _left(data["calls"].get(call.id, {}), omit)
                        made |= extra | {"function": {**extra.get("function", {}), **made["function"]}}
            yield said
        case ToolResults(results):
            for result in results:
                yield {"role": "tool", "tool_call_id": _id(result.id, vendor), "content": result.text}


def _left(fields: Mapping[str, Any], omit: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in omit}


def _id(id: str, vendor: Vendor) -> str:
    """A call's id as this vendor takes it, whoever made it: Mistral wants nine letters or digits, OpenAI
    at most 40 characters. Any other one becomes the start of its hash."""
    length, form = (9, r"[a-zA-Z0-9]{9}") if vendor.name == "mistral" else (40, r".{1,40}")
    return id if re.fullmatch(form, id) else hashlib.sha256(id.encode()).hexdigest()[:length]


# -- the wire in between -----------------------------------------------------------------


class OpenAIChat:
    """One vendor, spoken to in Chat Completions."""

    def __init__(self, vendor: Vendor, key: str, clients: Clients) -> None:
        self.vendor = vendor
        self._key = key
        self._clients = clients

    async def ready(self) -> None:
        await self._clients.openai(self.vendor, self._key)

    async def stream(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        made = body(request, self.vendor)
        call = Call.to(self.vendor, self._key, made, request)
        client = await self._clients.openai(self.vendor, self._key)
        yield RequestSent(call.address("/chat/completions"), made)
        # All of it in `extra_body`: the SDK then neither changes it nor walks through a long history.
        manager = client.chat.completions.with_streaming_response.create(
            model="", messages=[], stream=made["stream"], extra_body=made
        )
        chunks, halves = Chunks(call), Halves()
        async with open_wire(manager, call) as wire:
            yield ResponseOpened(wire.status)
            said = ""  # what said that the answer has ended
            try:
                async for name, chunk in wire:
                    if name == KEEP_ALIVE:
                        yield KeepAlive()
                        continue
                    if name == DONE:
                        said = name
                        break
                    held = chunks.held
                    events = chunks.read(_named(name, chunk), name == WHOLE)
                    if wire.waiting and not chunks.ending and name != WHOLE:
                        events += chunks.release()
                    for event in halves.take(events):
                        yield event
                    wire.count(events, chunks.repeated, held=chunks.held > held)
                    if chunks.fault:
                        raise chunks.fault
                    if name == WHOLE:
                        if not isinstance(chunk.get("choices"), list):
                            raise Malformed(
                                f"{call.title} sent JSON that is no answer.{call.quote(_text(chunk))}"
                            )
                        said = name
                        break
                    if chunks.ending:
                        said = "reason"
                        break
                if not said:
                    raise CutOff(
                        f"The answer of {call.title} broke off before its end. Ask again to get all of it."
                    )
                now = asyncio.get_running_loop().time
                until = now() + chunks.wait
                while said == "reason" and (item := await _late(wire, until if chunks.sure else None)):
                    name, chunk = item
                    if name == DONE:
                        said = name
                        break
                    if name == KEEP_ALIVE:
                        yield KeepAlive()
                        continue
                    sure, confirmed = chunks.sure, chunks.confirmed
                    events = chunks.read(_named(name, chunk))
                    if chunks.confirmed and not confirmed:
                        until = min(until, now() + chunks.wait) if sure else now() + chunks.wait
                    for event in halves.take(events):
                        yield event
                    try:
                        wire.count(events, chunks.repeated)
                    except TooLarge:
                        if chunks.sure:
                            break
                        raise
                    if chunks.fault:
                        raise chunks.fault
            except Fault:
                for event in halves.take(chunks.rest()):
                    yield event
                raise
            for event in halves.take(chunks.end(said)):
                yield event
            await wire.drain()

    async def models(self) -> list[Model]:
        call = Call(self.vendor, self._key)
        if self.vendor.local:
            http = await self._clients.http()
            page = nearby.checked(await nearby.page(http, f"{self.vendor.url}/models", call), call)
        else:
            client = await self._clients.openai(self.vendor, self._key)
            async with open_wire(client.models.with_streaming_response.list(), call) as wire:
                page = await wire.json()
        found = models(entries(page, call), listed, call, chats)
        given = await self._loaded(call) if found else {}
        return [replace(model, context=given.get(model.id, model.context)) for model in found]

    async def _loaded(self, call: Call) -> dict[str, int]:
        """Contexts of loaded models. Nothing from a server that does not tell: the list is good without."""
        if not (address := loaded.address(self.vendor)):
            return {}
        with contextlib.suppress(Fault):
            return loaded.contexts(await nearby.page(await self._clients.http(), address, call))
        return {}


async def _late(wire: Wire, until: float | None) -> Payload | None:
    """The next payload after the finish reason, or None. The answer is complete, so an error is ignored.

    `until`: loop time at which to stop waiting. None if the finish reason came too early to be trusted: then
    errors count as before, and `deadlines` limits the silence as for every reply."""
    if until is None:
        return await anext(wire, None)
    try:
        async with asyncio.timeout_at(until):
            return await anext(wire, None)
    except (TimeoutError, CutOff, Malformed, Stalled, TooLarge):
        return None


def _named(name: str, chunk: dict[str, Any]) -> dict[str, Any]:
    """A chunk under `event: error` is an error, whatever it holds."""
    return {"type": "error", **chunk} if name == "error" else chunk


def _text(answer: Mapping[str, Any]) -> object:
    return answer.get("message") or answer.get("detail")
