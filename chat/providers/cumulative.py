"""Text of which each piece holds all that came before, as some servers send it: what of each piece is new.

Only when that is certain: a model may repeat itself. So a text whose pieces grow out of one another is
held back from the second piece on, until a piece does not, or until what is repeated is too long and too
various for chance. Called by the readings, one for each part of an answer.
"""

_LONG, _VARIOUS = 12, 6
"""Characters of what is repeated, and different ones among them, that are certain."""
_PIECES = 32
"""Pieces that are held back at most. A text that grows by single characters is certain long before."""


class Cumulative:
    """`feed` gives what is new of a piece, `end` what was held back."""

    def __init__(self) -> None:
        self._sure = False
        self._passed = False
        """Whether the pieces are known not to grow out of one another."""
        self._grown: list[str] = []
        """The first piece, and each one that grew out of the one before; once sure, all the text."""
        self._held: list[str] = []
        self._told: list[str] = []
        self._length = self._count = 0
        self.repeated = 0
        """Characters of whole pieces that said nothing new. Nothing of them is kept."""

    @property
    def text(self) -> str:
        """All of it so far, but for what is held back."""
        if self._sure:
            return self._grown[-1]
        self._told[:] = ["".join(self._told)]
        return self._told[0]

    @property
    def holds(self) -> bool:
        return bool(self._held)

    def feed(self, piece: str, *, closing: bool = False) -> str:
        """`closing`: the piece came with the end, where some servers say all of it once more."""
        if not piece:
            return ""
        if self._sure:
            return self._more(piece)
        if closing and self._said_before(piece):
            return self._tell(piece[self._length :])
        if self._passed:
            return self._tell(piece)
        if not self._grown:
            self._grown.append(piece)
            return self._tell(piece)
        if not piece.startswith(self._grown[-1]) or len(self._held) == _PIECES:
            self._passed = True
            return self.end() + self._tell(piece)
        self._held.append(piece)
        if piece != self._grown[-1]:
            self._grown.append(piece)
        return self._settle() if len(self._grown) > 2 and _certain(self._grown[-2]) else ""

    def end(self) -> str:
        if not self._held:
            return ""
        grown = self._grown
        if not self._passed and len(grown) > 1:
            before = grown[-2]
            seam = before[-1:].isspace() or grown[0][:1].isspace()
            if (_certain(before) and not seam) or (len(grown) > 2 and len(set(before)) > 3):
                return self._settle()
        text = "".join(self._held)
        self._held.clear()
        return self._tell(text)

    def _settle(self) -> str:
        self._sure = True
        self._held.clear()
        return self._grown[-1][len(self._grown[0]) :]

    def _more(self, piece: str) -> str:
        last = self._grown[-1]
        if last.startswith(piece):  # the same again, or less
            self.repeated += len(piece)
            return ""
        self._grown[:] = [piece if piece.startswith(last) else last + piece]
        return piece.removeprefix(last)

    def _tell(self, piece: str) -> str:
        self._told.append(piece)
        self._length += len(piece)
        self._count += 1
        return piece

    def _said_before(self, piece: str) -> bool:
        if len(piece) < self._length or self._count < 3 or self._length < _LONG:
            return False
        return piece.startswith(said := self.text) and _certain(said)


def _certain(repeated: str) -> bool:
    return len(repeated) >= _LONG and len(set(repeated)) >= _VARIOUS
