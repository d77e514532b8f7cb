"""A conversation as a file: Markdown for people, JSON for programs, and a name for either.

Pure functions over a `Conversation` whose exchanges are there in full (`Store.earlier`). No owner, no
sending key and nothing of a request's headers gets in. Used by the faces; asks no store.
"""

import re
import unicodedata

from chat.export.to_json import as_json
from chat.export.to_markdown import markdown

LONGEST_NAME = 80
"""Characters of a file's name before its suffix: at most 4 bytes each, where 255 bytes are the limit."""

_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\'`;%]')
_DEVICES = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)")
"""Names that Windows gives to devices."""


def filename(title: str, suffix: str) -> str:
    """A name that any file system and any header takes; `chat.md` when nothing of the title is left."""
    title = unicodedata.normalize("NFC", title)
    # Control and direction characters, halves of surrogates, and what no Unicode knows.
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in _NOT_IN_NAMES.sub(" ", title))
    name = " ".join(kept.split())[:LONGEST_NAME].strip(" .…-")
    return f"{'chat' if not name or _DEVICES.match(name) else name}.{suffix}"


__all__ = ["LONGEST_NAME", "as_json", "filename", "markdown"]
