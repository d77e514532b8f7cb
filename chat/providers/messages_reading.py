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
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from chat.providers import faults
from chat.providers.arguments import Arguments, as_text
from chat.providers.back import FIELDS, MAX_KEPT_CHARS, size
from chat.providers.bodies import parsed
from chat.providers.cumulative import Cumulative
from chat.providers.faults import Call
from chat.providers.reply import check_parts
from chat.providers.stops import Ending, ending, unsaid
from chat.providers.usage import of_messages
from chat.providers.values import UNNAMED, mapping, name, number, objects, text

_TOOLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_OURS = frozenset(("type", "id", "name", "input", "cache_control"))
"""Fields of a call that are put together anew when it goes back."""


class _Block:
    """A content block that is open. `pieces` is what its deltas add to the field `grows`."""

    __slots__ = ("arguments", "chars", "grows", "id", "index", "kind", "pieces", "start", "text")

    def __init__(self, index: int | None, start: Mapping[str, Any]) -> None:
        self.index = index
        self.start = start
        self.kind = _kind(start)
        self.id = name(start.get("id"))
        self.pieces: list[str] = []
        self.grows = {"thinking": "thinking", "compaction": "content"}.get(self.kind, "")
        self.arguments = Arguments()
        self.chars = 0
        """Of a call's beginning, about, which is kept until its end."""
        self.text = Cumulative()


