"""The list of a run's events, each with its number and its time, in little memory.

An answer of a megabyte has some hundred thousand events, nearly all of them pieces of text. Kept as an
`Entry` with a delta each they would need two hundred bytes apiece. So entries are made when they are read,
and all but the last thousand or so are kept packed: the texts of a block as one, with where each of them
ends. Filled by `chat.run` alone.
"""

from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import overload

from chat.events import Entry, Event, KeepAlive, TextDelta, ThinkingDelta, ToolCallDelta

BLOCK = 1024
"""Events that are packed together."""

_KEEP_ALIVE = KeepAlive()
_ITSELF = 255
"""The kind of an event that is kept as it is."""


class _Block:
    """`BLOCK` events in about five bytes each and their texts."""

    __slots__ = ("ends", "events", "kinds", "makers", "text")

    def __init__(self, events: Sequence[Event | str]) -> None:
        self.kinds = bytearray()
        self.makers: list[Callable[[str], Event]] = []
        """By kind: what makes an event of its text."""
        self.events: dict[int, Event] = {}
        """Those that are no pieces of text, by place."""
        self.ends = array("I")
        known: dict[object, int] = {}
        texts: list[str] = []
        end = 0
        for place, event in enumerate(events):
            match event:
                case str(text):
                    key, maker = str, TextDelta
                case ThinkingDelta(text):
                    key, maker = ThinkingDelta, ThinkingDelta
                case ToolCallDelta(id, text):
                    key, maker = id, partial(ToolCallDelta, id)
                case _:
                    key = maker = text = None
            if key is not None and key not in known and len(known) < _ITSELF and maker is not None:
                known[key] = len(self.makers)
                self.makers.append(maker)
            if text is None or key not in known:
                self.events[place] = _event(event)
                self.kinds.append(_ITSELF)
            else:
                self.kinds.append(known[key])
                texts.append(text)
                end += len(text)
            self.ends.append(end)
        self.text = "".join(texts)

    def __getitem__(self, place: int) -> Event:
        if (kind := self.kinds[place]) == _ITSELF:
            return self.events[place]
        return self.makers[kind](self.text[self.ends[place - 1] if place else 0 : self.ends[place]])


class Entries(Sequence[Entry]):
    """Number `n` stands at `n - 1`. A slice is a list."""

    __slots__ = ("_blocks", "_late", "times")

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._late: list[Event | str] = []
        """Those that came after the blocks. A text stands for its `TextDelta`."""
        self.times = array("d")
        """Of the events, in seconds since the run began."""

    def append(self, at: float, event: Event) -> int:
        """The number that it has got."""
        match event:
            case TextDelta(text):
                self._late.append(text)
            case KeepAlive():
                self._late.append(_KEEP_ALIVE)
            case _:
                self._late.append(event)
        self.times.append(at)
        if len(self._late) == 2 * BLOCK:
            self._blocks.append(_Block(self._late[:BLOCK]))
            del self._late[:BLOCK]
        return len(self.times)

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> list[Entry]: ...
    def __getitem__(self, place: int | slice) -> Entry | list[Entry]:
        if isinstance(place, slice):
            return [self._entry(n) for n in range(len(self.times))[place]]
        return self._entry(range(len(self.times))[place])

    def _entry(self, place: int) -> Entry:
        block, within = divmod(place, BLOCK)
        if block < len(self._blocks):
            event = self._blocks[block][within]
        else:
            event = _event(self._late[place - BLOCK * len(self._blocks)])
        return Entry(place + 1, self.times[place], event)


def _event(event: Event | str) -> Event:
    return TextDelta(event) if isinstance(event, str) else event
