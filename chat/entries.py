"""The list of a run's events, each with its number and its time, in little memory.

An answer of a megabyte has some hundred thousand events. Kept as an `Entry` each they would need twice as
much; so an `Entry` is made when it is read. Filled by `chat.run` alone.
"""

from array import array
from collections.abc import Sequence
from typing import overload

from chat.events import Entry, Event


class Entries(Sequence[Entry]):
    """Number `n` stands at `n - 1`. A slice is a list."""

    __slots__ = ("_events", "times")

    def __init__(self) -> None:
        self._events: list[Event] = []
        self.times = array("d")
        """Of the events, in seconds since the run began."""

    def append(self, at: float, event: Event) -> int:
        """The number that it has got."""
        self._events.append(event)
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
            places = range(len(self._events))[place]
            return [Entry(n + 1, self.times[n], self._events[n]) for n in places]
        place = range(len(self._events))[place]
        return Entry(place + 1, self.times[place], self._events[place])
