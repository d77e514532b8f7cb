"""OpenAI's Responses protocol: `POST {url}/responses`. The default for OpenAI; xAI and others speak it too.

`body` turns a request into the vendor's body, `Reading` turns the wire's objects into events, and
`OpenAIResponses` joins them over the shared clients. No SDK class is looked at: the wire's `type` decides.

Reasoning items and the vendor's own tool calls come out as `Opaque` (the whole output item) and come
back as `Raw`: nothing is stored at the vendor (`store: false`), so the next round has to bring them.
"""

import json
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from chat.errors import CutOff, Malformed
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
from chat.messages import Assistant, Message, Raw, Request, Text, ToolCall, ToolResults, User
from chat.models import Model
from chat.providers import faults
from chat.providers.bodies import paired, without
from chat.providers.chat_models import chats, listed
from chat.providers.clients import Clients, open_wire
from chat.providers.faults import Call
from chat.providers.lists import entries
from chat.providers.openai_models import known
from chat.providers.reply import reply
from chat.providers.vendors import Vendor

# -- what is sent ------------------------------------------------------------------------


def body(request: Request) -> dict[str, Any]:
    """The body of `POST /responses`. Only what the request sets, and what keeps rounds together."""
    made: dict[str, Any] = {
        "model": request.model.id,
        "input": [item for message in paired(request.messages) for item in _items(message)],
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


def _items(message: Message) -> Iterable[dict[str, Any]]:
    match message:
        case User(text):
            return [{"role": "user", "content": text}]
        case Assistant(parts):
            items = [item for part in parts if (item := _item(part))]
            while items and items[-1].get("type") == "reasoning":  # without what it led to: 400
                items.pop()
            return items
        case ToolResults(results):
            return [{"type": "function_call_output", "call_id": r.id, "output": r.text} for r in results]


def _item(part: Text | ToolCall | Raw) -> dict[str, Any] | None:
    match part:
        case Text(text):
            return {"role": "assistant", "content": text} if text else None
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


# -- what is read ------------------------------------------------------------------------

_TEXT_DELTA = "response.output_text.delta"


class Reading:
    """The wire's objects of one reply, one at a time, as events. `call` is named where it fails."""

    def __init__(self, call: Call) -> None:
        self.finished = False
        self._call = call
        self._heard: set[tuple[Any, ...]] = set()
        """Parts that came in deltas, so that their `done` says nothing new: (output index, part…)."""
        self._calls: dict[Any, str] = {}
        """Call ids by output index."""
        self._ids: set[str] = set()
        self._cited: dict[tuple[Any, Any], int] = {}
        self._thought: tuple[Any, ...] | None = None
        """The thinking part that was said last, with nothing else after it."""
        self._items = False
        self._here = False
        self._refused = False

    def read(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """The events of one wire object. Raises what an error object says."""
        kind = payload.get("type")
        if kind == _TEXT_DELTA:  # the hot path: nearly all events are this one
            self._heard.add((payload.get("output_index"), payload.get("content_index")))
            self._thought = None
            return (TextDelta(text),) if (text := payload.get("delta")) else ()
        if kind == "error" or (kind is None and payload.get("error")):
            raise _fault(payload, self._call)
        handle = _HANDLERS.get(kind or "")
        if handle is not None:
            return handle(self, payload)
        return (KeepAlive(),) if kind in ("keepalive", "ping") else ()

    def whole(self, answer: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """The events of a response object that came in one piece."""
        if not isinstance(answer.get("output"), list):
            raise Malformed(
                f"{self._call.title} sent JSON that is no answer. Check its address and the model."
            )
        return self._over({"response": answer})

    def end(self, done: bool) -> Sequence[ReplyEvent] | None:
        """Only the terminal object ends a response; a bare `[DONE]` is believed too."""
        return self._finish("completed", {}) if done else None

    def _refusal(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        self._refused = True
        self._heard.add((payload.get("output_index"), payload.get("content_index")))
        self._thought = None
        return (TextDelta(text),) if (text := payload.get("delta")) else ()

    def _summary(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        key = (payload.get("output_index"), "summary", payload.get("summary_index"))
        return self._think(key, payload.get("delta"))

    def _reasoning(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        key = (payload.get("output_index"), "content", payload.get("content_index"))
        return self._think(key, payload.get("delta"))

    def _think(self, key: tuple[Any, ...], text: str | None) -> Sequence[ReplyEvent]:
        self._heard.add(key)
        if not text:
            return ()
        apart = self._thought is not None and self._thought != key
        self._thought = key
        return (ThinkingDelta("\n\n" + text if apart else text),)

    def _added(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        return self._open(payload.get("output_index"), payload["item"])

    def _open(self, index: Any, item: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """The call begins, if the item is one and has not begun."""
        self._items = True
        kind = item.get("type", "")
        here = kind == "function_call"
        if index in self._calls or not (here or _is_call(kind)):
            return ()
        id = item.get("call_id") or item.get("id") or f"call_{len(self._ids)}"
        if id in self._ids:
            id = f"{id}_{len(self._ids)}"
        self._ids.add(id)
        self._calls[index] = id
        self._thought = None
        self._here = self._here or here
        name = item.get("name") or kind.removesuffix("_call")
        return (ToolCallStarted(id, name, "here" if here else "provider"),)

    def _arguments(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        index, text = payload.get("output_index"), payload.get("delta")
        id = self._calls.get(index)
        if id is None or not text:
            return ()
        self._heard.add((index,))
        return (ToolCallDelta(id, text),)

    def _annotation(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        key = (payload.get("output_index"), payload.get("content_index"))
        self._cited[key] = self._cited.get(key, 0) + 1
        return (_citation(payload["annotation"]),)

    def _done(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        return self._close(payload.get("output_index"), payload["item"])

    def _close(self, index: Any, item: Mapping[str, Any]) -> list[ReplyEvent]:
        """What of a complete item has not been said before."""
        events = list(self._open(index, item))
        match item.get("type"):
            case "message":
                for at, part in enumerate(item.get("content") or ()):
                    events += self._part(index, at, part)
            case "reasoning":
                for name in ("summary", "content"):
                    for at, part in enumerate(item.get(name) or ()):
                        if (key := (index, name, at)) not in self._heard:
                            events += self._think(key, part.get("text"))
                events.append(Opaque(item))
            case "function_call":
                if (index,) not in self._heard:
                    events.append(ToolCallDelta(self._calls[index], item.get("arguments") or "{}"))
            case _:
                if (id := self._calls.get(index)) and (index,) not in self._heard and (shown := _input(item)):
                    events.append(ToolCallDelta(id, shown))
                events.append(Opaque(item))
        return events

    def _part(self, index: Any, at: int, part: Mapping[str, Any]) -> Iterable[ReplyEvent]:
        refusal = part.get("type") == "refusal"
        self._refused = self._refused or refusal
        if (index, at) not in self._heard and (text := part.get("refusal" if refusal else "text")):
            self._thought = None
            yield TextDelta(text)
        for annotation in (part.get("annotations") or ())[self._cited.get((index, at), 0) :]:
            yield _citation(annotation)

    def _over(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        response = payload.get("response") or {}
        status = response.get("status") or payload.get("type", "").removeprefix("response.")
        if response.get("error") or status == "failed":
            raise _fault({"error": response.get("error") or {"code": "server_error"}}, self._call)
        if status == "cancelled":
            raise CutOff(f"{self._call.title} ended this answer before it was complete. Ask again.")
        events: list[ReplyEvent] = []
        if not self._items:  # an answer in one piece, or a server that streams nothing but the end
            for index, item in enumerate(response.get("output") or ()):
                events += self._close(index, item)
        return events + self._finish(status, response)

    def _finish(self, status: str, response: Mapping[str, Any]) -> list[ReplyEvent]:
        stop: Stop = "tool_use" if self._here else "refusal" if self._refused else "end"
        if status == "incomplete":
            reason = (response.get("incomplete_details") or {}).get("reason")
            stop = "filter" if reason == "content_filter" else "length"
        usage = _usage(response.get("usage"))
        self.finished = True
        return [usage, ReplyFinished(stop, usage)] if usage else [ReplyFinished(stop)]


_HANDLERS = {
    "response.refusal.delta": Reading._refusal,
    "response.reasoning_summary_text.delta": Reading._summary,
    "response.reasoning_text.delta": Reading._reasoning,
    "response.output_item.added": Reading._added,
    "response.output_item.done": Reading._done,
    "response.function_call_arguments.delta": Reading._arguments,
    "response.mcp_call_arguments.delta": Reading._arguments,
    "response.output_text.annotation.added": Reading._annotation,
    "response.completed": Reading._over,
    "response.incomplete": Reading._over,
    "response.failed": Reading._over,
    "response.cancelled": Reading._over,
}


def _fault(payload: Mapping[str, Any], call: Call) -> Exception:
    return faults.said(payload, call) or CutOff(f"{call.title} broke off with an error. Ask again.")


def _is_call(kind: str) -> bool:
    return kind.endswith("_call") or kind in ("program", "mcp_approval_request")


def _input(item: Mapping[str, Any]) -> str:
    """What the vendor's own tool was asked, as JSON text, where the item shows it."""
    arguments = item.get("arguments")
    if isinstance(arguments, str):
        return arguments
    names = ("arguments", "action", "queries", "code", "input", "operation")
    shown = {name: item[name] for name in names if item.get(name)}
    return json.dumps(shown, ensure_ascii=False) if shown else ""


def _citation(annotation: Mapping[str, Any]) -> Citation:
    """A file has a name and no address."""
    url = annotation.get("url") or ""
    return Citation(annotation.get("title") or annotation.get("filename") or url, url)


def _usage(wire: Mapping[str, Any] | None) -> Usage | None:
    if not wire:
        return None
    return Usage(
        input=wire.get("input_tokens"),
        output=wire.get("output_tokens"),
        cached=(wire.get("input_tokens_details") or {}).get("cached_tokens"),
        thinking=(wire.get("output_tokens_details") or {}).get("reasoning_tokens"),
        cost=wire.get("cost"),  # OpenRouter's word
    )


# -- joined ------------------------------------------------------------------------------


class OpenAIResponses:
    """Speaks Responses to `vendor` with `key` ("" for none)."""

    def __init__(self, vendor: Vendor, key: str, clients: Clients) -> None:
        self.vendor = vendor
        self._key = key
        self._clients = clients

    async def stream(self, request: Request) -> AsyncGenerator[ReplyEvent, None]:
        made = body(request)
        call = Call.to(self.vendor, self._key, made)
        client = await self._clients.openai(self.vendor, self._key)
        yield RequestSent(f"{self.vendor.url}/responses", made)
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
        return [listed(self.vendor.name, entry) for entry in entries(page, call) if chats(entry)]