class Reading:
    """The wire's objects of one reply, one at a time, as events. `call` is named where it fails."""

    def __init__(self, call: Call) -> None:
        self.finished = False
        self.repeated = 0
        self._call = call
        self._ending: Ending | None = None
        self._usage: dict[str, Any] = {}
        self._content: Any = None
        """That of the message's beginning."""
        self._blocks: list[_Block] = []
        """Those that are open; the last one began last."""
        self._begun = 0
        """Characters of the open calls' beginnings. With too many of them, all are taken as ended."""
        self._here = self._said = False
        self._ids: set[str] = set()
        self._thought: _Block | None = None
        """The thinking block that was said last, with nothing else after it."""

    def read(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """The events of one wire object. Raises what an error object says."""
        kind = payload.get("type")
        if kind == "content_block_delta":  # the hot path
            return self._delta(number(payload.get("index")), payload.get("delta"))
        if kind == "content_block_start":
            return self._open(number(payload.get("index")), mapping(payload.get("content_block")))
        if kind == "content_block_stop":
            return self._stop(number(payload.get("index")))
        if kind == "message_delta":
            for place in (payload, mapping(payload.get("delta"))):
                self._end(place.get("stop_reason"))
            return self._count(payload.get("usage"))
        if kind == "message_start":
            return self._started(mapping(payload.get("message")))
        if kind == "message_stop":
            return self._finish()
        if kind is None and isinstance(payload.get("message"), dict):
            return self._started(payload["message"])
        if kind is None and isinstance(payload.get("content_block"), dict):
            return self._open(number(payload.get("index")), payload["content_block"])
        if kind in ("error", "response.error") or (kind is None and faults.said(payload, self._call)):
            raise faults.said({**payload, "type": "error"}, self._call) or Malformed(
                f"{self._call.title} sent an empty error."
            )
        if kind is None and isinstance(payload.get("delta"), dict):
            self._end(payload["delta"].get("stop_reason"))
            return self._delta(number(payload.get("index")), payload["delta"])
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
        return self._finish() if done or self._ending else None

    def rest(self) -> Sequence[ReplyEvent]:
        """What was held back of the text, where the reply broke off."""
        return [event for block in self._blocks for event in self._held(block)]

    def _end(self, reason: Any) -> None:
        found = ending(reason, self._call) if reason else None
        if found is not None and found.fault:
            raise found.fault
        if found is not None and (self._ending is None or found.rank >= self._ending.rank):
            self._ending = found

    def _finish(self) -> list[ReplyEvent]:
        events = [event for block in list(self._blocks) for event in self._close(block)]
        stop = self._ending.stop if self._ending else "end"
        if stop in ("end", "other", "tool_use"):
            stop = "tool_use" if self._here else "end" if stop == "tool_use" else stop
        if self._ending is None and stop == "end" and self._said:
            events.append(unsaid(self._call))
        elif self._ending is not None and stop == "other":
            events += self._ending.notices(self._call)
        events.append(ReplyFinished(stop, of_messages(self._usage)))
        self.finished = True
        return events

    def _started(self, message: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        events: list[ReplyEvent] = []
        content = message.get("content")
        if content == self._content:
            content = None  # the same once more
        self._content = content or self._content
        for index, block in enumerate([{"text": content}] if isinstance(content, str) else objects(content)):
            events += self._open(index, block)
            events += self._stop(index)
        self._end(message.get("stop_reason"))
        events += self._count(message.get("usage"))
        return events

    def _count(self, usage: Any) -> Sequence[ReplyEvent]:
        """Figures are cumulative: those of a later object replace the former, each by itself."""
        if not isinstance(usage, dict):
            return ()
        self._usage.update((name, value) for name, value in usage.items() if value is not None)
        counted = of_messages(self._usage)
        return (counted,) if counted else ()

    def _open(self, index: int | None, start: Mapping[str, Any]) -> list[ReplyEvent]:
        last = self._blocks[-1] if self._blocks else None
        if last is not None and last.index == index and start and last.start == start:
            return []  # the same once more
        # Blocks follow one another; a stop may be missing. Calls may come side by side all the same.
        block = _Block(index, start)
        block.chars = size(start) if block.kind in _TOOLS else 0
        full = self._begun + block.chars > MAX_KEPT_CHARS
        events = [e for b in list(self._blocks) if full or b.kind not in _TOOLS for e in self._close(b)]
        self._blocks.append(block)
        self._begun += block.chars
        check_parts(len(self._blocks), self._call)
        match block.kind:
            case "text":
                events += self._say(block, text(start.get("text")))
                events += map(_citation, objects(start.get("citations")))
            case "thinking":
                events += self._think(block, text(start.get("thinking")))
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                events += self._announce(block)
            case _:
                pass
        return events

    def _announce(self, block: _Block) -> list[ReplyEvent]:
        here = block.kind == "tool_use"
        self._here = self._here or here
        self._thought = None
        if not block.id or block.id in self._ids:
            block.id = f"{block.id or 'call'}_{len(self._ids)}"
        self._ids.add(block.id)
        called = name(block.start.get("name")) or UNNAMED
        return [ToolCallStarted(block.id, called, "here" if here else "provider")]

    def _delta(self, index: int | None, delta: Any) -> Sequence[ReplyEvent]:
        delta = {"text": delta} if isinstance(delta, str) else mapping(delta)
        kind = name(delta.get("type")) or _DELTAS.get(next((n for n in _DELTAS if n in delta), ""), "")
        match kind:
            case "text_delta":
                return self._say(self._find(index, "text"), text(delta.get("text")))
            case "input_json_delta":
                block = self._find(index, *_TOOLS)
                events = [] if block.id in self._ids else self._announce(block)
                piece = as_text(delta.get("partial_json"))
                if told := block.arguments.feed(piece):
                    events.append(ToolCallDelta(block.id, told))
                return events
            case "thinking_delta":
                return self._think(self._find(index, "thinking"), text(delta.get("thinking")))
            case "signature_delta":
                block = self._find(index, "thinking")
                block.start = {**block.start, "signature": delta.get("signature")}
            case "citations_delta":
                return [*self._held_text(), *map(_citation, objects(delta.get("citation")))]
            case "compaction_delta":
                self._find(index, "compaction").pieces.append(text(delta.get("content")))
            case _:
                pass
        return ()

    def _find(self, index: int | None, *kinds: str) -> _Block:
        """The open block that a delta belongs to: by its index, else the last of its kind, else a new one."""
        last = self._blocks[-1] if self._blocks else None
        if last is not None and last.index == index and last.kind in kinds:  # nearly always
            return last
        fitting = [block for block in reversed(self._blocks) if block.kind in (*kinds, "")]
        for block in fitting:
            if block.index == index or index is None or block.index is None:
                if not block.kind:  # its beginning told no type
                    made = _Block(index, {**block.start, "type": kinds[0]})
                    self._blocks[self._blocks.index(block)] = block = made
                return block
        block = _Block(index, {"type": kinds[0]})
        self._blocks.append(block)
        check_parts(len(self._blocks), self._call)
        return block

    def _say(self, block: _Block, words: str) -> list[ReplyEvent]:
        if not words:
            return []
        self._thought, self._said = None, True
        words = self._new(block, words)
        return [TextDelta(words)] if words else []

    def _think(self, block: _Block, words: str) -> list[ReplyEvent]:
        words = self._new(block, words)
        return self._thinking(block, words) if words else []

    def _new(self, block: _Block, words: str) -> str:
        before = block.text.repeated
        words = block.text.feed(words)
        self.repeated += block.text.repeated - before
        return words

    def _thinking(self, block: _Block, words: str) -> list[ReplyEvent]:
        block.pieces.append(words)
        apart = self._thought not in (None, block)
        self._thought = block
        return [ThinkingDelta("\n\n" + words if apart else words)]

    def _held(self, block: _Block) -> list[ReplyEvent]:
        words = block.text.end()
        if not words:
            return []
        return [TextDelta(words)] if block.kind == "text" else self._thinking(block, words)

    def _held_text(self) -> list[ReplyEvent]:
        return [event for block in self._blocks if block.kind == "text" for event in self._held(block)]

    def _stop(self, index: int | None) -> list[ReplyEvent]:
        fitting = [b for b in reversed(self._blocks) if b.index == index or None in (index, b.index)]
        return self._close(fitting[0]) if fitting else []

    def _close(self, block: _Block) -> list[ReplyEvent]:
        self._blocks.remove(block)
        self._begun -= block.chars
        events = self._held(block)
        if block.kind == "text":
            return events
        start = block.start
        if block.kind in _TOOLS and block.id not in self._ids:
            return events  # nothing but a beginning that tells nothing
        if block.kind in _TOOLS:
            if not block.arguments.said:  # a call without arguments, or with all of them at its start
                given = start.get("input") or {}
                block.arguments.feed(
                    given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
                )
                events.append(ToolCallDelta(block.id, block.arguments.text))
            elif told := block.arguments.end():
                events.append(ToolCallDelta(block.id, told))
            extra = {
                field: value for field, value in start.items() if field not in _OURS and value is not None
            }
            if block.kind != "tool_use":
                events.append(Opaque({**start, "type": block.kind, "input": parsed(block.arguments.text)}))
            elif extra:
                back = {"fields": {}, "calls": {block.id: extra}}
                events.append(Opaque({"type": FIELDS, "vendor": self._call.vendor.name, **back}))
            return events
        if block.grows:
            said = "".join(block.pieces) or start.get(block.grows)
            return [*events, Opaque({**start, "type": block.kind, block.grows: said})]
        return [*events, Opaque(start)] if block.kind else events


_DELTAS = {
    "text": "text_delta",
    "partial_json": "input_json_delta",
    "thinking": "thinking_delta",
    "signature": "signature_delta",
    "citation": "citations_delta",
}
"""A delta's type by the field that it has, where it tells none."""


def _kind(start: Mapping[str, Any]) -> str:
    """A block's type, told or not."""
    if kind := name(start.get("type")):
        return kind
    if "thinking" in start:
        return "thinking"
    if "name" in start or "input" in start:
        return "server_tool_use" if name(start.get("id")).startswith("srvtoolu") else "tool_use"
    return "text" if "text" in start else ""


def _citation(wire: Mapping[str, Any]) -> Citation:
    """A document has a title and no address; a search result of one's own has a `source`."""
    url = text(wire.get("url") or wire.get("source"))
    return Citation(text(wire.get("title") or wire.get("document_title")) or url, url)
