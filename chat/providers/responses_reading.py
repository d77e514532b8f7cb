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
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from chat.providers import faults
from chat.providers.arguments import Arguments, as_text
from chat.providers.back import FIELDS
from chat.providers.cumulative import Cumulative
from chat.providers.faults import Call
from chat.providers.reply import MAX_PARTS, check_parts
from chat.providers.stops import Ending, ending, unsaid
from chat.providers.usage import of_responses
from chat.providers.values import UNNAMED, mapping, name, number, objects, text

_TEXT_DELTA = "response.output_text.delta"

_OURS = frozenset(("type", "id", "call_id", "name", "arguments", "status", "role", "content", "output_index"))
"""Fields of a message or a call that are put together anew when it goes back."""

_MESSAGE, _REASONING, _CALL = "message", "reasoning", "call"


class _Part:
    """A text of an item: what was said of it, and what waits because a piece before it is missing."""

    __slots__ = ("cited", "done", "gap", "pieces", "text", "waiting")

    def __init__(self) -> None:
        self.text = Cumulative()
        self.pieces: list[str] = []
        self.gap = self.done = False
        self.waiting: list[str] = []
        self.cited = 0

    def feed(self, words: str) -> str:
        """What of the next piece is to be shown. Without one, the rest waits for the whole."""
        if self.done:
            return ""
        if not words:
            self.gap = True
        if self.gap:
            self.waiting.append(words)
            return ""
        return self._told(self.text.feed(words))

    def whole(self, words: str) -> str:
        """What of the whole text was not said."""
        held, so_far = self.end(), "".join(self.pieces)
        self.done = bool(words) or self.done
        if words.startswith(so_far):
            return held + self._told(words[len(so_far) :])
        return held

    def end(self) -> str:
        """What was held back, unless the whole text is still to come."""
        return "" if self.gap else self._told(self.text.end())

    def lost(self) -> str:
        """What waited for a whole text that never came."""
        waited, self.waiting = "".join(self.waiting), []
        return "" if self.done else self._told(waited)

    def said(self) -> str:
        self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0]

    def _told(self, words: str) -> str:
        if words:
            self.pieces.append(words)
        return words


class _Item:
    """An output item, as far as it is known."""

    __slots__ = (
        "arguments",
        "begun",
        "closed",
        "here",
        "id",
        "ids",
        "index",
        "kind",
        "last",
        "name",
        "parts",
    )

    def __init__(self, kind: str, index: int | None) -> None:
        self.kind = kind
        self.index = index
        self.ids: set[str] = set()
        self.id = ""
        """Of a call: ours, once it was announced."""
        self.name = ""
        self.begun: Mapping[str, Any] = {}
        """What began it without a type and a name. They stand in the complete item, if one comes."""
        self.arguments = Arguments()
        self.parts: dict[tuple[str, int], _Part] = {}
        self.last: dict[str, int] = {}
        """By the name of a list: the place of its part that was spoken of last."""
        self.here = self.closed = False

    def part(self, where: str, at: int | None) -> tuple[tuple[str, int], _Part]:
        at = self.last.get(where, 0) if at is None else at
        if (where, at) not in self.parts and len(self.parts) >= MAX_PARTS:
            at = self.last[where]
        self.last[where] = at
        return (where, at), self.parts.setdefault((where, at), _Part())


