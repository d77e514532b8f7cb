"""Thinking that a model writes between tags in its text, told apart while it streams.

For models whose server does not do it (Chat Completions only: `chat_reading` calls this). An opening tag
counts before any other text, and at the start of a line once the text began with one; so a tag that the
answer talks about stays text, and in backticks a tag is never one. Line breaks next to the tags belong to
neither side.

Some templates open the thinking themselves, so that the text has only the closing tag. What came in one
go with it is then thinking. What is on the screen already cannot be taken back: a line is drawn below it.
All of it takes time in proportion to the text, however small the pieces are.
"""

import re
from collections.abc import Mapping
from typing import Final

PAIRS: Final[Mapping[str, str]] = {
    **{f"<{name}>": f"</{name}>" for name in ("think", "thinking", "thought", "reasoning", "seed:think")},
    "◁think▷": "◁/think▷",  # Kimi
    "[THINK]": "[/THINK]",  # Magistral
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|channel>thought": "<channel|>",  # Gemma
    # gpt-oss, where its server does not read it
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}

LINE: Final = "\n\n---\n\n"
"""What takes the place of a closing tag when the thinking before it was shown as text."""

LONGEST: Final = max(map(len, (*PAIRS, *PAIRS.values())))
"""Characters of a tag."""

_ALONE: Final = ("</think>", "</thinking>", "◁/think▷", "[/THINK]")
"""Closing tags that count without an opening one, at the start of a line or at its end."""
_FIRSTS: Final = re.compile(r"[<◁\[]")
_TICKS: Final = re.compile("`+")


class _Place:
    """Where in a text one stands: whether its line has begun, and whether it is code."""

    def __init__(self) -> None:
        self.blank = True
        """Whether the line has blanks only."""
        self.fenced = False
        self._ticks = 0  # backticks at the very end

    def pass_over(self, text: str) -> None:
        if "\n" not in text and "`" not in text:
            self._ticks = 0 if text else self._ticks
            self.blank = self.blank and (not text or text.isspace())
            return
        line = text[text.rfind("\n") + 1 :]
        self.blank = (self.blank or len(line) < len(text)) and not line.strip()
        if "`" not in text:
            self._ticks = 0
            return
        for run in _TICKS.finditer(text):
            before = self._ticks if run.start() == 0 else 0
            self._ticks = before + len(run[0])
            if before < 3 <= self._ticks:
                self.fenced = not self.fenced
            if run.end() < len(text):
                self._ticks = 0

    @property
    def quoted(self) -> bool:
        return self._ticks > 0


