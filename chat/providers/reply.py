"""The loop between an open answer and a protocol's reading of it. Knows neither SDK nor vendor.

A protocol gives the SDK's manager and a `Reading`; what comes out are the reply's events. It stops at
the terminal event and leaves the wire, which frees the connection, however the generator ends.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final, Protocol

from chat.errors import CutOff, Fault, Malformed, TooLarge
from chat.events import KeepAlive, ReplyEvent, ResponseOpened
from chat.providers import faults
from chat.providers.faults import Call
from chat.providers.halves import Halves
from chat.providers.payloads import DONE, KEEP_ALIVE, WHOLE
from chat.providers.wire import open_wire

MAX_PARTS: Final = 2_000
"""Items or blocks of one reply, and texts of one item. Each new one is looked up among the others."""


class Reading(Protocol):
    """The state of one reply while its wire objects are read."""

    @property
    def finished(self) -> bool:
        """Whether the last events have been given: nothing more is to be read."""
        ...

    @property
    def repeated(self) -> int:
        """Characters that were said before, where each delta holds all the text so far."""
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

    def rest(self) -> Sequence[ReplyEvent]:
        """What was held back, where the reply broke off."""
        ...


async def reply(manager: Any, call: Call, reading: Reading) -> AsyncGenerator[ReplyEvent, None]:
    """`ResponseOpened`, then what `reading` makes of the answer. Raises our errors only."""
    async with open_wire(manager, call) as wire:
        yield ResponseOpened(wire.status)
        halves = Halves()
        try:
            async for name, data in wire:
                if name == KEEP_ALIVE:
                    yield KeepAlive()
                    continue
                events = _read(reading, name, data, call)
                for event in halves.take(events):
                    yield event
                wire.count(events, reading.repeated)
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
        except Fault:
            for event in halves.take(reading.rest()):
                yield event
            raise


def check_parts(count: int, call: Call) -> None:
    """Raises `TooLarge` if a reply has more than `MAX_PARTS` parts."""
    if count > MAX_PARTS:
        raise TooLarge(
            f"The answer of {call.title} has more than {MAX_PARTS:,} parts. The server may be faulty: "
            "choose another model."
        )


def _read(reading: Reading, name: str, data: dict[str, Any], call: Call) -> Sequence[ReplyEvent]:
    try:
        if name == DONE:
            return reading.end(True) or ()
        if name == WHOLE:
            if fault := faults.said(data, call):
                raise fault
            return reading.whole(data)
        if name and not isinstance(data.get("type"), str):
            data = {**data, "type": name}
        return reading.read(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise Malformed(
            f"{call.title} sent an answer in a form that cannot be read. Asking again may help; "
            "otherwise choose another model."
        ) from error