class Reading:
    """The wire's objects of one reply, one at a time, as events. `call` is named where it fails."""

    def __init__(self, call: Call) -> None:
        self.finished = False
        self.repeated = 0
        self._call = call
        self._items: list[_Item] = []
        self._by_id: dict[str, _Item] = {}
        self._by_index: dict[int, _Item] = {}
        self._ids: set[str] = set()
        self._thought: tuple[_Item, tuple[str, int]] | None = None
        """The thinking part that was said last, with nothing else after it."""
        self._here = self._refused = self._said = False
        self._before: tuple[Any, Mapping[str, Any]] = (None, {})
        self._numbered = False

    def read(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """The events of one wire object. Raises what an error object says."""
        kind = payload.get("type")
        if self._again(payload):
            return ()
        if kind == _TEXT_DELTA:  # the hot path: nearly all events are this one
            return self._say(payload, "content", payload.get("delta"))
        if kind in ("error", "response.error") or (kind is None and faults.said(payload, self._call)):
            raise _fault({**payload, "type": "error"}, self._call)
        if kind is None and "delta" in payload:
            kind = self._guessed(payload)
            payload = {**payload, "type": kind}
        handle = _HANDLERS.get(kind if isinstance(kind, str) else "")
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
        return self._finish(None, {}) if done else None

    def rest(self) -> list[ReplyEvent]:
        """What was held back, where the reply broke off."""
        events: list[ReplyEvent] = []
        for item in self._items:
            if item.begun and not item.id and (begins := self._open(item, item.begun)):
                item.arguments.end()
                events += begins
                events += [ToolCallDelta(item.id, words)] if (words := item.arguments.told) else []
            for key, part in item.parts.items():
                if words := part.end() + part.lost():
                    events += self._shown(item, key, words)
        return events

    def _again(self, payload: Mapping[str, Any]) -> bool:
        """Whether it is the event before once more: its number says so, where events have one each."""
        number = payload.get("sequence_number")
        if number is None:
            return False
        last, before = self._before
        if number != last:
            self._numbered = self._numbered or last is not None
        elif self._numbered and payload == before:
            return True
        self._before = (number, payload)
        return False

    def _guessed(self, payload: Mapping[str, Any]) -> str:
        """The type of a delta that tells none."""
        id, index = name(payload.get("item_id")), number(payload.get("output_index"))
        item = self._by_id.get(id) or (self._by_index.get(index) if index is not None else None)
        if "summary_index" in payload:
            return "response.reasoning_summary_text.delta"
        if item is not None and item.kind == _CALL:
            return "response.function_call_arguments.delta"
        if item is not None and item.kind == _REASONING:
            return "response.reasoning_text.delta"
        return _TEXT_DELTA if "content_index" in payload else ""

    # -- whose piece it is -------------------------------------------------------------------------

    def _find(self, payload: Mapping[str, Any], kind: str) -> _Item:
        """The item that a piece belongs to: by its id or index, or the last of its kind; else a new one."""
        id, index = name(payload.get("item_id")), number(payload.get("output_index"))
        known = self._by_id.get(id) if id else None
        if known is not None and known.kind == kind:
            return known
        if index is not None:
            placed = self._by_index.get(index)
            if placed is not None and placed.kind == kind:
                return placed
        for item in reversed(self._items):
            if item.kind == kind and (item.index is None or index is None):
                if item.closed and known is None and not (id == "" and index is None):
                    break
                return self._known(item, id, index)
        return self._new(kind, id, index)

    def _new(self, kind: str, id: str, index: int | None) -> _Item:
        item = _Item(kind, index)
        self._items.append(item)
        check_parts(len(self._items), self._call)
        return self._known(item, id, index)

    def _known(self, item: _Item, id: str, index: int | None) -> _Item:
        if id:
            item.ids.add(id)
            self._by_id.setdefault(id, item)
        if index is not None:
            item.index = index
            self._by_index[index] = item
        return item

    # -- text and thinking ---------------------------------------------------------------------------

    def _say(self, payload: Mapping[str, Any], where: str, words: Any) -> Sequence[ReplyEvent]:
        place = payload.get("content_index" if where == "content" else "summary_index")
        kind = _MESSAGE if payload["type"] in _OF_MESSAGES else _REASONING
        item = self._find(payload, kind)
        key, part = item.part(where, number(place))
        before = part.text.repeated
        words = part.feed(text(words))
        self.repeated += part.text.repeated - before
        return self._shown(item, key, words) if words else ()

    def _shown(self, item: _Item, key: tuple[str, int], words: str) -> list[ReplyEvent]:
        if item.kind == _MESSAGE:
            self._thought, self._said = None, True
            return [TextDelta(words)]
        apart = self._thought not in (None, (item, key))
        self._thought = (item, key)
        return [ThinkingDelta("\n\n" + words if apart else words)]

    def _text_done(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        where = "summary" if "summary" in payload["type"] else "content"
        kind = _MESSAGE if payload["type"] in _OF_MESSAGES else _REASONING
        item = self._find(payload, kind)
        key, part = item.part(where, number(payload.get(f"{where}_index")))
        words = part.whole(text(payload.get("text") or payload.get("refusal")))
        return self._shown(item, key, words) if words else ()

    def _refusal(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        self._refused = True
        return self._say(payload, "content", payload.get("delta"))

    def _summary(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        return self._say(payload, "summary", payload.get("delta"))

    def _part_added(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """Only which part is spoken of from now on."""
        part = mapping(payload.get("part"))
        summary = "summary" in payload["type"]
        kind = _REASONING if summary or part.get("type") == "reasoning_text" else _MESSAGE
        where = "summary" if summary else "content"
        at = number(payload.get(f"{where}_index"))
        if at is not None:
            self._find(payload, kind).part(where, at)
        return ()

    def _annotation(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        item = self._find(payload, _MESSAGE)
        key, part = item.part("content", number(payload.get("content_index")))
        found = objects(payload.get("annotation"))
        part.cited += len(found)
        words = part.end()
        return [*(self._shown(item, key, words) if words else ()), *map(_citation, found)]

    # -- calls and whole items -----------------------------------------------------------------------

    def _added(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        item = mapping(payload.get("item"))
        if not item:
            return ()
        begun = self._item(number(payload.get("output_index")), item)
        if item.get("type") or item.get("name"):
            return self._open(begun, item)
        begun.begun = item
        return ()

    def _item(self, index: int | None, whole: Mapping[str, Any]) -> _Item:
        """The item that `whole` begins or completes."""
        kind, ids = _sort(whole), [id for id in (name(whole.get(n)) for n in ("id", "call_id")) if id]
        if not whole.get("type"):
            kind = next((self._by_id[id].kind for id in ids if id in self._by_id), kind)
        known = next((item for id in ids if (item := self._by_id.get(id)) and item.kind == kind), None)
        placed = self._by_index.get(index) if index is not None else None
        if known is not None and placed is not None and known is not placed and placed.kind == kind:
            known = placed if placed.ids & set(ids) else known  # an id that two calls have
        if known is None and placed is not None and placed.kind == kind:
            own = not placed.ids or not ids or (kind != _CALL and not placed.closed)
            known = placed if own else None
        if known is None:
            known = next((i for i in reversed(self._items) if self._takes(i, kind, index, ids)), None)
        if known is not None and known.closed and index is not None and known.index not in (None, index):
            known = None  # another call with the same id
        item = known or self._new(kind, "", index)
        for id in ids:
            self._known(item, id, index)
        return item

    @staticmethod
    def _takes(item: _Item, kind: str, index: int | None, ids: list[str]) -> bool:
        """Whether an item that began without id or index may be the one that is told now."""
        if item.closed or item.kind != kind or None not in (item.index, index):
            return False
        return not (item.ids and ids) if kind == _CALL else True

    def _open(self, item: _Item, whole: Mapping[str, Any]) -> list[ReplyEvent]:
        """The call begins, if the item is one and has not begun."""
        kind = name(whole.get("type"))
        if item.kind != _CALL or item.id:
            return []
        here = kind == "function_call" or (not kind and bool({"name", "arguments"} & whole.keys()))
        given = name(whole.get("call_id")) or name(whole.get("id"))
        id = given or "call"
        if not given or id in self._ids:
            id = f"{id}_{len(self._ids)}"
        self._ids.add(id)
        item.id, item.here = id, here
        self._thought = None
        self._here = self._here or here
        item.name = name(whole.get("name")) or ("" if here else kind.removesuffix("_call")) or UNNAMED
        return [ToolCallStarted(id, item.name, "here" if here else "provider")]

    def _arguments(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        item = self._find(payload, _CALL)
        words = item.arguments.feed(as_text(payload.get("delta")))
        return (ToolCallDelta(item.id, words),) if words and item.id else ()

    def _arguments_done(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        item = self._find(payload, _CALL)
        given = as_text(payload.get("arguments"))
        words = item.arguments.whole(given) if given else ""
        return (ToolCallDelta(item.id, words),) if words and item.id else ()

    def _done(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        item = mapping(payload.get("item"))
        if not item:
            return ()
        return self._close(self._item(number(payload.get("output_index")), item), item)

    def _close(self, item: _Item, whole: Mapping[str, Any]) -> list[ReplyEvent]:
        """What of a complete item has not been said before."""
        closed, item.closed = item.closed, True
        events: list[ReplyEvent] = []
        if item.kind == _CALL:
            early = item.arguments.told if not item.id else ""  # they came before it began
            events += self._open(item, whole)
            given = as_text(whole.get("arguments"))
            if not item.here:
                given = given or ("" if item.arguments.said else _input(whole))
            elif not item.arguments.said:
                given = given or "{}"
            words = early + (item.arguments.whole(given) if given else item.arguments.end())
            events += [ToolCallDelta(item.id, words)] if words else []
        for where in ("summary", "content"):
            parts = whole.get(where)
            parts = [{"text": parts}] if isinstance(parts, str) else objects(parts)
            for at, part in enumerate(parts if item.kind in (_MESSAGE, _REASONING) else ()):
                events += self._part(item, where, at, part)
        if closed:
            return events
        if whole.get("type") not in ("message", "function_call", None):
            events.append(Opaque(whole))
        elif extra := {k: v for k, v in whole.items() if k not in _OURS and v not in (None, [], {})}:
            back = {"calls": {item.id: extra}} if item.kind == _CALL else {"fields": extra}
            kept = {"fields": {}, "calls": {}} | back
            events.append(Opaque({"type": FIELDS, "vendor": self._call.vendor.name, **kept}))
        return events

    def _part(self, item: _Item, where: str, at: int, whole: Mapping[str, Any]) -> Iterable[ReplyEvent]:
        refusal = whole.get("type") == "refusal" or ("refusal" in whole and "text" not in whole)
        self._refused = self._refused or refusal
        key, part = item.part(where, at)
        if words := part.whole(text(whole.get("refusal") if refusal else whole.get("text"))):
            yield from self._shown(item, key, words)
        annotations = objects(whole.get("annotations"))
        yield from map(_citation, annotations[part.cited :])
        part.cited = max(part.cited, len(annotations))

    # -- the end -------------------------------------------------------------------------------------

    def _over(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        response = mapping(payload.get("response"))
        status = response.get("status")
        if not isinstance(status, str) or status in ("", "in_progress", "queued"):
            status = str(payload.get("type") or "").removeprefix("response.") or "completed"
        if response.get("error") or status == "failed":
            raise _fault({"error": response.get("error") or {"code": "server_error"}}, self._call)
        if status in ("cancelled", "canceled"):
            raise CutOff(f"{self._call.title} ended this answer before it was complete. Ask again.")
        events: list[ReplyEvent] = []
        for item, whole in self._matched(objects(response.get("output"))):
            events += self._close(item, whole)
        reason = mapping(response.get("incomplete_details")).get("reason")
        if status == "incomplete" or reason:
            found = ending(reason, self._call) or Ending("other")
            if found.fault:
                raise found.fault
            found = Ending("other", found.words) if found.stop == "end" else found
        else:
            found = ending("end" if status == "done" else status, self._call)
        return events + self._finish(found, response)

    def _matched(self, output: list[Mapping[str, Any]]) -> list[tuple[_Item, Mapping[str, Any]]]:
        """Each item of the whole answer with what is known of it: by its id, its words, or its order."""
        left = list(self._items)
        found: dict[int, _Item] = {}
        for fits in (_same_id, _same_words, lambda item, whole: True):
            for at, whole in enumerate(output):
                if at in found:
                    continue
                kind = _sort(whole)
                item = next((i for i in left if i.kind == kind and fits(i, whole)), None)
                if item is not None:
                    found[at] = item
                    left.remove(item)
        return [
            (found[at] if at in found else self._new(_sort(whole), "", None), whole)
            for at, whole in enumerate(output)
        ]

    def _finish(self, found: Ending | None, response: Mapping[str, Any]) -> list[ReplyEvent]:
        events = self.rest()
        for item in self._items:
            if item.kind == _CALL and item.id and (words := item.arguments.end()):
                events.append(ToolCallDelta(item.id, words))
        stop = found.stop if found else "end"
        if stop in ("end", "tool_use"):
            stop = "tool_use" if self._here else "refusal" if self._refused else "end"
        if usage := of_responses(response.get("usage")):
            events.append(usage)
        if found is None and stop == "end" and self._said:
            events.append(unsaid(self._call))
        elif found is not None and stop == "other":
            events += found.notices(self._call)
        self.finished = True
        return [*events, ReplyFinished(stop, usage) if usage else ReplyFinished(stop)]


_OF_MESSAGES = frozenset(
    (_TEXT_DELTA, "response.output_text.done", "response.refusal.delta", "response.refusal.done")
)

_HANDLERS = {
    _TEXT_DELTA: lambda self, payload: self._say(payload, "content", payload.get("delta")),
    "response.refusal.delta": Reading._refusal,
    "response.reasoning_summary_text.delta": Reading._summary,
    "response.reasoning_summary.delta": Reading._summary,
    "response.reasoning_text.delta": lambda self, payload: self._say(
        payload, "content", payload.get("delta")
    ),
    "response.output_text.done": Reading._text_done,
    "response.refusal.done": Reading._text_done,
    "response.reasoning_summary_text.done": Reading._text_done,
    "response.reasoning_text.done": Reading._text_done,
    "response.content_part.added": Reading._part_added,
    "response.reasoning_summary_part.added": Reading._part_added,
    "response.output_item.added": Reading._added,
    "response.output_item.done": Reading._done,
    "response.function_call_arguments.delta": Reading._arguments,
    "response.function_call_arguments.done": Reading._arguments_done,
    "response.mcp_call_arguments.delta": Reading._arguments,
    "response.mcp_call_arguments.done": Reading._arguments_done,
    "response.output_text.annotation.added": Reading._annotation,
    "response.completed": Reading._over,
    "response.done": Reading._over,
    "response.incomplete": Reading._over,
    "response.failed": Reading._over,
    "response.cancelled": Reading._over,
}


def _sort(whole: Mapping[str, Any]) -> str:
    """What sort of item it is, told or not."""
    kind = name(whole.get("type"))
    if (
        kind == "function_call"
        or _is_call(kind)
        or (not kind and ("arguments" in whole or "call_id" in whole))
    ):
        return _CALL
    if kind == "reasoning" or (not kind and ("summary" in whole or "encrypted_content" in whole)):
        return _REASONING
    return _MESSAGE if kind in ("message", "") else kind


def _same_id(item: _Item, whole: Mapping[str, Any]) -> bool:
    return bool({name(whole.get("id")), name(whole.get("call_id"))} & item.ids)


def _same_words(item: _Item, whole: Mapping[str, Any]) -> bool:
    if item.kind == _CALL:
        given = as_text(whole.get("arguments"))
        return item.name == name(whole.get("name")) and given.startswith(item.arguments.text)
    said = "".join(part.said() for part in item.parts.values())
    return (
        said == ""
        or text(whole.get("content")).startswith(said)
        or text(whole.get("summary")).startswith(said)
    )


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
    url = text(annotation.get("url"))
    return Citation(text(annotation.get("title") or annotation.get("filename")) or url, url)
