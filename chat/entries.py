"""The list of a run's events, each with its number and its time, in little memory.

An answer of a megabyte has some hundred thousand events, nearly all of them text. Kept as an `Entry` with
a `TextDelta` each they would need three times as much; so both are made when they are read. Filled by
`chat.run` alone.
"""

from array import array
from collections.abc import Sequence
from typing import overload

from chat.events import Entry, Event, TextDelta


class Entries(Sequence[Entry]):
    """Number `n` stands at `n - 1`. A slice is a list."""

    __slots__ = ("_events", "times")

    def __init__(self) -> None:
        self._events: list[Event | str] = []
        """A text stands for its `TextDelta`."""
        self.times = array("d")
        """Of the events, in seconds since the run began."""

    def append(self, at: float, event: Event) -> int:
        """The number that it has got."""
        self._events.append(event.text if isinstance(event, TextDelta) else event)
        self.times.append(at)
        return len(self._events)

    def __len__(self) -> int:
        return len(self._events)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> list[Entry]: ...
    def __getitem__(self, place: int | slice) -> Entry | list[Entry]:
        if isinstance(place, slice):
            return [self._entry(n) for n in range(len(self._events))[place]]
        return self._entry(range(len(self._events))[place])

    def _entry(self, place: int) -> Entry:
        event = self._events[place]
        return Entry(place + 1, self.times[place], TextDelta(event) if isinstance(event, str) else event)
