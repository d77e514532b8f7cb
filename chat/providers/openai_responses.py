"""OpenAI's Responses protocol: `POST {url}/responses`. The default for OpenAI; xAI and others speak it too.

`body` turns a request into the vendor's body, `responses_reading` turns what comes back into events, and
`OpenAIResponses` holds the wire in between.

Reasoning items and the vendor's own tool calls come out as `Opaque` (the whole output item) and come
back as `Raw`: nothing is stored at the vendor (`store: false`), so the next round has to bring them.
"""

import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any

from chat.events import ReplyEvent, RequestSent
from chat.messages import Assistant, Message, Raw, Request, Text, ToolCall, ToolResults, User
from chat.models import Model
from chat.providers.back import brought, extras
from chat.providers.bodies import paired, without
from chat.providers.chat_models import chats, listed
from chat.providers.clients import Clients
from chat.providers.faults import Call
from chat.providers.lists import entries, models
from chat.providers.openai_models import known
from chat.providers.reply import reply
from chat.providers.responses_reading import Reading
from chat.providers.vendors import Vendor
from chat.providers.wire import open_wire

# -- what is sent ------------------------------------------------------------------------


def body(request: Request) -> dict[str, Any]:
    """The body of `POST /responses`. Only what the request sets, and what keeps rounds together."""
    made: dict[str, Any] = {
        "model": request.model.id,
        "input": [item for message in paired(request.messages) for item in _items(message, request)],
        "stream": request.stream,
        "store": False,
    }
    if request.system:
        made["instructions"] = request.system
    if request.temperature is not None:
        made["temperature"] = request.temperature
    if request.max_tokens is not None:
        made["max_output_tokens"] = request.max_tokens
    if request.tools:
        made["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
                "strict": False,  # the default here is true, which asks more of a schema than ours promise
            }
            for tool in request.tools
        ]
    model, effort = known(request.model), request.effort
    reasons = model.thinking is not None or bool(model.efforts)
    if effort == "none":
        if reasons:
            made["reasoning"] = {"effort": "none"}
    elif (reasons or effort) and "reasoning" not in request.omit:
        made["reasoning"] = {"summary": "auto"} | ({"effort": effort} if effort else {})
        made["include"] = ["reasoning.encrypted_content"]
    return without(made, request.omit)


def _items(message: Message, request: Request) -> Iterable[dict[str, Any]]:
    match message:
        case User(text):
            return [{"role": "user", "content": text}]
        case Assistant(parts):
            items: list[dict[str, Any]] = []
            calls = extras(parts, request.model.vendor)
            for part in parts:
                if item := _item(part):
                    extra = calls.get(item["call_id"], {}) if item.get("type") == "function_call" else {}
                    items.append({k: v for k, v in extra.items() if k not in request.omit} | item)
                for own in brought((part,), request.model.vendor):
                    if items and items[-1].get("role") == "assistant":  # the text that it came with
                        left = {k: v for k, v in own["fields"].items() if k not in request.omit}
                        items[-1] = left | items[-1]
            while items and items[-1].get("type") == "reasoning":  # without what it led to: 400
                items.pop()
            return items
        case ToolResults(results):
            return [{"type": "function_call_output", "call_id": r.id, "output": r.text} for r in results]


def _item(part: Text | ToolCall | Raw) -> dict[str, Any] | None:
    match part:
        case Text(text):
            return {"role": "assistant", "content": text} if text.strip() else None
        case ToolCall(id, name, arguments):
            return {"type": "function_call", "call_id": id, "name": name, "arguments": arguments or "{}"}
        case Raw(data):
            return dict(data) if _ours(data) else None


_ITEM = re.compile(r"\w+_call(?:_output)?|mcp_(?!tool_)\w+|program(?:_output)?|tool_search_output")


def _ours(data: Mapping[str, Any]) -> bool:
    """Whether a raw item is this protocol's, and can be read by a vendor that has stored nothing."""
    kind = data.get("type", "")
    if kind == "reasoning":  # without either it is a bare id, which is "not found" with store: false
        return bool(data.get("encrypted_content") or data.get("content"))
    if kind == "compaction":  # Messages has one too
        return "encrypted_content" in data
    return _ITEM.fullmatch(kind) is not None


# -- the wire in between ------------------------------------------------------------------------------


class OpenAIResponses:
    """Speaks Responses to `vendor` with `key` ("" for none)."""

    def __init__(self, vendor: Vendor, key: str, clients: Clients) -> None:
        self.vendor = vendor
        self._key = key
        self._clients = clients

    async def ready(self) -> None:
        await self._clients.openai(self.vendor, self._key)

    async def stream(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        made = body(request)
        call = Call.to(self.vendor, self._key, made, request)
        client = await self._clients.openai(self.vendor, self._key)
        yield RequestSent(call.address("/responses"), made)
        # All of it in `extra_body`: the SDK then neither changes it nor walks through a long history.
        manager = client.responses.with_streaming_response.create(
            model="", input="", stream=made["stream"], extra_body=made
        )
        async with aclosing(reply(manager, call, Reading(call))) as events:
            async for event in events:
                yield event

    async def models(self) -> list[Model]:
        """What the vendor offers now."""
        call = Call(self.vendor, self._key)
        client = await self._clients.openai(self.vendor, self._key)
        async with open_wire(client.models.with_streaming_response.list(), call) as wire:
            page = await wire.json()
        return models(entries(page, call), listed, call, chats)
