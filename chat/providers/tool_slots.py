"""Whose piece is it: the tool calls of one Chat Completions reply, put together from any server's deltas.

Servers leave out the index, give every call the same one, repeat id and name in each delta or send the
id once, late or never. `chat_reading` calls `add` with each element of `delta.tool_calls`.
"""

from collections.abc import Hashable, Mapping
from typing import Any, Final

from chat.events import ToolCallDelta, ToolCallStarted
from chat.providers.arguments import Arguments, as_text
from chat.providers.back import MAX_KEPT_CHARS, size
from chat.providers.values import UNNAMED, name, number

_OURS = frozenset(("index", "id", "type", "function", "name", "arguments"))
"""Fields of a call that are put together anew when it goes back."""


LONGEST_NAME: Final = 1_000
"""Characters of a tool's name after which it grows no more."""

MAX_CHECKED_CALLS: Final = 100
"""Calls that are looked at whenever a chunk says that there will be no more."""

MAX_UNNAMED_CALLS: Final = 100
"""Calls whose name may still come. More of them are passed over."""

MAX_WAITING_CHARS: Final = 256 * 1024
"""Of arguments that wait for their call's name. With more, it is told without one."""


class _Slot:
    __slots__ = ("arguments", "chars", "extra", "id", "index", "name", "started", "waiting", "wire_id")

    def __init__(self, index: Hashable, wire_id: str) -> None:
        self.index = index
        self.wire_id = wire_id
        self.id = wire_id
        self.name = ""
        self.started = False
        self.arguments = Arguments()
        self.waiting: list[str] = []  # arguments that came before the name
        self.chars = 0  # of all arguments so far
        self.extra: dict[str, Any] = {}

    def named(self, name: str) -> bool:
        return name.startswith(self.name) or self.name.endswith(name)


