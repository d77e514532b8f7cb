"""Whose piece is it: the tool calls of one Chat Completions reply, put together from any server's deltas.

Servers leave out the index, give every call the same one, repeat id and name in each delta or send the
id once, late or never. `chat_reading` calls `add` with each element of `delta.tool_calls`.
"""

import json
from collections.abc import Hashable
from typing import Any

from chat.events import ToolCallDelta, ToolCallStarted


class _Slot:
    __slots__ = ("arguments", "id", "index", "name", "started", "wire_id")

    def __init__(self, index: Hashable, wire_id: str) -> None:
        self.index = index
        self.wire_id = wire_id
        self.id = wire_id
        self.name = ""
        self.started = False


class ToolSlots:
    """The rule: the key is `index` if present, but a new id *with* a name on an occupied slot opens a new
    slot. Without an index a known id is its slot, an unknown id or a name opens one, neither means the last.

    A call is announced when its name is complete: with its first arguments, the next call or the end.
    """

    def __init__(self) -> None:
        self._slots: list[_Slot] = []
        self._ids: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._slots)

    def add(self, delta: Any) -> list[ToolCallStarted | ToolCallDelta]:
        if not isinstance(delta, dict):
            return []
        function = delta.get("function")
        function = function if isinstance(function, dict) else {}
        id, name = delta.get("id"), function.get("name")
        id = id if isinstance(id, str) else str(id) if isinstance(id, int) else ""
        name = name if isinstance(name, str) else ""
        index = delta.get("index")
        index = index if isinstance(index, int | str) else None
        slot = self._find(index, id, name)
        events: list[ToolCallStarted | ToolCallDelta] = []
        if slot is None:
            events += self.end()
            slot = _Slot(index, id)
            self._slots.append(slot)
        slot.wire_id = slot.wire_id or id
        if name != slot.name and not slot.started:  # repeated whole, grown, or cut in pieces
            slot.name = name if name.startswith(slot.name) else slot.name + name
        arguments = function.get("arguments")
        if isinstance(arguments, dict | list):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if isinstance(arguments, str) and arguments:
            events += self._start(slot)
            events.append(ToolCallDelta(slot.id, arguments))
        return events

    def end(self) -> list[ToolCallStarted | ToolCallDelta]:
        """Announces what has not been announced yet: calls without arguments."""
        return [event for slot in self._slots for event in self._start(slot)]

    def _find(self, index: Hashable, id: str, name: str) -> _Slot | None:
        slots = [slot for slot in self._slots if slot.index == index] if index is not None else self._slots
        if not slots:
            return None
        if id:
            known = next((slot for slot in reversed(slots) if slot.wire_id == id), None)
            if known or name:
                return known or (slots[-1] if index is not None and not slots[-1].wire_id else None)
            return slots[-1] if index is not None else None
        return None if name and index is None else slots[-1]

    def _start(self, slot: _Slot) -> list[ToolCallStarted | ToolCallDelta]:
        if slot.started:
            return []
        slot.started = True
        slot.id = slot.wire_id or f"call_{len(self._ids) + 1}"
        number = 2
        while slot.id in self._ids:  # the same id for two calls: ours must differ
            slot.id = f"{slot.wire_id or 'call'}_{number}"
            number += 1
        self._ids.add(slot.id)
        return [ToolCallStarted(slot.id, slot.name)]
