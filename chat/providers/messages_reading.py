"""What comes back in Messages: the wire's objects of one reply, as events. Called by `anthropic_messages`.

No SDK class is looked at: the wire's `type` decides, and what is not known is passed over. Blocks that
have to go back as they were (signed thinking, the vendor's own calls) are put together from their deltas.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chat.errors import Malformed
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
from chat.providers.bodies import parsed
from chat.providers.faults import Call
from chat.providers.usage import of_messages

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
            self._stop_reason = (payload.get("delta") or {}).get("stop_reason") or self._stop_reason
            return self._count(payload.get("usage"))
        if kind == "message_start":
            return self._started(payload.get("message") or {})
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
        events.append(ReplyFinished(stop, of_messages(self._usage)))
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

    def _count(self, usage: Any) -> Sequence[ReplyEvent]:
        """Figures are cumulative: those of a later object replace the former, each by itself."""
        if not isinstance(usage, dict):
            return ()
        self._usage.update((name, value) for name, value in usage.items() if value is not None)
        counted = of_messages(self._usage)
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
                    events.append(Opaque({**start, "input": parsed(said)}))
                return events
            case "thinking" | "compaction":
                return (Opaque({**start, block.grows: said or start.get(block.grows)}),)
        return (Opaque(start),)


def _citation(wire: Mapping[str, Any]) -> Citation:
    """A document has a title and no address; a search result of one's own has a `source`."""
    url = wire.get("url") or wire.get("source") or ""
    return Citation(wire.get("title") or wire.get("document_title") or url, url)
