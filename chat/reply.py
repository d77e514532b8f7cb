"""What a turn keeps of one reply: enough to send it back in the tool loop, and to know how it ended.

Made and fed by the engine, one for each reply. What a reader sees is the transcript's business.
"""

from dataclasses import replace
from typing import assert_never

from chat.events import (
    Citation,
    Event,
    KeepAlive,
    Notice,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    RequestSent,
    ResponseOpened,
    Retrying,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from chat.messages import Assistant, Raw, Text, ToolCall, ToolResult

MAX_CALLS_PER_REPLY = 32
"""Tool calls that are run. A model that asks for more at once is going round in circles, or was told to."""
MAX_ARGUMENTS = 100_000
"""Characters of one call's arguments."""
MAX_NAME = 200
"""Characters of a tool's name, or of a call's id, that are kept."""

_CUT = "…"


class Reply:
    """`separate`: the turn has text already, so this reply's text begins a new paragraph. `room`: calls that
    may be run. Of more of them nothing is shown; the model reads why in their results (`refusals`)."""

    def __init__(self, separate: bool, room: int = MAX_CALLS_PER_REPLY) -> None:
        self.stop: Stop = "end"
        self.usage: Usage | None = None
        self.written = False
        self.unfinished = False
        """Whether its text stops within a line."""
        self._tail = ""
        self._separate = separate
        self._parts: list[Text | ToolCall | Raw] = []
        self._text: list[str] = []
        self._arguments: dict[str, list[str]] = {}
        self._lengths: dict[str, int] = {}
        """Characters of the arguments of each call, kept or not."""
        self._room, self._shown = room, set[str]()
        self._elsewhere = False

    def take(self, event: ReplyEvent | Retrying) -> tuple[Event, ...]:
        """Keeps what is needed of `event`; what is to be shown for it."""
        match event:
            case TextDelta(text):
                self._text.append(text)
                self._tail = text or self._tail
                if self.written or not text:
                    return (event,)
                self.written = True
                # The text of a later round begins a new paragraph, for every face alike.
                return (TextDelta("\n\n"), event) if self._separate else (event,)
            case ToolCallStarted(id, name, "here"):
                self._flush()
                self._arguments[id], self._lengths[id] = [], 0
                self._parts.append(ToolCall(id, name[:MAX_NAME], ""))
                if len(self._shown) >= self._room:
                    return ()
                self._shown.add(id)
                return (event if len(name) <= MAX_NAME else replace(event, name=name[:MAX_NAME] + _CUT),)
            case ToolCallStarted(name=name):
                self._elsewhere = True
                return (event if len(name) <= MAX_NAME else replace(event, name=name[:MAX_NAME] + _CUT),)
            case ToolCallDelta(id, text):
                if id in self._arguments:
                    self._lengths[id] += len(text)
                    if self._lengths[id] > MAX_ARGUMENTS:
                        return ()
                    self._arguments[id].append(text)
                    return (event,) if id in self._shown else ()
            case Opaque(data):
                self._flush()
                self._parts.append(Raw(data))
            case Usage():
                self.usage = event
            case ReplyFinished():
                raise AssertionError("the end is taken by `finish`")
            case (
                RequestSent()
                | ResponseOpened()
                | ThinkingDelta()
                | Citation()
                | Notice()
                | KeepAlive()
                | Retrying()
            ):
                pass
            case _:
                assert_never(event)
        return (event,)

    def finish(self, event: ReplyFinished) -> None:
        self._flush()
        self.unfinished = self.written and not self._tail.endswith("\n")
        self._parts = [
            replace(part, arguments=self._whole(part.id)) if isinstance(part, ToolCall) else part
            for part in self._parts
        ]
        self.stop = event.stop
        self.usage = event.usage or self.usage

    @property
    def calls(self) -> list[ToolCall]:
        """Those that are to be run."""
        return [call for call in self._calls if call.id in self._shown and self._fits(call.id)]

    def refusals(self, why: str) -> list[ToolResult]:
        """The results of the other calls. `why`: of those for which there was no room."""
        return [
            ToolResult(
                call.id,
                call.name,
                f"This call was not run: its arguments have {self._lengths[call.id]:,} characters, and "
                f"at most {MAX_ARGUMENTS:,} fit. They were left out."
                if call.id in self._shown
                else why,
                error=True,
            )
            for call in self._calls
            if not (call.id in self._shown and self._fits(call.id))
        ]

    @property
    def left_out(self) -> int:
        """How many calls there was no room for."""
        return len(self._arguments) - len(self._shown)

    @property
    def asked(self) -> list[str]:
        """The ids of all calls, in their order."""
        return list(self._arguments)

    @property
    def _calls(self) -> list[ToolCall]:
        return [part for part in self._parts if isinstance(part, ToolCall)]

    def _fits(self, id: str) -> bool:
        return self._lengths[id] <= MAX_ARGUMENTS

    def _whole(self, id: str) -> str:
        return "".join(self._arguments[id]) if self._fits(id) else ""

    @property
    def anything(self) -> bool:
        return self.written or self._elsewhere or bool(self._arguments)

    @property
    def message(self) -> Assistant:
        return Assistant(tuple(self._parts))

    def _flush(self) -> None:
        if self._text:
            self._parts.append(Text("".join(self._text)))
            self._text = []
