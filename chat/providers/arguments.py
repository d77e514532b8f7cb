"""The arguments of one tool call, put together from what a server sends of them.

Some say everything twice (the pieces, then the whole), some send all so far in each piece, some begin with an
empty object. JSON shows which it was, because nothing can follow a complete object. So a piece that may be a
repetition is held back until the next pieces, or the end, show what it is. Called by `tool_slots` and the
readings."""

import json
from itertools import pairwise
from typing import Any

_TRIES = 8
"""Times that the text so far is parsed, so that no server can make us do it at each piece."""
_MAX_HELD_PIECES = 8
"""Pieces that are held back at most. While they are held, the user does not see that the model works."""
_MIN_GROWN_PIECES = 3
"""Different pieces that each begin with the whole piece before. After so many, the next piece is read as
another one that repeats all before it."""


class Arguments:
    """`feed` gives what is new of a piece, `end` what was held back."""

    def __init__(self) -> None:
        self.said = False
        """Whether there are any, given away or held back."""
        self._told: list[str] = []
        self._length = 0
        self._last = ""  # the last character of what was told, but for blanks
        self._held: list[str] = []
        self._whole = self._grows = False
        """`_whole`: the emitted text is a complete JSON object. `_grows`: each piece repeats all text before
        it."""
        self._tries = _TRIES

    @property
    def told(self) -> str:
        """What was given away so far."""
        self._told[:] = ["".join(self._told)]
        return self._told[0]

    @property
    def text(self) -> str:
        """All of it so far, held back or not."""
        return self.told + "".join(self._held)

    @property
    def whole_object(self) -> bool:
        """Whether what was told is a whole object, so that nothing of it is to come."""
        if self._last == "}" and self._tries and not self._whole:
            self._tries -= 1
            self._whole = _parsed(self.told) is not None
        return self._whole

    @property
    def complete(self) -> bool:
        """Whether all that came is a whole object. An empty one is held back."""
        return self.whole_object or (not self._told and len(self._held) == 1)

    def feed(self, piece: str) -> str:
        if not piece or self._whole:  # after a complete object only a repetition can follow
            return ""
        self.said = True
        if self._grows:
            return self._more(piece)
        if self._held:
            return self._hold(piece)
        if not self._told and piece.strip() == "{}":  # the whole, or a place for it
            self._held.append(piece)
            return ""
        if self._told and self._repeats(piece):
            if not self._whole:
                self._held.append(piece)
            return ""
        return self._tell(piece)

    def _hold(self, piece: str) -> str:
        """Holds back `piece`, too, or finds out what the held pieces are."""
        if not self._told:
            if piece.lstrip().startswith("{"):  # {} was a place for it
                self._held.clear()
                return self.feed(piece)
        elif _grow(chain := [self.told, *self._held, piece]) and len(set(chain)) > _MIN_GROWN_PIECES:
            self._grows = True
            self._held.clear()
            return self._more(piece)
        self._held.append(piece)
        if len(self._held) < _MAX_HELD_PIECES:
            return ""
        held, self._held = "".join(self._held), []
        return self._tell(held)

    def _more(self, piece: str) -> str:
        told = self.told
        if told.startswith(piece):  # the same again, or less
            return ""
        return self._tell(piece.removeprefix(told))

    def whole(self, text: str) -> str:
        """What of the complete arguments was not told in pieces."""
        if not self.said:
            return self.feed(text) + self.end()
        told, held = self.told, "".join(self._held)
        self._held.clear()
        if text.startswith(told):
            return self._tell(text[len(told) :])
        if _parsed(told + held) is not None or _parsed(text) is None:
            return self._tell(held)
        return ""

    def end(self) -> str:
        held, self._held = self._held, []
        if not held:
            return ""
        told, all = self.told, "".join(held)
        if _parsed(told + all) is not None:
            return self._tell(all)
        if not told:  # {} and then the arguments
            rest = "".join(held[1:])
            return self._tell(rest if _parsed(rest) is not None else all)
        if _parsed(told) is not None:
            return ""  # everything behind it said it once more
        for text in (held[-1], all):  # each piece holds what was there before
            if text.startswith(told) and _parsed(text) is not None:
                return self._tell(text[len(told) :])
        return self._tell(all)

    def _tell(self, text: str) -> str:
        if text:
            self._told.append(text)
            self._length += len(text)
            self._last = text.rstrip()[-1:] or self._last
        return text

    def _repeats(self, piece: str) -> bool:
        """Whether it may begin all anew: as long as what was told and the same, or behind a whole object."""
        if piece.lstrip().startswith("{") and self.whole_object:
            return True
        return len(piece) >= self._length and piece.startswith(self.told)


def as_text(value: Any) -> str:
    """Arguments as JSON text, whatever they came as."""
    if isinstance(value, list) and len(value) < 2:
        value = value[0] if value else ""
    if isinstance(value, dict) and value.keys() == {"text"} and isinstance(value["text"], str):
        value = value["text"]
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else ""


def _grow(pieces: list[str]) -> bool:
    return all(piece.startswith(before) for before, piece in pairwise(pieces))


def _parsed(text: str) -> Any:
    """The value, or None where it is none (or `null`)."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