class ToolSlots:
    """The rule: the key is `index` if present, but a new id *with* a name on an occupied slot opens a new
    slot. Without an index a known id is its slot, an unknown id or a name opens one, neither means the last.

    A call is announced when its name is complete: with its first arguments, the next call or the end.
    """

    def __init__(self) -> None:
        self._slots: list[_Slot] = []
        self._by_index: dict[Hashable, _Slot] = {}
        self._by_id: dict[tuple[Hashable, str], _Slot] = {}
        self._ids: set[str] = set()
        self._same: dict[str, int] = {}
        self._unnamed = self._id_chars = 0
        self._extra = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def whole(self) -> bool:
        """Whether there are calls, each with its name and a whole object of arguments. Of too many it is not
        known."""
        calls = self._slots
        return 0 < len(calls) <= MAX_CHECKED_CALLS and all(
            call.name and call.arguments.complete for call in calls
        )

    @property
    def extras(self) -> dict[str, dict[str, Any]]:
        """By our id: the fields of a call that are not known here. Its vendor may want them back."""
        return {slot.id: slot.extra for slot in self._slots if slot.extra}

    def add(self, delta: Any) -> list[ToolCallStarted | ToolCallDelta]:
        if not isinstance(delta, dict):
            return []
        function = delta.get("function")
        function = function if isinstance(function, dict) else delta  # some say it flat
        id, called = name(delta.get("id")), name(function.get("name"))
        index = number(delta.get("index"))
        arguments = as_text(function.get("arguments"))
        slot = self._find(index, id, called, arguments)
        events: list[ToolCallStarted | ToolCallDelta] = []
        if slot is None:
            if not called and self._unnamed >= MAX_UNNAMED_CALLS:
                return []
            self._unnamed += 1
            if self._slots and self._slots[-1].name:
                events += self._start(self._slots[-1])
            slot = _Slot(index, id)
            self._slots.append(slot)
        slot.wire_id = slot.wire_id or id
        if index is not None:
            self._by_index[index] = slot
        if id and (slot.index, id) not in self._by_id and self._id_chars < MAX_KEPT_CHARS:
            self._id_chars += len(id)
            self._by_id[slot.index, id] = slot
            self._by_id.setdefault((None, id), slot)
        if called and called != slot.name and not slot.started and len(slot.name) < LONGEST_NAME:
            self._unnamed -= not slot.name
            # repeated whole, grown, or cut in pieces
            slot.name = called if called.startswith(slot.name) else slot.name + called
        self._keep(slot, delta, function)
        if arguments:
            slot.waiting.append(arguments)
            slot.chars += len(arguments)
            if slot.name or slot.chars > MAX_WAITING_CHARS:
                events += self._say(slot)
        return events

    def end(self) -> list[ToolCallStarted | ToolCallDelta]:
        """Announces what has not been announced yet, and tells what was held back."""
        return [event for slot in self._slots for event in self._close(slot)]

    def _find(self, index: int | None, id: str, called: str, arguments: str) -> _Slot | None:
        last = self._slots[-1] if self._slots else None
        if index is None:
            if not id:
                return None if called else last
            late = last is not None and not last.wire_id and not called
            return self._known(id, called) or (last if late else None)
        slot = self._by_index.get(index)
        if slot is None:  # known by its id, or the one whose beginning had no index
            known = self._known(id, called)
            slot = known if known is not None and known.index is None else None
            if slot is None and last is not None and last.index is None and not id:
                slot = None if called and last.arguments.said else last
            if slot is not None:
                slot.index = index
            return slot
        if id and (known := self._by_id.get((index, id))) is not None:
            return known
        if id and called and slot.wire_id:
            return None
        if (id and id != slot.wire_id) or called:
            # All calls have this index, and this one has not all that tells it from the one before.
            begins = arguments.lstrip().startswith("{")
            if begins and slot.arguments.whole_object and arguments != slot.arguments.text:
                return None
        return slot

    def _known(self, id: str, called: str) -> _Slot | None:
        """The slot of this id, but for another call that has the same one."""
        known = self._by_id.get((None, id)) if id else None
        other = known is not None and called and known.arguments.said and not known.named(called)
        return None if other else known

    def _keep(self, slot: _Slot, delta: Mapping[str, Any], function: Mapping[str, Any]) -> None:
        for place in (delta, function) if function is not delta else (delta,):
            for field, value in place.items():
                if field in _OURS or value is None:
                    continue
                self._extra += size(value)
                if self._extra > MAX_KEPT_CHARS:  # as the other fields that go back (`Back`)
                    slot.extra.clear()
                    continue
                into = slot.extra if place is delta else slot.extra.setdefault("function", {})
                before = into.get(field)
                if isinstance(before, dict) and isinstance(value, dict):
                    value = before | value
                into[field] = value

    def _say(self, slot: _Slot) -> list[ToolCallStarted | ToolCallDelta]:
        """The call, when it was not told yet, and the arguments that came."""
        events: list[ToolCallStarted | ToolCallDelta] = [*self._start(slot)]
        texts = [slot.arguments.feed(piece) for piece in slot.waiting]
        slot.waiting.clear()
        return events + [ToolCallDelta(slot.id, text) for text in texts if text]

    def _close(self, slot: _Slot) -> list[ToolCallStarted | ToolCallDelta]:
        events = self._say(slot)
        if text := slot.arguments.end():
            events.append(ToolCallDelta(slot.id, text))
        return events

    def _start(self, slot: _Slot) -> list[ToolCallStarted]:
        if slot.started:
            return []
        slot.started = True
        slot.id = slot.wire_id or f"call_{len(self._ids) + 1}"
        while slot.id in self._ids:  # the same id for two calls: ours must differ
            self._same[slot.wire_id] = number = self._same.get(slot.wire_id, 1) + 1
            slot.id = f"{slot.wire_id or 'call'}_{number}"
        self._ids.add(slot.id)
        return [ToolCallStarted(slot.id, slot.name or UNNAMED)]
