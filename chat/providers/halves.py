"""Characters that a server cuts in two: the halves of a surrogate pair, escaped in two deltas, become one.

Only JSON's escapes can hold half a character. What nothing completes becomes U+FFFD, since no text can be
encoded with it. Between the readings and what they are read for: `reply` and `openai_chat`.
"""

from collections.abc import Sequence
from dataclasses import fields, replace

from chat.events import ReplyEvent, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta, Usage
from chat.unicode import whole_all

_Delta = TextDelta | ThinkingDelta | ToolCallDelta


class Halves:
    def __init__(self) -> None:
        self._open: dict[tuple[type[_Delta], str], _Delta] = {}
        """The first half that each kind of delta ended with."""

    def take(self, events: Sequence[ReplyEvent]) -> Sequence[ReplyEvent]:
        if not self._open:
            for event in events:
                if not (isinstance(event, _Delta) and event.text.isascii()):
                    break
            else:
                return events  # nearly always
        return [each for event in events for each in self._whole(event)]

    def _whole(self, event: ReplyEvent) -> list[ReplyEvent]:
        if isinstance(event, ReplyFinished):
            return [*self._lost(), event]
        if isinstance(event, Usage):
            return [event]
        if not isinstance(event, _Delta):
            same = {f.name: whole_all(getattr(event, f.name)) for f in fields(event)}
            return [replace(event, **same)]
        lost = [] if isinstance(event, ToolCallDelta) else self._lost(but=type(event))
        key = (type(event), event.id if isinstance(event, ToolCallDelta) else "")
        first = self._open.pop(key, None)
        text = first.text + event.text if first else event.text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._open[key] = replace(event, text=text[-1])
            text = text[:-1]
        if text:
            lost.append(replace(event, text=whole_all(text)))
        return lost

    def _lost(self, but: type[_Delta] | None = None) -> list[ReplyEvent]:
        """What will not be completed any more."""
        keys = [key for key in self._open if key[0] is not but]
        return [replace(self._open.pop(key), text="\ufffd") for key in keys]