class ThinkTags:
    """Feed it text as it comes; tags may be cut anywhere. Gives (thinking, text), either perhaps empty.

    What begins without a tag is held until `release`, which is called when nothing more has arrived.
    """

    def __init__(self) -> None:
        self.misplaced = False
        """Whether thinking was shown as text before its closing tag came."""
        self._read = self._beginning
        self._tail = ""  # the end of the text so far, which may become a tag; never longer than one
        self._blanks: list[str] = []  # before the first word
        self._held: list[str] = []  # text that may turn out to be thinking
        self._shown = False
        self._quick = False  # text without the first sign of a tag is text
        self._close = ""  # of the thinking that is open
        self._thoughts = 0  # blocks of thinking so far
        self._begun = False  # the block has more than line breaks
        self._place = _Place()

    def feed(self, text: str) -> tuple[str, str]:
        if self._quick and not self._tail and not _FIRSTS.search(text):
            self._place.pass_over(text)
            return "", text
        thinking, told = list[str](), list[str]()
        rest: str | None = text
        while rest:
            rest = self._read(self._tail + rest, thinking, told)
        self._quick = self._read == self._answer or (self._shown and self._read == self._openless)
        return "".join(thinking), "".join(told)

    @property
    def held(self) -> int:
        """Pieces of text that wait for `release`."""
        return len(self._held)

    def release(self) -> list[str]:
        """The text that was held as long as there was more to come at once, in the pieces that came."""
        held, self._held = self._held, []
        self._shown = self._shown or bool(held)
        return held

    def end(self) -> tuple[str, str]:
        """What was held back."""
        tail, self._tail = self._tail, ""
        if self._close:
            return self._think(tail.removesuffix(self._close)), ""
        blanks, self._blanks = "".join(self._blanks), []
        return "", "".join(self.release()) + (blanks.lstrip("\r\n") if self._thoughts else blanks) + tail

    # Each of these takes what has come, its beginning perhaps for the second time, and gives what is left
    # to be read in another way. `_tail` is then empty, or what it wants to see again.

    def _beginning(self, text: str, thinking: list[str], told: list[str]) -> str | None:
        """Before the first word, or between a closing tag and the next word."""
        start = text.lstrip()
        if len(start) < len(text):
            self._blanks.append(text[: len(text) - len(start)])
        self._tail = ""
        if not start:
            return None
        for opening, closing in PAIRS.items():
            if start.startswith(opening):
                self._blanks.clear()
                self._open(closing)
                return start[len(opening) :]
        if any(opening.startswith(start) for opening in PAIRS):
            self._tail = start
            return None
        blanks = "".join(self._blanks)
        self._blanks.clear()
        if self._thoughts:
            blanks = blanks.lstrip("\r\n")
        self._place = _Place()
        self._read = self._answer if self._thoughts else self._openless
        return blanks + start

    def _open(self, closing: str) -> None:
        self._close, self._begun = closing, False
        self._thoughts += 1
        self._read = self._thought

    def _thought(self, text: str, thinking: list[str], told: list[str]) -> str | None:
        close, self._tail = self._close, ""
        end = _closing(text, close)
        if end >= 0:
            self._close, self._read = "", self._beginning
            thinking.append(self._think(text[:end]))
            return text[end + len(close) :]
        keep = _undecided(text, close)
        self._tail = text[keep:]
        thinking.append(self._think(text[:keep]))
        return None

    def _think(self, text: str) -> str:
        if self._begun:
            return text
        text = text.lstrip("\r\n")
        self._begun = bool(text)
        return "\n\n" + text if text and self._thoughts > 1 else text

    def _openless(self, text: str, thinking: list[str], told: list[str]) -> str | None:
        """Text that began without a tag. Its template may have opened the thinking."""
        before, tag, rest = self._look(text, (*_ALONE, *PAIRS), alone=True)
        if before:
            self._held.append(before)
        if not tag:
            if self._shown:
                told += self.release()
            return None
        self._thoughts, self._read = 1, self._beginning
        if self._shown:
            self.misplaced = True
            told += [*self.release(), LINE]
        else:
            thinking.append("".join(self._held))
            self._held.clear()
        return rest

    def _plain(self, text: str, thinking: list[str], told: list[str]) -> None:
        """Text that nothing can make thinking."""
        self._held.append(text)
        if self._shown:
            told += self.release()
        self._tail = ""

    def _answer(self, text: str, thinking: list[str], told: list[str]) -> str | None:
        """Text behind thinking. More thinking may follow, on a line of its own."""
        before, tag, rest = self._look(text, tuple(PAIRS), alone=False)
        told.append(before)
        if tag:
            self._open(PAIRS[tag])
            return rest
        return None

    def _look(self, text: str, tags: tuple[str, ...], alone: bool) -> tuple[str, str, str]:
        """What stands before the first of `tags` that counts, the tag, and what stands behind it.

        `alone`: it counts at the end of a line too.
        """
        self._tail, at, place = "", 0, self._place
        for first in _FIRSTS.finditer(text):
            here = first.start()
            if here < at:
                continue
            rest = text[here : here + LONGEST + 1]
            tag = next((tag for tag in tags if rest.startswith(tag)), "")
            if not tag and not any(tag.startswith(rest) for tag in tags):
                continue
            place.pass_over(text[at:here])
            at = here
            if place.fenced or place.quoted or not (alone or place.blank):
                continue
            if alone and tag in PAIRS:  # it talks about tags: none is meant any more
                self._read = self._plain
                break
            behind = text[here + len(tag) :]
            if not tag or (not place.blank and not behind):
                self._tail = text[here:]
                return text[:here], "", ""
            if place.blank or behind[0] in "\r\n":
                return text[:here], tag, behind
        place.pass_over(text[at:])
        return text, "", ""


def _closing(text: str, close: str) -> int:
    """Where the closing tag stands; -1 when there is none, or backticks may be around it."""
    at = text.find(close)
    while at >= 0:
        after = at + len(close)
        if text[at - 1 : at] != "`" or (after < len(text) and text[after] != "`"):
            return at
        at = text.find(close, after)
    return -1


def _undecided(text: str, close: str) -> int:
    """Where a tag begins at the end of `text` that more may complete, with the backtick before it."""
    if text.endswith("`" + close):
        return len(text) - len(close) - 1
    for size in range(len(close) - 1, 0, -1):
        if text.endswith(close[:size]):
            return len(text) - size - text[:-size].endswith("`")
    return len(text) - text.endswith("`")
