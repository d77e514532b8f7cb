"""The loop between an open answer and a protocol's reading of it. Knows neither SDK nor vendor.

A protocol gives the SDK's manager and a `Reading`; what comes out are the reply's events. It stops at
the terminal event and leaves the wire, which frees the connection, however the generator ends.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from chat.errors import CutOff, Malformed
from chat.events import KeepAlive, ReplyEvent, ResponseOpened
from chat.providers import faults
from chat.providers.faults import Call
from chat.providers.halves import Halves
from chat.providers.wire import DONE, KEEP_ALIVE, WHOLE, open_wire


class Reading(Protocol):
    """The state of one reply while its wire objects are read."""

    @property
    def finished(self) -> bool:
        """Whether the last events have been given: nothing more is to be read."""
        ...

    def read(self, payload: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """The events of one object of a stream."""
        ...

    def whole(self, answer: Mapping[str, Any]) -> Sequence[ReplyEvent]:
        """The events of an answer that came in one piece."""
        ...

    def end(self, done: bool) -> Sequence[ReplyEvent] | None:
        """The last events, where no terminal object came; None when the end was not said.

        `done`: a bare `[DONE]` came, otherwise the body just ended.
        """
        ...


async def reply(manager: Any, call: Call, reading: Reading) -> AsyncGenerator[ReplyEvent, None]:
    """`ResponseOpened`, then what `reading` makes of the answer. Raises our errors only."""
    async with open_wire(manager, call) as wire:
        yield ResponseOpened(wire.status)
        halves = Halves()
        async for name, data in wire:
            if name == KEEP_ALIVE:
                yield KeepAlive()
                continue
            try:
                if name == DONE:
                    events = reading.end(True) or ()
                elif name == WHOLE:
                    if fault := faults.said(data, call):
                        raise fault
                    events = reading.whole(data)
                else:
                    if name and "type" not in data:
                        data = {"type": name, **data}
                    events = reading.read(data)
            except (KeyError, TypeError, AttributeError) as error:
                raise Malformed(
                    f"{call.title} sent an answer in a form that cannot be read. Asking again may help; "
                    "otherwise choose another model."
                ) from error
            for event in halves.take(events):
                yield event
            if reading.finished:
                await wire.drain()
                return
        for event in halves.take(reading.end(False) or ()):
            yield event
        if not reading.finished:
            raise CutOff(
                f"The answer of {call.title} broke off before its end. Ask again to get all of it.",
                status=None,
            )
