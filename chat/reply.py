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
from chat.messages import Assistant, Raw, Text, ToolCall


class Reply:
    """`separate`: the turn has text already, so this reply's text begins a new paragraph."""

    def __init__(self, separate: bool) -> None:
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
                self._arguments[id] = []
                self._parts.append(ToolCall(id, name, ""))
            case ToolCallStarted():
                self._elsewhere = True
            case ToolCallDelta(id, text):
                if id in self._arguments:
                    self._arguments[id].append(text)
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
            replace(part, arguments="".join(self._arguments[part.id])) if isinstance(part, ToolCall) else part
            for part in self._parts
        ]
        self.stop = event.stop
        self.usage = event.usage or self.usage

    @property
    def calls(self) -> list[ToolCall]:
        return [part for part in self._parts if isinstance(part, ToolCall)]

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
