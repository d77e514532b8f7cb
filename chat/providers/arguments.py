"""The arguments of one tool call, put together from what a server sends of them.

Some say everything twice (the pieces, then the whole), some send all so far in each piece and the same again
while nothing is new, some begin with an empty object. JSON shows which it was. A piece that begins with all
that came before is an object: as a part it can stand behind a colon or in a list, and anywhere else it is a
repetition. Where it can stand, it is held back until another piece, or the end, shows what it is: parts of an
object are a whole one in the end.

They cannot be told apart where the arguments end unfinished: then they are read as parts. What would be
nested deeper than `json_beginning.MAX_DEPTH`, or have more than `_MAX_HELD_CHARS`, is read as repetitions.
Text that is no JSON may well repeat itself, so it is a repetition only after several pieces that grow.
Called by `tool_slots` and the readings."""

import json
from itertools import pairwise
from typing import Any

from chat.providers.json_beginning import may_begin

_TRIES = 8
"""Times that the text so far is parsed, so that no server can make us do it at each piece."""
_MAX_HELD_CHARS = 10_000
"""Characters, told ones included, up to which it may be unclear what the held pieces are. They are looked at
anew with each piece, and while they are held, the user does not see that the model works."""
_MAX_HELD_PIECES = 8
"""Pieces of other text that are held back at most."""
_MIN_GROWN_PIECES = 3
"""Different pieces of other text that each begin with the whole piece before. After so many, the next one is
read as another one that repeats all before it."""


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
        if not self._told or not self._repeats(piece):
            return self._tell(piece)
        return "" if self._whole else self._hold(piece)

    def _hold(self, piece: str) -> str:
        """Holds back `piece`, too, or finds out what the held pieces are."""
        if not self._told:
            if piece.lstrip().startswith("{"):  # {} was a place for it
                self._held.clear()
                return self.feed(piece)
            self._held.append(piece)
            return "" if len(self._held) < _MAX_HELD_PIECES else self._release()
        longest = max(self._held, key=len, default=self.told)
        if not piece.startswith(longest) and not longest.startswith(piece):
            return self._release() + self.feed(piece)
        self._held.append(piece)
        parts = self.text
        if parts.lstrip()[:1] in ("{", "["):
            repeated = len(parts) > _MAX_HELD_CHARS or not may_begin(parts)
        else:
            chain = [self.told, *self._held]
            repeated = len(set(chain)) > _MIN_GROWN_PIECES and _grow(chain)
            if not repeated and len(self._held) == _MAX_HELD_PIECES:
                return self._release()
        if not repeated:
            return ""
        self._grows = True
        self._held.clear()
        return self._more(max(longest, piece, key=len))

    def _release(self) -> str:
        """The held pieces are parts."""
        held, self._held = "".join(self._held), []
        return self._tell(held)

    def _more(self, piece: str) -> str:
        begun = self._told[0]
        if len(piece) > len(begun):
            begun = self.told
        if begun.startswith(piece):  # the same again, or less
            return ""
        return self._tell(piece.removeprefix(begun))

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
        for text in (max(held, key=len), all):  # each piece holds what was there before
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
