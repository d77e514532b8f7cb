"""Anthropic's Messages protocol: `POST {url}/v1/messages`.

`body` turns a request into the vendor's body, `messages_reading` turns what comes back into events,
`anthropic_models` reads the model list, and `AnthropicMessages` holds the wire in between.

Signed and redacted thinking, the vendor's own tool calls and their results come out as `Opaque` (the whole
block) and come back as `Raw`, unmodified and in order, as the vendor demands.
"""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from chat.events import ReplyEvent, RequestSent
from chat.messages import Assistant, Raw, Request, Text, ToolCall, ToolResults, User
from chat.models import Model
from chat.providers.anthropic_models import capable
from chat.providers.back import extras
from chat.providers.bodies import paired, parsed, without
from chat.providers.clients import Clients
from chat.providers.faults import Call
from chat.providers.lists import MOST_MODELS, entries, models
from chat.providers.messages_reading import Reading
from chat.providers.reply import reply
from chat.providers.vendors import Vendor
from chat.providers.wire import open_wire

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
                if not any(isinstance(part, ToolCall) for part in parts):
                    blocks = [b for b in blocks if b["type"] != "thinking" or b.get("signature")]
                extra = {_id(id): each for id, each in extras(parts, request.model.vendor).items()}
                for block in blocks:
                    if block["type"] == "tool_use":
                        block |= {
                            k: v
                            for k, v in extra.get(block["id"], {}).items()
                            if k not in block and k not in request.omit
                        }
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
            return {"type": "tool_use", "id": _id(id), "name": name, "input": parsed(arguments)}
        case Raw(data):
            return dict(data) if _ours(data) else None


def _id(id: str) -> str:
    """Another vendor's id (`functions.search:0`) in the characters that this one takes."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", id)


def _ours(data: Mapping[str, Any]) -> bool:
    """Whether a raw block is this protocol's, and complete enough to be taken back."""
    kind = data.get("type", "")
    if kind == "thinking":  # DeepSeek's has no signature, and has to come back with calls all the same
        return bool(data.get("signature") or data.get("thinking"))
    if kind == "compaction":  # Responses has one too
        return bool(data.get("content"))
    return kind in (
        "redacted_thinking",
        "server_tool_use",
        "mcp_tool_use",
        "container_upload",
        "fallback",
    ) or kind.endswith("_tool_result")


# -- the wire in between ------------------------------------------------------------------------------


class AnthropicMessages:
    """Speaks Messages to `vendor` with `key` ("" for none)."""

    def __init__(self, vendor: Vendor, key: str, clients: Clients) -> None:
        self.vendor = vendor
        self._key = key
        self._clients = clients

    async def ready(self) -> None:
        await self._clients.anthropic(self.vendor, self._key)

    async def stream(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        made = body(request)
        call = Call.to(self.vendor, self._key, made, request)
        client = await self._clients.anthropic(self.vendor, self._key)
        yield RequestSent(call.address("/v1/messages"), made)
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
            found += models(known, capable, call)
            if (
                not known
                or len(found) >= MOST_MODELS
                or not isinstance(page, dict)
                or not page.get("has_more")
            ):
                break
            last = page.get("last_id")
            after = {"after_id": last if isinstance(last, str) and last else known[-1]["id"]}
        return found
