"""Anthropic's Messages protocol: `POST {url}/v1/messages`. The model list is read in `anthropic_models`.

`body` turns a request into the vendor's body, `Reading` turns the wire's objects into events, and
`AnthropicMessages` joins them over the shared clients. No SDK class is looked at: the wire's `type` decides.

Signed and redacted thinking, the vendor's own tool calls and their results come out as `Opaque` (the whole
block, put together from its deltas) and come back as `Raw`, unmodified and in order, as the vendor demands.
"""

import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from chat.errors import Malformed
from chat.events import (
    Citation,
    KeepAlive,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    RequestSent,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.messages import Assistant, Raw, Request, Text, ToolCall, ToolResults, User
from chat.models import Model
from chat.providers import faults
from chat.providers.anthropic_models import capable
from chat.providers.bodies import paired, without
from chat.providers.clients import Clients, open_wire
from chat.providers.faults import Call
from chat.providers.lists import entries
from chat.providers.reply import reply
from chat.providers.vendors import Vendor

MAX_TOKENS = 16_384
"""Tokens asked for when nobody set a limit (the protocol demands one) and the model can write that many.
Output is paid as written, not as asked for, and thinking counts towards it, so there is no reason to be
tight; but the SDK refuses to wait for an answer in one piece beyond 21,333."""

UNKNOWN_MAX_TOKENS = 4096
"""The same where the model's own limit is not known: every Claude since 3 can write that many."""

_LEAST_BUDGET = 1024
"""The vendor's least `budget_tokens`."""

_PAGES = 20
"""Pages of 1000 models read at most, should a server say `has_more` for ever."""

_OLD_API = {"anthropic-version": "2023-06-01"}
"""The last API version that knows a temperature; the SDK speaks 2026-10-21, which does not."""


# -- what is sent ------------------------------------------------------------------------


def body(request: Request) -> dict[str, Any]:
    """The body of `POST /v1/messages`: what the request sets, `max_tokens`, and how thinking is shown."""
    model, effort = request.model, request.effort
    most = model.max_output
    max_tokens = request.max_tokens or (min(most, MAX_TOKENS) if most else UNKNOWN_MAX_TOKENS)
    made: dict[str, Any] = {
        "model": model.id,
        "max_tokens": max_tokens,
        "messages": _messages(request),
        "stream": request.stream,
    }
    if request.system:
        made["system"] = request.system
    if request.temperature is not None:
        made["temperature"] = request.temperature
    if request.tools:
        made["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
            for tool in request.tools
        ]
    if effort == "none":
        if model.thinking == "adaptive":  # `enabled` is off unless asked for, `always` cannot be
            made["thinking"] = {"type": "disabled"}
    elif model.thinking == "enabled":
        if effort and max_tokens > _LEAST_BUDGET:
            share = {"low": 8, "medium": 4}.get(effort, 2)
            budget = max(_LEAST_BUDGET, max_tokens // share)
            made["thinking"] = {"type": "enabled", "budget_tokens": budget}
    elif effort or (model.thinking and request.temperature is None):  # thinking takes no temperature but 1
        made["thinking"] = {"type": "adaptive", "display": "summarized"}
        if effort and (model.thinking or "thinking" not in request.omit):
            made["output_config"] = {"effort": effort}
    return without(made, request.omit - {"max_tokens"})


def _messages(request: Request) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for message in paired(request.messages):
        match message:
            case User(text):
                role, blocks = "user", [{"type": "text", "text": text}] if text.strip() else []
            case Assistant(parts):
                role, blocks = "assistant", [block for part in parts if (block := _block(part))]
                while blocks and blocks[-1]["type"] in ("thinking", "redacted_thinking"):
                    blocks.pop()  # a message that ends with one is answered with 400
            case ToolResults(results):
                role = "user"
                blocks = [
                    {"type": "tool_result", "tool_use_id": _id(result.id), "content": result.text}
                    | ({"is_error": True} if result.error else {})
                    for result in results
                ]
        if blocks and made and made[-1]["role"] == role:
            made[-1]["content"] += blocks
        elif blocks:
            made.append({"role": role, "content": blocks})
    return made


def _block(part: Text | ToolCall | Raw) -> dict[str, Any] | None:
    match part:
        case Text(text):  # blank text is answered with 400
            return {"type": "text", "text": text} if text.strip() else None
        case ToolCall(id, name, arguments):
            return {"type": "tool_use", "id": _id(id), "name": name, "input": _object(arguments)}
        case Raw(data):
            return dict(data) if _ours(data) else None


def _id(id: str) -> str:
    """Another vendor's id (`functions.search:0`) in the characters that this one takes."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", id)


def _object(arguments: str) -> dict[str, Any]:
    """`arguments` as an object. What the model wrote amiss is told to it by the call's result."""
    try:
        value = json.loads(arguments or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _ours(data: Mapping[str, Any]) -> bool:
    """Whether a raw block is this protocol's, and complete enough to be taken back."""
    kind = data.get("type", "")
    if kind == "thinking":
        return bool(data.get("signature"))
    if kind == "compaction":  # Responses has one too
        return bool(data.get("content"))
    return kind in (
        "redacted_thinking",
        "server_tool_use",
        "mcp_tool_use",
        "container_upload",
        "fallback",
    ) or kind.endswith("_tool_result")


# -- what is read ------------------------------------------------------------------------

_STOPS: dict[str, Stop] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_use",
    "refusal": "refusal",
    "pause_turn": "pause",
}


class _Block:
    """A content block that is open. `pieces` is what its deltas add to the field `grows`."""

    __slots__ = ("grows", "id", "kind", "pieces", "start")

    def __init__(self, start: Mapping[str, Any]) -> None:
        self.start = start
        self.kind: str = start.get("type", "")
        self.id: str = start.get("id", "")
        self.pieces: list[str] = []
        self.grows = {"thinking": "thinking", "compaction": "content"}.get(self.kind, "")


class Reading:
    """The wire's objects of one reply, one at a time, as events. `call` is named where it fails."""

    def __init__(self, call: Call) -> None:
        self.finished = False
        self._call = call
        self._stop_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._blocks: dict[Any, _Block] = {}
        self._here = False
        self._ids: set[str] = set()
        self._thought: Any = None
        """Index of the thinking block that was said last, with nothing else after it."""

    def read(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """The events of one wire object. Raises what an error object says."""
        kind = payload.get("type")
        if kind == "content_block_delta":  # the hot path
            return self._delta(payload.get("index"), payload["delta"])
        if kind == "content_block_start":
            return self._open(payload.get("index"), payload["content_block"])
        if kind == "content_block_stop":
            return self._close(payload.get("index"))
        if kind == "message_delta":
            self._stop_reason = payload["delta"].get("stop_reason") or self._stop_reason
            return self._count(payload.get("usage"))
        if kind == "message_start":
            return self._started(payload["message"])
        if kind == "message_stop":
            return self._finish()
        if kind == "error" or (kind is None and payload.get("error")):
            raise faults.said(payload, self._call) or Malformed(f"{self._call.title} sent an empty error.")
        return (KeepAlive(),) if kind == "ping" else ()

    def whole(self, answer: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """The events of a message object that came in one piece."""
        if not isinstance(answer.get("content"), list):
            raise Malformed(
                f"{self._call.title} sent JSON that is no answer. Check its address and the model."
            )
        return [*self._started(answer), *self._finish()]

    def end(self, done: bool) -> Sequence[ReplyEvent] | None:
        """A stop reason without `message_stop` is an end, too: the last event may lack its blank line."""
        return self._finish() if done or self._stop_reason else None

    def _finish(self) -> list[ReplyEvent]:
        events = [event for index in list(self._blocks) for event in self._close(index)]
        stop = _STOPS.get(self._stop_reason or "") or ("tool_use" if self._here else "end")
        events.append(ReplyFinished(stop, _usage(self._usage)))
        self.finished = True
        return events

    def _started(self, message: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        events: list[ReplyEvent] = []
        for index, block in enumerate(message.get("content") or ()):
            events += self._open(index, block)
            events += self._close(index)
        self._stop_reason = message.get("stop_reason") or self._stop_reason
        events += self._count(message.get("usage"))
        return events

    def _count(self, usage: Mapping[str, Any] | None) -> Sequence[ReplyEvent]:
        """Figures are cumulative: those of a later object replace the former, each by itself."""
        if not usage:
            return ()
        self._usage.update((name, value) for name, value in usage.items() if value is not None)
        counted = _usage(self._usage)
        return (counted,) if counted else ()

    def _open(self, index: Any, start: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        block = self._blocks[index] = _Block(start)
        match block.kind:
            case "text":
                return [*self._say(start.get("text")), *map(_citation, start.get("citations") or ())]
            case "thinking":
                return self._think(index, block, start.get("thinking"))
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                here = block.kind == "tool_use"
                self._here = self._here or here
                self._thought = None
                if not block.id or block.id in self._ids:
                    block.id = f"{block.id or 'call'}_{len(self._ids)}"
                self._ids.add(block.id)
                return (ToolCallStarted(block.id, start.get("name", ""), "here" if here else "provider"),)
        return ()

    def _delta(self, index: Any, delta: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        kind = delta.get("type")
        if kind == "text_delta":
            return self._say(delta.get("text"))
        block = self._blocks.get(index) or _Block({})
        match kind:
            case "input_json_delta":
                if (text := delta.get("partial_json")) and block.id:
                    block.pieces.append(text)
                    return (ToolCallDelta(block.id, text),)
            case "thinking_delta":
                return self._think(index, block, delta.get("thinking"))
            case "signature_delta":
                block.start = {**block.start, "signature": delta.get("signature")}
            case "citations_delta":
                return (_citation(delta["citation"]),)
            case "compaction_delta":
                block.pieces.append(delta.get("content") or "")
        return ()

    def _say(self, text: str | None) -> Sequence[ReplyEvent]:
        if not text:
            return ()
        self._thought = None
        return (TextDelta(text),)

    def _think(self, index: Any, block: _Block, text: str | None) -> Sequence[ReplyEvent]:
        if not text:
            return ()
        block.pieces.append(text)
        apart = self._thought not in (None, index)
        self._thought = index
        return (ThinkingDelta("\n\n" + text if apart else text),)

    def _close(self, index: Any) -> Sequence[ReplyEvent]:
        block = self._blocks.pop(index, None)
        if block is None or block.kind == "text":
            return ()
        start, said = block.start, "".join(block.pieces)
        match block.kind:
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                events: list[ReplyEvent] = []
                if not said:  # a call without arguments, or with all of them at its start
                    said = json.dumps(start.get("input") or {}, ensure_ascii=False)
                    events.append(ToolCallDelta(block.id, said))
                if block.kind != "tool_use":
                    events.append(Opaque({**start, "input": _object(said)}))
                return events
            case "thinking" | "compaction":
                return (Opaque({**start, block.grows: said or start.get(block.grows)}),)
        return (Opaque(start),)


def _citation(wire: Mapping[str, Any]) -> Citation:
    """A document has a title and no address; a search result of one's own has a `source`."""
    url = wire.get("url") or wire.get("source") or ""
    return Citation(wire.get("title") or wire.get("document_title") or url, url)


def _usage(wire: Mapping[str, Any]) -> Usage | None:
    """Input is three figures together: what was read anew, from the cache, and into the cache."""
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    parts = [wire[name] for name in names if isinstance(wire.get(name), int)]
    if not parts and "output_tokens" not in wire:
        return None
    return Usage(
        input=sum(parts) if parts else None,
        output=wire.get("output_tokens"),
        cached=wire.get("cache_read_input_tokens"),
        thinking=(wire.get("output_tokens_details") or {}).get("thinking_tokens"),
    )


# -- joined ------------------------------------------------------------------------------


class AnthropicMessages:
    """Speaks Messages to `vendor` with `key` ("" for none)."""

    def __init__(self, vendor: Vendor, key: str, clients: Clients) -> None:
        self.vendor = vendor
        self._key = key
        self._clients = clients

    async def stream(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        made = body(request)
        call = Call.to(self.vendor, self._key, made)
        client = await self._clients.anthropic(self.vendor, self._key)
        yield RequestSent(f"{self.vendor.url}/v1/messages", made)
        # All of it in `extra_body`: the SDK neither changes it, nor walks through a long history, nor
        # drops the temperature that its API version does not know.
        manager = client.messages.with_streaming_response.create(
            model="",
            max_tokens=made["max_tokens"],
            messages=[],
            stream=made["stream"],
            extra_body=made,
            extra_headers=_OLD_API if "temperature" in made else None,
        )
        async with aclosing(reply(manager, call, Reading(call))) as events:
            async for event in events:
                yield event

    async def models(self) -> list[Model]:
        """What the vendor offers now, with its capabilities, page by page."""
        call = Call(self.vendor, self._key)
        client = await self._clients.anthropic(self.vendor, self._key)
        found: list[Model] = []
        after: dict[str, Any] = {}
        for _ in range(_PAGES):
            manager = client.models.with_streaming_response.list(limit=1000, **after)
            async with open_wire(manager, call) as wire:
                page = await wire.json()
            known = entries(page, call)
            found += [capable(self.vendor.name, entry) for entry in known]
            if not known or not isinstance(page, dict) or not page.get("has_more"):
                break
            after = {"after_id": page.get("last_id") or known[-1]["id"]}
        return found
