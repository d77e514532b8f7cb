"""How long one answer may become: what its model says and asks for, over all its replies.

Made by the engine for each turn, which tells it every event of a reply before anybody sees it. It counts
the bytes that were said, and what costs memory without saying much: pieces, blocks, sources. Pure.
"""

import json
from typing import assert_never

from chat.errors import AnswerTooLongError
from chat.events import (
    Citation,
    KeepAlive,
    Notice,
    Opaque,
    ReplyEvent,
    ReplyFinished,
    RequestSent,
    ResponseOpened,
    Retrying,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)

MAX_BYTES = 2_000_000
"""Of text, thinking and arguments together, unless the settings say otherwise. No model that is known in 2026
writes half of it."""
MAX_DELTAS = 500_000
"""Pieces in which they come: about one for each token."""
MAX_PARTS = 2_000
"""What else an answer is made of: each change between text, thinking and arguments, each source, each item
that goes back to the vendor. A page draws most of it at each frame."""
MAX_CALL_BYTES = 100
"""What a call counts besides its name and arguments."""
SHOWN = 1_000
"""Figures and signs of life that are shown. Of more, one in `SHOWN_OF` is: some vendors send the figures
with each token, and the last ones come with the end of a reply anyway."""
SHOWN_OF = 100


class Allowance:
    """`most`: bytes."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self.spent = False
        """Nothing more may be said: `refuse` once the last event is shown."""
        self._most = most
        self._left = most
        self._hidden_left = most
        self._deltas, self._parts, self._passing = MAX_DELTAS, MAX_PARTS, 0
        self._kind: object = None

    def take(self, event: ReplyEvent | Retrying) -> ReplyEvent | Retrying | None:
        """`event`, or its beginning where all of it would be too much. None: it need not be shown."""
        match event:
            case TextDelta(text):
                return event if (fits := self._fits(TextDelta, text)) is text else TextDelta(fits)
            case ThinkingDelta(text):
                return event if (fits := self._fits(ThinkingDelta, text)) is text else ThinkingDelta(fits)
            case ToolCallDelta(id, text):
                return event if (fits := self._fits(id, text)) is text else ToolCallDelta(id, fits)
            case ToolCallStarted(id, name):
                self._left -= _bytes(id) + _bytes(name) + MAX_CALL_BYTES
                self._parts -= event.where == "provider"
                self._kind = id
            case Citation(title, url):
                self._left -= _bytes(title) + _bytes(url)
                self._parts -= 1
            case Opaque(data):
                # Mostly a thought once more, or one that nobody can read: an allowance of its own.
                self._hidden_left -= len(json.dumps(data, default=str))
                self._parts -= 1
            case Notice():
                self._parts -= 1
            case Usage() | KeepAlive():
                self._passing += 1
                return event if self._passing <= SHOWN or not self._passing % SHOWN_OF else None
            case RequestSent() | ResponseOpened() | ReplyFinished() | Retrying():
                return event
            case _:
                assert_never(event)
        self.spent = min(self._left, self._hidden_left, self._parts) < 0
        return event

    def refuse(self) -> None:
        """Raises `AnswerTooLongError`."""
        raise AnswerTooLongError(
            f"The answer was ended here because it is too long: one may have {self._most:,} bytes, thinking "
            f"and tool calls included, in at most {MAX_DELTAS:,} pieces. What came of it is kept. "
            "Ask for it in parts.",
            hint="CHAT_MAX_ANSWER_BYTES allows for longer ones.",
        )

    def _fits(self, kind: object, text: str) -> str:
        """As much of `text` as may be said."""
        self._deltas -= 1
        if kind != self._kind:
            self._kind = kind
            self._parts -= 1
        size = _bytes(text)
        if size > self._left or self._deltas < 0 or self._parts < 0:
            self.spent = True
            text = text.encode("utf-8", "surrogatepass")[: max(self._left, 0)].decode("utf-8", "ignore")
        self._left -= size
        return text


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
