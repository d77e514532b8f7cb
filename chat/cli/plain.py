"""Text from elsewhere, made safe for a terminal.

A terminal obeys what is written to it: escape sequences move the cursor, set the title or the
clipboard, and overrides of the writing direction make a text look like another. None of it reaches
the terminal; line breaks and tabs do.
"""

import re

LONGEST_LINE = 2_000
"""Characters of what is shown as one line: a sentence, a title, a name."""

_LONGEST = 256
"""Characters of an escape sequence that is still taken for one. What begins longer is shown as text."""
_START = r"(?:\x1b\[|\x9b)"
_STRING = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])"
_BODY = rf"[^\x07\x1b\x9c\n]{{0,{_LONGEST}}}"
# ECMA-48: control sequences (5.4), control strings (5.6; xterm also ends them with BEL); and the
# shorter escapes of ECMA-35, whose last byte is none that begins one of the others.
_SEQUENCE = re.compile(
    rf"{_START}[0-?]{{0,64}}[ -/]{{0,8}}[@-~]"
    rf"|{_STRING}{_BODY}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b(?:[ -/]{1,8}[0-~]|[0-OQ-WYZ\\`-~])"
)
_UNFINISHED = re.compile(rf"(?:{_START}[0-?]{{0,64}}[ -/]{{0,8}}|{_STRING}{_BODY}\x1b?|\x1b[ -/]{{0,8}})\Z")
_GONE = dict.fromkeys(
    [
        *(code for code in range(0x20) if chr(code) not in "\n\t"),
        *range(0x7F, 0xA0),
        *range(0x202A, 0x202F),  # embeddings and overrides of the writing direction
        *range(0x2066, 0x206A),  # isolates
        *range(0xD800, 0xE000),  # halves of a surrogate pair: no UTF-8 for them
    ]
)


class Plain:
    """Makes a text safe that comes in pieces: a sequence may be cut anywhere."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        text = _SEQUENCE.sub("", self._held + piece)
        unfinished = _UNFINISHED.search(text)
        self._held = unfinished[0] if unfinished else ""
        return text[: len(text) - len(self._held)].translate(_GONE)


def plain(text: str) -> str:
    """A whole text made safe."""
    return _SEQUENCE.sub("", text).translate(_GONE)


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """`text` made safe and without line breaks and tabs, cut to so many characters: it cannot pose as a line
    of ours."""
    line = " ".join(plain(text[: 4 * longest]).split())
    return line if len(line) <= longest and len(text) <= 4 * longest else line[: longest - 1] + "…"
