"""Thinking that a model writes as `<think>…</think>` at the start of its text, told apart while it streams.

For models whose server does not do it (Chat Completions only: `chat_reading` calls this). Only a tag
before any other text counts, so a tag that the answer talks about stays text; inside the thinking, a
closing tag in backticks is thinking. Line breaks next to the tags belong to neither side.
"""

OPEN, CLOSE = "<think>", "</think>"


class ThinkTags:
    """Feed it text as it comes; tags may be cut anywhere. Gives (thinking, text), either perhaps empty.

    When `passed` is true all the rest is text, and nobody needs to ask any more.
    """

    def __init__(self) -> None:
        self.passed = False
        self._held = ""  # what may become a tag
        self._opened = False
        self._closed = False
        self._begun = False  # the thinking has more than line breaks

    def feed(self, text: str) -> tuple[str, str]:
        if self.passed:
            return "", text
        text, self._held = self._held + text, ""
        if not self._opened:
            start = text.lstrip()
            if len(start) < len(OPEN) and OPEN.startswith(start):
                self._held = text
                return "", ""
            if not start.startswith(OPEN):
                self.passed = True
                return "", text
            self._opened = True
            text = start[len(OPEN) :]
        if self._closed:
            return "", self._text(text)
        end = self._close(text)
        if end >= 0:
            self._closed = True
            return self._thinking(text[:end]), self._text(text[end + len(CLOSE) :])
        keep = self._undecided(text)
        self._held = text[keep:]
        return self._thinking(text[:keep]), ""

    def end(self) -> tuple[str, str]:
        """What was held back."""
        held, self._held = self._held, ""
        return (self._thinking(held.removesuffix(CLOSE)), "") if self._opened else ("", held)

    def _thinking(self, text: str) -> str:
        text = text if self._begun else text.lstrip("\r\n")
        self._begun = self._begun or bool(text)
        return text

    def _text(self, text: str) -> str:
        text = text.lstrip("\r\n")
        self.passed = bool(text)
        return text

    @staticmethod
    def _close(text: str) -> int:
        """Where the closing tag stands; -1 when there is none, or backticks may be around it."""
        at = text.find(CLOSE)
        while at >= 0:
            after = at + len(CLOSE)
            if text[at - 1 : at] != "`" or (after < len(text) and text[after] != "`"):
                return at
            at = text.find(CLOSE, after)
        return -1

    @staticmethod
    def _undecided(text: str) -> int:
        """Where a tag begins at the end of `text` that more may complete, with the backtick before it."""
        if text.endswith("`" + CLOSE):
            return len(text) - len(CLOSE) - 1
        for size in range(len(CLOSE) - 1, 0, -1):
            if text.endswith(CLOSE[:size]):
                return len(text) - size - text[:-size].endswith("`")
        return len(text) - text.endswith("`")
