"""Whose piece is it: the tool calls of one Chat Completions reply, put together from any server's deltas.

Servers leave out the index, give every call the same one, repeat id and name in each delta or send the
id once, late or never. `chat_reading` calls `add` with each element of `delta.tool_calls`.
"""

import json
from collections import Counter
from collections.abc import Hashable
from typing import Any, Final

from chat.events import ToolCallDelta, ToolCallStarted

LONGEST_NAME: Final = 1_000
"""Characters of a tool's name after which it grows no more."""
_ANY: Final = None
"""In the place of an index: whichever."""


class _Slot:
    __slots__ = ("id", "index", "name", "started", "wire_id")

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
        self._last: dict[Hashable, _Slot] = {}
        """The latest slot of each index, and under `_ANY` that of all."""
        self._known: dict[tuple[Hashable, str], _Slot] = {}
        """The latest slot of each index, or of `_ANY`, that has this id."""
        self._silent: list[_Slot] = []
        """Not announced yet."""
        self._ids: set[str] = set()
        self._numbers: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._last)

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
            self._last[index] = self._last[_ANY] = slot
            self._silent.append(slot)
            if id:
                self._known[index, id] = self._known[_ANY, id] = slot
        elif id and not slot.wire_id:
            slot.wire_id = id
            self._known[slot.index, id] = self._known[_ANY, id] = slot
        if name != slot.name and not slot.started and len(slot.name) < LONGEST_NAME:
            # repeated whole, grown, or cut in pieces
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
        silent, self._silent = self._silent, []
        return [event for slot in silent for event in self._start(slot)]

    def _find(self, index: Hashable, id: str, name: str) -> _Slot | None:
        among = _ANY if index is None else index
        if (last := self._last.get(among)) is None:
            return None
        if id:
            known = self._known.get((among, id))
            if known or name:
                return known or (last if index is not None and not last.wire_id else None)
            return last if index is not None else None
        return None if name and index is None else last

    def _start(self, slot: _Slot) -> list[ToolCallStarted | ToolCallDelta]:
        if slot.started:
            return []
        slot.started = True
        slot.id = slot.wire_id or f"call_{len(self._ids) + 1}"
        base = slot.wire_id or "call"
        while slot.id in self._ids:  # the same id for two calls: ours must differ
            self._numbers[base] += 1
            slot.id = f"{base}_{self._numbers[base] + 1}"
        self._ids.add(slot.id)
        return [ToolCallStarted(slot.id, slot.name)]
