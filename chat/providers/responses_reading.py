"""What comes back in Responses: the wire's objects of one reply, as events. Called by `openai_responses`.

No SDK class is looked at: the wire's `type` decides, and what is not known is passed over. Vendors differ
in what they stream and what they tell only at the end, so each complete item is compared with what its
deltas said, and only the rest of it is told.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chat.errors import CutOff, Malformed
from chat.events import (
    Citation,
    KeepAlive,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from chat.providers import faults
from chat.providers.faults import Call
from chat.providers.usage import of_responses

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
        self._ids: dict[str, str] = {}
        """The vendor's id behind each of them, which need not be unique."""
        self._cited: dict[tuple[Any, Any], int] = {}
        self._thought: tuple[Any, ...] | None = None
        """The thinking part that was said last, with nothing else after it."""
        self._closed = False
        """Whether an item was told to be complete."""
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
        kind = item.get("type", "")
        here = kind == "function_call"
        given = item.get("call_id") or item.get("id") or ""
        begun = self._calls.get(index)
        if not (here or _is_call(kind)) or (begun is not None and self._ids[begun] == given):
            return ()
        id = given or "call"
        if not given or id in self._ids:
            id = f"{id}_{len(self._ids)}"
        self._ids[id] = given
        self._calls[index] = id
        self._heard.discard((index,))  # of another call, where a server gives all of them one index
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

    def _arguments_done(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        if (payload.get("output_index"),) in self._heard:
            return ()
        return self._arguments({**payload, "delta": payload.get("arguments")})

    def _annotation(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        key = (payload.get("output_index"), payload.get("content_index"))
        self._cited[key] = self._cited.get(key, 0) + 1
        return (_citation(payload["annotation"]),)

    def _done(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        return self._close(payload.get("output_index"), payload["item"])

    def _close(self, index: Any, item: Mapping[str, Any]) -> list[ReplyEvent]:
        """What of a complete item has not been said before."""
        self._closed = True
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
                    arguments = item.get("arguments") or "{}"
                    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
                    events.append(ToolCallDelta(self._calls[index], text))
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
        if not (self._closed or self._heard):  # in one piece, or from a server that streams only the end
            for index, item in enumerate(response.get("output") or ()):
                events += self._close(index, item)
        return events + self._finish(status, response)

    def _finish(self, status: str, response: Mapping[str, Any]) -> list[ReplyEvent]:
        stop: Stop = "tool_use" if self._here else "refusal" if self._refused else "end"
        if status == "incomplete":
            reason = (response.get("incomplete_details") or {}).get("reason")
            stop = "filter" if reason == "content_filter" else "length"
        usage = of_responses(response.get("usage"))
        self.finished = True
        return [usage, ReplyFinished(stop, usage)] if usage else [ReplyFinished(stop)]


_HANDLERS = {
    "response.refusal.delta": Reading._refusal,
    "response.reasoning_summary_text.delta": Reading._summary,
    "response.reasoning_text.delta": Reading._reasoning,
    "response.output_item.added": Reading._added,
    "response.output_item.done": Reading._done,
    "response.function_call_arguments.delta": Reading._arguments,
    "response.function_call_arguments.done": Reading._arguments_done,
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
