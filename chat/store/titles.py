"""Titles as they are kept: one line of what can be seen, of a length that a list can show.

A title is a person's word, or a question's. What HTML makes of it is a face's business.
"""

import unicodedata

from chat.conversations import title
from chat.store.recording import plain

LENGTH = 200
"""Characters of a title that a person gives."""

UNTITLED = "Untitled"

_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Marks that turn the direction of the text around them, or are for nothing else."""


def clean(name: str) -> str:
    """`name` without control characters, on one line, `LENGTH` long at most; "" when nothing is left."""
    seen = "".join(
        " " if c.isspace() else c
        for c in name[: 10 * LENGTH]
        if c.isspace() or (unicodedata.category(c) != "Cc" and c not in _TURNS)
    )
    line = " ".join(plain(seen).split())
    visible = any(unicodedata.category(c)[0] not in "CZM" for c in line)
    return line[:LENGTH].rstrip() if visible else ""


def made(question: str) -> str:
    """The title of a conversation that begins with `question`."""
    return clean(title(question)) or UNTITLED
