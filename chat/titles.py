"""Titles as they are kept: one line without what nobody sees, of a length that a list can show.

A title is a person's word, or a question's. What HTML makes of it is a face's business. Used by the store,
and by the faces that take a title from a person.
"""

import re
import unicodedata

from chat.unicode import whole

LENGTH = 200
"""Characters of a title that a person gives."""
MADE = 60
"""Characters of one that is made from the first question."""

UNTITLED = "Untitled"

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
)
"""What tells a terminal something: colours, the title of its window."""


def clean(name: str) -> str:
    """`name` without control characters, on one line, `LENGTH` long at most; "" when nothing is left."""
    seen = "".join(
        " " if c.isspace() else c
        for c in _ESCAPES.sub("", name[: 10 * LENGTH])
        if c.isspace() or unicodedata.category(c) != "Cc"
    )
    line = " ".join(whole(seen).split())
    visible = any(unicodedata.category(c) not in ("Cf", "Mn", "Me", "Zs") for c in line)
    return line[:LENGTH].rstrip() if visible else ""


def made(question: str) -> str:
    """The title of a conversation that begins with `question`."""
    return clean(_beginning(_ESCAPES.sub("", question[: 20 * LENGTH]))) or UNTITLED


def _beginning(question: str) -> str:
    """Of `question`: one line, cut at a word."""
    line = " ".join(question[: 10 * MADE].split())
    if len(line) <= MADE:
        return line
    cut = line[:MADE].rpartition(" ")[0]
    return f"{cut if len(cut) > MADE // 2 else line[: MADE - 1]}…"
